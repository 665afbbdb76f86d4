/**
 * Makes a partition's log survive a crash of the machine: on demand, behind a roll, and as `flush.messages` and
 * `flush.ms` ask.
 *
 * recoveryPoint: everything before it is flushed, indexes, epochs and producer snapshot included. It is lowered, and
 * the lower value made durable, before records below it are dropped.
 */
import type { TopicConfig } from '../config/topic-config.ts'
import type { LeaderEpochs } from './leader-epochs.ts'
import type { PartitionLogOptions } from './partition-log-options.ts'
import type { ProducerSnapshots } from './producer-snapshots.ts'
import type { Segment } from './segment.ts'

export interface LogFlusherOptions extends Pick<
  PartitionLogOptions,
  'directory' | 'files' | 'clock' | 'logger' | 'checkpoint'
> {
  readonly epochs: LeaderEpochs
  readonly snapshots: ProducerSnapshots
  /** As they are when asked. */
  readonly segments: () => readonly Segment[]
  /** One past the last record that is in the file. */
  readonly endOffset: () => number
  /** Writes the appends that wait for the end of the turn. */
  readonly writeStaged: () => void
  /** Runs a task in the queue of those that wait for the disk. */
  readonly exclusive: (task: () => Promise<void>) => Promise<void>
}

export class LogFlusher {
  readonly #o: LogFlusherOptions
  #recoveryPoint = 0
  /** Made when a segment rolls, written by the flush that follows. */
  #dueSnapshot: { offset: number; content: Buffer } | undefined
  #namesChanged = false
  #queued: Promise<void> | undefined
  #cancelTimed: (() => void) | undefined
  #isStopped = false

  constructor(options: LogFlusherOptions) {
    this.#o = options
  }

  get recoveryPoint(): number {
    return this.#recoveryPoint
  }

  /** What is known to be flushed when the log is opened. */
  startAt(recoveryPoint: number): void {
    this.#recoveryPoint = recoveryPoint
  }

  /** Must be called, inside a task, before records from `offset` on are dropped. */
  async lowerTo(offset: number): Promise<void> {
    if (this.#recoveryPoint <= offset) return
    this.#recoveryPoint = offset
    await this.#o.checkpoint()
  }

  /** Files came or went: the next flush makes their names durable. */
  namesChanged(): void {
    this.#namesChanged = true
  }

  /** The state of the producers before `offset`, for the next flush to write. */
  addSnapshot(offset: number, content: Buffer): void {
    this.#dueSnapshot = { offset, content }
  }

  /** The records that the waiting snapshot speaks of are gone. */
  dropSnapshot(): void {
    this.#dueSnapshot = undefined
  }

  /** Flushes everything appended so far; calls that come before it begins share it. */
  flush(): Promise<void> {
    this.#queued ??= this.#o.exclusive(async () => {
      this.#queued = undefined
      await this.flushNow()
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
    this.#o.writeStaged()
    const end = this.#o.endOffset()
    const snapshot = this.#dueSnapshot
    const unflushed = this.#o
      .segments()
      .filter(
        ({ endOffset, baseOffset }) => endOffset > this.#recoveryPoint || baseOffset >= this.#recoveryPoint,
      )
    for (const segment of unflushed) await segment.flush()
    await this.syncNames()
    if (snapshot !== undefined) {
      await this.#o.snapshots.write(snapshot.offset, snapshot.content)
      if (this.#dueSnapshot === snapshot) this.#dueSnapshot = undefined
    }
    await this.#o.epochs.flush()
    this.#recoveryPoint = Math.max(this.#recoveryPoint, end)
  }

  async syncNames(): Promise<void> {
    if (!this.#namesChanged) return
    this.#namesChanged = false
    await this.#o.files.syncDirectory(this.#o.directory)
  }

  /** What recovery changed is made durable before the log is used. */
  async flushChangedNames(): Promise<void> {
    if (this.#namesChanged) await this.flushNow()
  }

  /** After an append: flushes at once, or sees to it that a flush follows, as the topic asks. */
  async flushIfDue(topicConfig: TopicConfig): Promise<void> {
    const unflushed = this.#o.endOffset() - this.#recoveryPoint
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
