/**
 * Makes a partition's log survive a crash of the machine: on demand, behind a roll, and as `flush.messages` and
 * `flush.ms` ask.
 *
 * recoveryPoint: everything before it is flushed, indexes, epochs and producer snapshot included. It is lowered, and
 * the lower value made durable, before records below it are dropped.
 */
import type { TopicConfig } from '../config/topic-config.ts'
import type { LeaderEpochs } from './leader-epochs.ts'
import type { LogSegments } from './log-segments.ts'
import type { LogWriter } from './log-writer.ts'
import type { PartitionLogOptions } from './partition-log-options.ts'
import type { ProducerSnapshots } from './producer-snapshots.ts'

export interface LogFlusherOptions extends Pick<
  PartitionLogOptions,
  'directory' | 'clock' | 'logger' | 'checkpoint' | 'health'
> {
  readonly epochs: LeaderEpochs
  readonly snapshots: ProducerSnapshots
  readonly segments: LogSegments
  readonly writer: LogWriter
  /** Runs a task in the queue of those that wait for the disk. */
  readonly exclusive: (task: () => Promise<void>) => Promise<void>
}

export class LogFlusher {
  readonly #o: LogFlusherOptions
  #recoveryPoint: number
  #queued: Promise<void> | undefined
  #cancelTimed: (() => void) | undefined
  #isStopped = false

  /** `recoveryPoint`: what is known to be flushed when the log is opened. */
  constructor(options: LogFlusherOptions, recoveryPoint: number) {
    this.#o = options
    this.#recoveryPoint = recoveryPoint
  }

  get recoveryPoint(): number {
    return this.#recoveryPoint
  }

  /** Must be called, inside a task, before records from `offset` on are dropped. */
  async lowerTo(offset: number): Promise<void> {
    if (this.#recoveryPoint <= offset) return
    this.#recoveryPoint = offset
    await this.#o.checkpoint()
  }

  /** Flushes everything appended so far; calls that come before it begins share it. */
  flush(): Promise<void> {
    this.#queued ??= this.#o.exclusive(async () => {
      this.#queued = undefined
      try {
        await this.flushNow()
      } catch (error) {
        // What was not flushed for want of space for an index or a checkpoint is flushed the next time.
        throw this.#o.health.failedWrite(this.#o.directory, error)
      }
    })
    return this.#queued
  }

  flushInBackground(): void {
    this.flush().catch((error: unknown) => {
      this.#o.logger.error({ directory: this.#o.directory, err: error }, 'background flush failed')
    })
  }

  /** Only inside a task, or before the log is in use. Appends may go on meanwhile; they are not covered. */
  async flushNow(): Promise<void> {
    this.#o.writer.write()
    const end = this.#o.writer.logEndOffset
    for (const segment of this.#o.segments.all.filter(({ isDirty }) => isDirty)) await segment.flush()
    await this.#o.snapshots.flush()
    await this.#o.segments.syncNames()
    await this.#o.epochs.flush(end)
    this.#recoveryPoint = Math.max(this.#recoveryPoint, end)
  }

  /** After an append: flushes at once, or sees to it that a flush follows, as the topic asks. */
  async flushIfDue(topicConfig: TopicConfig): Promise<void> {
    const unflushed = this.#o.writer.logEndOffset - this.#recoveryPoint
    if (unflushed >= topicConfig.get('flush.messages')) return this.flush()
    const flushMs = topicConfig.get('flush.ms')
    const isTimed = flushMs < Number.MAX_SAFE_INTEGER && this.#cancelTimed === undefined
    if (!isTimed || this.#isStopped) return undefined
    this.#cancelTimed = this.#o.clock.after(flushMs, () => {
      this.#cancelTimed = undefined
      this.flushInBackground()
    })
    return undefined
  }

  /** No timed flush begins any more. */
  stop(): void {
    this.#isStopped = true
    this.#cancelTimed?.()
  }
}
