/**
 * Looks through all logs that are not compacted every `log.retention.check.interval.ms`, and removes what they need not
 * keep any longer. Compacted logs are the cleaner's business (log-cleaner.ts): it never does both to one at a time.
 */
import type { Config } from '../../config/config.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Logger } from '../../runtime/logger.ts'
import type { PartitionLog } from '../partition-log.ts'
import { applyRetention } from './apply-retention.ts'
import { isCompacted } from './log-cleaner.ts'

/** Logs that are looked at before others run. */
const LOGS_AT_A_TIME = 50

export interface LogRetentionOptions {
  readonly logs: () => Iterable<PartitionLog>
  readonly config: Config
  readonly clock: Clock
  readonly logger: Logger
}

export class LogRetention {
  readonly #o: LogRetentionOptions
  readonly #logger: Logger
  #cancel: (() => void) | undefined
  #running: Promise<void> = Promise.resolve()
  #isClosed = false

  constructor(options: LogRetentionOptions) {
    this.#o = options
    this.#logger = options.logger.child({ part: 'storage' })
  }

  start(): void {
    this.#schedule(this.#o.config.get('log.initial.task.delay.ms'))
  }

  #schedule(delayMs: number): void {
    if (this.#isClosed) return
    this.#cancel = this.#o.clock.after(delayMs, () => {
      this.#running = this.check().finally(() =>
        this.#schedule(this.#o.config.get('log.retention.check.interval.ms')),
      )
    })
  }

  /** One round over all logs. Never rejects: a log that fails is left for the next round. */
  async check(): Promise<void> {
    let looked = 0
    for (const log of [...this.#o.logs()].filter((candidate) => !isCompacted(candidate))) {
      if (this.#isClosed) return
      looked += 1
      if (looked % LOGS_AT_A_TIME === 0) await new Promise((resolve) => setImmediate(resolve))
      await this.#checkLog(log)
    }
  }

  async #checkLog(log: PartitionLog): Promise<void> {
    if (!log.isUsable) return
    try {
      await applyRetention(log, this.#o.clock.now())
    } catch (error) {
      const { topic, partition } = log
      if (log.isUsable) this.#logger.error({ topic, partition, err: error }, 'retention failed')
    }
  }

  /** Begins nothing more; resolves when what is under way has ended. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#cancel?.()
    await this.#running
  }
}
