/**
 * Compacts logs, one after another: always the one with the largest share of dirty bytes among those that have more than
 * `min.cleanable.dirty.ratio`, or records older than `max.compaction.lag.ms`; then rests for `log.cleaner.backoff.ms`
 * when there was none. Between compactions it removes what compacted logs need not keep.
 *
 * A log that cannot be compacted (it is damaged, say) is set aside until the next start, or until a setting of the
 * cleaner changes; the others go on. One that was truncated, deleted or moved meanwhile simply has its turn again.
 */
import type { Config } from '../../config/config.ts'
import { KafkaError } from '../../protocol/errors.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Logger } from '../../runtime/logger.ts'
import { QueueClosedError } from '../../runtime/queue.ts'
import { SegmentsChangedError } from '../log-bounds.ts'
import type { PartitionLog } from '../partition-log.ts'
import { applyRetention } from './apply-retention.ts'
import { compact } from './compaction.ts'
import { CompactionAbortedError } from './compaction-errors.ts'
import { CompactionJob } from './compaction-job.ts'
import { type DirtyRange, dirtyRangeOf } from './dirty-range.ts'
import { WorkSlices } from './work-slices.ts'

export interface LogCleanerOptions {
  readonly logs: () => Iterable<PartitionLog>
  /**
   * Whether a copy of the log is being made in another directory: what that has read already may want a tombstone
   * that is still to come, so the log is not compacted meanwhile. None is unless given.
   */
  readonly isMoving?: (log: PartitionLog) => boolean
  readonly config: Config
  readonly clock: Clock
  readonly logger: Logger
}

/** What compaction did since the start. */
export interface CleanerTotals {
  compactions: number
  bytesRead: number
  bytesWritten: number
  /** Time that compactions took, the rests in between included. */
  elapsedMs: number
}

interface Candidate {
  readonly log: PartitionLog
  readonly range: DirtyRange
}

export function isCompacted(log: PartitionLog): boolean {
  return log.topicConfig.get('cleanup.policy').includes('compact')
}

export class LogCleaner {
  readonly totals: CleanerTotals = { compactions: 0, bytesRead: 0, bytesWritten: 0, elapsedMs: 0 }
  readonly #o: LogCleanerOptions
  readonly #logger: Logger
  readonly #stop = new AbortController()
  readonly #setAside = new Set<PartitionLog>()
  readonly #unsubscribe: () => void
  #maxDirtyRatio = 0
  #running: Promise<void> = Promise.resolve()

  constructor(options: LogCleanerOptions) {
    this.#o = options
    this.#logger = options.logger.child({ part: 'storage' })
    // More memory for keys, say, may be what a log that was set aside wants.
    this.#unsubscribe = options.config.onChange((keys) => {
      if ([...keys].some((key) => key.startsWith('log.cleaner.'))) this.#setAside.clear()
    })
  }

  /** Logs that cannot be compacted. */
  get uncleanableLogs(): number {
    return this.#setAside.size
  }

  /** The largest share of dirty bytes that the last look found, 0 to 1. */
  get maxDirtyRatio(): number {
    return this.#maxDirtyRatio
  }

  start(): void {
    this.#running = this.#run()
  }

  async #run(): Promise<void> {
    const { clock, config } = this.#o
    while (!this.#stop.signal.aborted) {
      const hasCompacted = await this.round()
      if (hasCompacted) continue
      await clock.sleep(config.get('log.cleaner.backoff.ms'), this.#stop.signal).catch(() => {})
    }
  }

  /** Compacts one log, if one is worth it, and tells whether it did. Never rejects. */
  async round(): Promise<boolean> {
    const logs = [...this.#o.logs()].filter((log) => isCompacted(log) && log.isUsable)
    for (const log of this.#setAside) if (!logs.includes(log)) this.#setAside.delete(log)
    const cleanable = logs.filter((log) => !this.#setAside.has(log))
    await this.#rollOverdue(cleanable)
    const candidate = this.#dirtiest(cleanable)
    const hasCompacted = candidate !== undefined && (await this.#compact(candidate))
    for (const log of cleanable) await this.#removeOld(log)
    return hasCompacted
  }

  /** Records in the active segment are not compacted: where there is a limit to that, it is closed in time. */
  async #rollOverdue(logs: readonly PartitionLog[]): Promise<void> {
    const nowMs = this.#o.clock.now()
    for (const log of logs) {
      if (log.topicConfig.get('max.compaction.lag.ms') >= nowMs) continue
      await this.#guarded(log, async () => {
        await log.rollIfDue(nowMs)
      })
    }
  }

  #dirtiest(logs: readonly PartitionLog[]): Candidate | undefined {
    const nowMs = this.#o.clock.now()
    const candidates = logs
      .filter((log) => log.isUsable && !this.#isMoving(log))
      .flatMap((log) => this.#candidateOf(log, nowMs) ?? [])
      .sort((a, b) => b.range.dirtyRatio - a.range.dirtyRatio)
    this.#maxDirtyRatio = candidates[0]?.range.dirtyRatio ?? 0
    return candidates.find(isWorthIt)
  }

  #isMoving(log: PartitionLog): boolean {
    return this.#o.isMoving?.(log) === true
  }

  #candidateOf(log: PartitionLog, nowMs: number): Candidate | undefined {
    const { logStartOffset, logEndOffset, lastStableOffset, recoveryPoint, compactedUpTo, topicConfig } = log
    const bounds = { logStartOffset, logEndOffset, lastStableOffset, recoveryPoint, compactedUpTo }
    const minLagMs = topicConfig.get('min.compaction.lag.ms')
    const maxLagMs = topicConfig.get('max.compaction.lag.ms')
    try {
      const range = dirtyRangeOf({ segments: log.segments(), ...bounds }, { minLagMs, maxLagMs, nowMs })
      return range.cleanableBytes === 0 ? undefined : { log, range }
    } catch (error) {
      this.#failed(log, error)
      return undefined
    }
  }

  async #compact({ log, range }: Candidate): Promise<boolean> {
    const { clock, config } = this.#o
    const startedMs = clock.monotonicMs()
    const slices = new WorkSlices({
      clock,
      maxBytesPerSecond: () => config.get('log.cleaner.io.max.bytes.per.second'),
      signal: this.#stop.signal,
    })
    const job = new CompactionJob({
      log,
      range,
      slices,
      nowMs: clock.now(),
      isMoving: () => this.#isMoving(log),
    })
    return this.#guarded(log, async () => {
      const { compactedUpTo, mapUtilization } = await compact(job, {
        map: {
          maxBytes: config.get('log.cleaner.dedupe.buffer.size'),
          loadFactor: config.get('log.cleaner.io.buffer.load.factor'),
        },
        bufferBytes: config.get('log.cleaner.io.buffer.size') / 2,
      })
      await log.markCompacted(compactedUpTo)
      this.#report(job, { compactedUpTo, mapUtilization, tookMs: clock.monotonicMs() - startedMs })
    })
  }

  #report(
    job: CompactionJob,
    result: { compactedUpTo: number; mapUtilization: number; tookMs: number },
  ): void {
    const { log, range, bytesRead, bytesWritten, recordsRead, recordsKept } = job
    this.totals.compactions += 1
    this.totals.bytesRead += bytesRead
    this.totals.bytesWritten += bytesWritten
    this.totals.elapsedMs += result.tookMs
    this.#logger.info(
      {
        topic: log.topic,
        partition: log.partition,
        fromOffset: range.firstDirtyOffset,
        toOffset: result.compactedUpTo,
        dirtyRatio: rounded(range.dirtyRatio),
        bytesRead,
        bytesWritten,
        recordsRead,
        recordsKept,
        mapUtilization: rounded(result.mapUtilization),
        tookMs: Math.round(result.tookMs),
      },
      'log compacted',
    )
  }

  async #removeOld(log: PartitionLog): Promise<void> {
    if (this.#stop.signal.aborted || !log.isUsable) return
    await this.#guarded(log, async () => {
      await applyRetention(log, this.#o.clock.now())
    })
  }

  /** Runs what may fail for one log; tells whether it did not. */
  async #guarded(log: PartitionLog, task: () => Promise<void>): Promise<boolean> {
    try {
      await task()
      return true
    } catch (error) {
      this.#failed(log, error)
      return false
    }
  }

  #failed(log: PartitionLog, error: unknown): void {
    const place = { topic: log.topic, partition: log.partition }
    const reason = error instanceof Error ? error.message : String(error)
    if (isBrokenOff(error) || !log.isUsable || this.#stop.signal.aborted) {
      this.#logger.info({ ...place, reason }, 'compaction broken off')
    } else if (isNoSpace(error)) {
      this.#logger.warn({ ...place, reason }, 'no space on the disk to compact the log, tried again later')
    } else if (isFileError(error)) {
      log.failure(error)
    } else {
      this.#setAside.add(log)
      this.#logger.error({ ...place, reason, err: error }, 'log cannot be compacted, set aside')
    }
  }

  /** Breaks off what is under way, and begins nothing more. */
  async close(): Promise<void> {
    this.#unsubscribe()
    this.#stop.abort()
    await this.#running
  }
}

function isWorthIt({ log, range }: Candidate): boolean {
  return range.overdueMs > 0 || range.dirtyRatio > log.topicConfig.get('min.cleanable.dirty.ratio')
}

/** The log is being closed or deleted, or its segments are not those that they were. */
function isBrokenOff(error: unknown): boolean {
  return (
    error instanceof CompactionAbortedError ||
    error instanceof SegmentsChangedError ||
    error instanceof QueueClosedError
  )
}

/** Told by the file system, or by a log that stays online all the same. */
function isNoSpace(error: unknown): boolean {
  if (error instanceof KafkaError) return error.error === 'KAFKA_STORAGE_ERROR'
  return isFileError(error) && (error.code === 'ENOSPC' || error.code === 'EDQUOT')
}

/** Something that the file system said. */
function isFileError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && !(error instanceof KafkaError) && 'code' in error
}

function rounded(share: number): number {
  return Math.round(share * 1000) / 1000
}
