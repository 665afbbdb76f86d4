/**
 * The records of one partition: segments, leader epochs, producer state. One owner, one order:
 *
 *   append   checks and stamps at once, then waits for the end of the turn of the event loop; all that came in one
 *            turn goes to the file in one write
 *   logEndOffset  moves with the write, so readers see only what is in the file
 *   flush, truncation, start offset  one at a time in a queue, since they wait for the disk
 *
 * What is flushed, and up to where, is the business of log-flusher.ts.
 */
import type { TopicConfig } from '../config/topic-config.ts'
import { KafkaError } from '../protocol/errors.ts'
import { type BatchView, splitBatches, stampBatch } from '../protocol/record-batch.ts'
import { SerialQueue } from '../runtime/queue.ts'
import { checkAppended } from './append-rules.ts'
import { type EpochEnd, LeaderEpochs } from './leader-epochs.ts'
import { LogFlusher } from './log-flusher.ts'
import { ProducerSnapshots } from './producer-snapshots.ts'
import type { ProducerState } from './producer-state.ts'
import { NO_RECORDS, readBatches, type ReadResult } from './log-reader.ts'
import type { PartitionLogOptions } from './partition-log-options.ts'
import { recoverSegments } from './recovery.ts'
import { Segment, type SegmentLimits } from './segment.ts'
import { findByTimestamp, findMaxTimestamp, type FoundRecord } from './timestamp-search.ts'

/** Flushes, truncations and the like that may wait at the same time. */
const MAX_QUEUED_TASKS = 1000
/** Staged bytes that are written without waiting for the end of the turn. */
const MAX_STAGED_BYTES = 8 * 1024 * 1024

export interface AppendInfo {
  readonly baseOffset: number
  readonly lastOffset: number
  /** -1 when the records keep the producer's time. */
  readonly logAppendTimeMs: number
  readonly logStartOffset: number
  /** The batch was there already; the offsets are those of its first appearance. */
  readonly duplicate: boolean
  readonly sizeBytes: number
}

interface Turn {
  readonly promise: Promise<void>
  readonly resolve: () => void
  readonly reject: (reason: Error) => void
}

export class PartitionLog {
  readonly topic: string
  readonly partition: number
  readonly topicId: string
  readonly directory: string
  readonly #o: PartitionLogOptions
  readonly #snapshots: ProducerSnapshots
  readonly #epochs: LeaderEpochs
  readonly #flusher: LogFlusher
  readonly #queue = new SerialQueue(MAX_QUEUED_TASKS)
  #segments: Segment[]
  #producers: ProducerState
  #topicConfig: TopicConfig
  #limits: SegmentLimits
  #logStartOffset: number
  #logEndOffset: number
  #isClosed = false

  /** Stamped batches that wait for the end of the turn, and where the next one goes. */
  #staged: BatchView[] = []
  #stagedBytes = 0
  #nextOffset: number
  #turn: Turn | undefined

  /** Opens what is in the directory, recovering it if need be; an empty one becomes an empty log. */
  static async open(options: PartitionLogOptions): Promise<PartitionLog> {
    try {
      const log = new PartitionLog(options)
      await log.#flusher.flushChangedNames()
      return log
    } catch (error) {
      throw options.health.failure(options.directory, error)
    }
  }

  private constructor(options: PartitionLogOptions) {
    this.#o = options
    this.topic = options.topic
    this.partition = options.partition
    this.topicId = options.topicId
    this.directory = options.directory
    this.#topicConfig = options.topicConfig
    this.#limits = limitsOf(options.topicConfig)
    this.#epochs = new LeaderEpochs(options.files, options.directory)
    this.#snapshots = new ProducerSnapshots(options.files, options.directory, options.logger)
    this.#flusher = new LogFlusher({
      ...options,
      epochs: this.#epochs,
      snapshots: this.#snapshots,
      segments: () => this.#segments,
      endOffset: () => this.#logEndOffset,
      writeStaged: () => this.#writeStaged(),
      exclusive: (task) => this.#exclusive(task),
    })
    const { segments, changed } = recoverSegments({
      ...options,
      epochs: this.#epochs,
      nowMs: options.clock.now(),
      indexIntervalBytes: this.#limits.indexIntervalBytes,
    })
    this.#segments = segments
    if (changed) this.#flusher.namesChanged()
    this.#logStartOffset = Math.max(options.logStartOffset, segments[0]?.baseOffset ?? 0)
    const end = segments.at(-1)?.endOffset ?? 0
    if (segments.length === 0 || end < this.#logStartOffset) this.#restartFiles(this.#logStartOffset)
    this.#logEndOffset = this.#active.endOffset
    this.#nextOffset = this.#logEndOffset
    this.#flusher.startAt(changed ? Math.min(options.recoveryPoint, this.#logEndOffset) : this.#logEndOffset)
    this.#epochs.truncateEnd(this.#logEndOffset)
    this.#epochs.truncateStart(this.#logStartOffset)
    this.#producers = this.#loadProducers()
  }

  get #active(): Segment {
    return this.#segments.at(-1)!
  }

  get logStartOffset(): number {
    return this.#logStartOffset
  }

  /** One past the last record that is in the file. */
  get logEndOffset(): number {
    return this.#logEndOffset
  }

  get recoveryPoint(): number {
    return this.#flusher.recoveryPoint
  }

  /** -1 when no epoch is known. */
  get latestEpoch(): number {
    return this.#epochs.latest
  }

  /** Bytes of records on disk. */
  get sizeBytes(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.sizeBytes, 0)
  }

  /** First offset of the first segment: a start offset above it needs a checkpoint. */
  get firstSegmentOffset(): number {
    return this.#segments[0]!.baseOffset
  }

  updateConfig(topicConfig: TopicConfig): void {
    this.#topicConfig = topicConfig
    this.#limits = limitsOf(topicConfig)
  }

  // Appending

  /**
   * Gives a batch its offsets and the leader's epoch, in place, and appends it; resolves once it is in the file.
   * A batch that an idempotent producer repeats is answered with the offsets of its first appearance.
   * Rejects with what validateClientBatch and the sequence rules say, or KAFKA_STORAGE_ERROR.
   */
  async appendAsLeader(
    records: Buffer,
    leaderEpoch: number,
    options: { origin?: 'client' | 'coordinator' } = {},
  ): Promise<AppendInfo> {
    this.#mustBeUsable()
    const origin = options.origin ?? 'client'
    const batch = checkAppended(records, origin, this.#topicConfig, this.#o.clock.now())
    const repeated = batch.producerId < 0 ? undefined : this.#producers.check(batch)
    if (repeated !== undefined) {
      await this.#turn?.promise
      return this.#appendInfo(repeated.firstOffset, repeated.lastOffset, batch, true)
    }
    if (origin === 'client') this.#o.health.mustHaveRoom()
    else this.#o.health.mustHaveSpace()
    const usesAppendTime = this.#topicConfig.get('message.timestamp.type') === 'LogAppendTime'
    if (usesAppendTime) batch.stampAppendTime(this.#o.clock.now())
    const baseOffset = this.#nextOffset
    stampBatch(records, batch.position, baseOffset, leaderEpoch)
    await this.#stage([batch])
    return this.#appendInfo(baseOffset, batch.lastOffset, batch, false)
  }

  #appendInfo(baseOffset: number, lastOffset: number, batch: BatchView, duplicate: boolean): AppendInfo {
    return {
      baseOffset,
      lastOffset,
      logAppendTimeMs: batch.timestampType === 'LogAppendTime' ? batch.maxTimestamp : -1,
      logStartOffset: this.#logStartOffset,
      duplicate,
      sizeBytes: batch.sizeBytes,
    }
  }

  /**
   * Appends what a leader's log holds, offsets and epochs kept; a partial batch at the end is ignored.
   * Rejects with CORRUPT_MESSAGE for a damaged batch or one that begins before this log's end.
   */
  async appendAsFollower(records: Buffer): Promise<void> {
    this.#mustBeUsable()
    this.#o.health.mustHaveSpace()
    const batches = splitBatches(records)
    if (batches.length === 0) return
    let next = this.#nextOffset
    for (const batch of batches) {
      if (!batch.isIntact()) throw this.#corrupt(`the checksum of the batch at offset ${batch.baseOffset}`)
      if (batch.baseOffset < next) throw this.#corrupt(`offset ${batch.baseOffset} after ${next - 1}`)
      next = batch.lastOffset + 1
    }
    await this.#stage(batches)
  }

  #corrupt(what: string): KafkaError {
    return new KafkaError('CORRUPT_MESSAGE', `${this.topic}-${this.partition}: the leader sent ${what}`)
  }

  /** Takes over batches that have their offsets; resolves once they are in the file. */
  async #stage(batches: readonly BatchView[]): Promise<void> {
    for (const batch of batches) {
      if (this.#active.isFullFor(batch, this.#stagedBytes, this.#o.clock.now(), this.#limits)) {
        this.#writeStaged()
        this.#mustBeUsable()
        this.#roll()
      }
      this.#epochs.assign(batch.leaderEpoch, batch.baseOffset)
      this.#producers.update(batch)
      this.#staged.push(batch)
      this.#stagedBytes += batch.sizeBytes
      this.#nextOffset = batch.lastOffset + 1
    }
    this.#turn ??= this.#beginTurn()
    const { promise } = this.#turn
    if (this.#stagedBytes >= MAX_STAGED_BYTES) this.#writeStaged()
    await promise
    await this.#flusher.flushIfDue(this.#topicConfig)
  }

  #beginTurn(): Turn {
    const turn = Promise.withResolvers<void>()
    turn.promise.catch(() => {})
    setImmediate(() => this.#writeStaged())
    return turn
  }

  /** Writes what is staged. A failure rejects the appends and takes the directory offline. */
  #writeStaged(): void {
    const batches = this.#staged
    const turn = this.#turn
    this.#staged = []
    this.#stagedBytes = 0
    this.#turn = undefined
    try {
      if (batches.length > 0) {
        this.#mustBeUsable()
        this.#active.append(batches, this.#limits)
        this.#logEndOffset = this.#nextOffset
      }
      turn?.resolve()
    } catch (error) {
      turn?.reject(this.#o.health.failure(this.#active.path, error))
    }
  }

  /** Begins a new segment where the log ends; the old one is flushed behind the appends' back. */
  #roll(): void {
    const baseOffset = this.#nextOffset
    try {
      this.#active.seal()
      this.#producers.expire(this.#o.clock.now() - this.#o.producerExpirationMs)
      this.#flusher.addSnapshot(baseOffset, this.#producers.encode())
      this.#segments.push(this.#newSegment(baseOffset))
    } catch (error) {
      throw this.#o.health.failure(this.directory, error)
    }
    this.#flusher.flushInBackground()
  }

  #newSegment(baseOffset: number): Segment {
    this.#flusher.namesChanged()
    return new Segment(this.#o.files, this.directory, baseOffset, this.#o.clock.now())
  }

  // Reading

  /**
   * Whole batches from the one that holds `offset` on, all below `upTo`, at most `maxBytes`; with `minOneBatch` the
   * first one even if larger. Throws OFFSET_OUT_OF_RANGE, KAFKA_STORAGE_ERROR.
   */
  read(offset: number, maxBytes: number, options: { upTo: number; minOneBatch: boolean }): ReadResult {
    this.#mustBeUsable()
    if (offset < this.#logStartOffset || offset > this.#logEndOffset) {
      throw new KafkaError(
        'OFFSET_OUT_OF_RANGE',
        `${this.topic}-${this.partition}: offset ${offset}; the log has ${this.#logStartOffset} to ${this.#logEndOffset}`,
      )
    }
    const end = Math.min(options.upTo, this.#logEndOffset)
    if (offset >= end) return NO_RECORDS
    return this.#guarded(() =>
      readBatches(this.#segments, { offset, end, maxBytes, minOneBatch: options.minOneBatch }),
    )
  }

  /** The first record at or after `timestampMs`, below `upTo`. */
  offsetForTimestamp(timestampMs: number, upTo: number): FoundRecord | undefined {
    this.#mustBeUsable()
    const range = { startOffset: this.#logStartOffset, endOffset: Math.min(upTo, this.#logEndOffset) }
    return this.#guarded(() => findByTimestamp(this.#segments, timestampMs, range))
  }

  /** The first record with the largest timestamp; undefined in an empty log. */
  maxTimestampOffset(): FoundRecord | undefined {
    this.#mustBeUsable()
    const range = { startOffset: this.#logStartOffset, endOffset: this.#logEndOffset }
    return this.#guarded(() => findMaxTimestamp(this.#segments, range))
  }

  // Leader epochs

  /** Where `epoch` ends, or the largest known epoch before it; (-1, -1) when not known (KIP-279). */
  endOffsetForEpoch(epoch: number): EpochEnd {
    return this.#epochs.endOf(epoch, this.#logEndOffset)
  }

  /** The epoch of the record at `offset`; -1 when not known. */
  epochAt(offset: number): number {
    return this.#epochs.epochAt(offset)
  }

  /** A leader of `epoch` begins to write at `startOffset`. */
  assignEpoch(epoch: number, startOffset: number): void {
    this.#epochs.assign(epoch, startOffset)
  }

  // Flushing

  /** Makes everything appended so far survive a crash of the machine. */
  flush(): Promise<void> {
    return this.#flusher.flush()
  }

  // Truncation

  /** Drops all records from `offset` on; a batch that spans it goes as a whole, so the log may end earlier. */
  truncateTo(offset: number): Promise<void> {
    return this.#exclusive(async () => {
      this.#writeStaged()
      if (offset >= this.#logEndOffset) {
        // An epoch that was led here without a record would make the logs seem to differ for ever.
        this.#epochs.truncateEnd(this.#logEndOffset)
        return this.#epochs.flush()
      }
      if (offset <= this.#logStartOffset) return this.#restart(Math.min(offset, this.#logStartOffset))
      await this.#flusher.lowerTo(offset)
      this.#writeStaged()
      this.#cutFiles(offset)
      await this.#active.flush()
      await this.#afterCut()
    })
  }

  /** Drops all records; the next one gets `offset`. */
  truncateFullyAndStartAt(offset: number): Promise<void> {
    return this.#exclusive(() => this.#restart(offset))
  }

  async #restart(offset: number): Promise<void> {
    this.#writeStaged()
    await this.#flusher.lowerTo(Math.min(offset, this.#logStartOffset))
    this.#writeStaged()
    this.#restartFiles(offset)
    this.#logStartOffset = offset
    this.#epochs.truncateEnd(0)
    await this.#afterCut()
    await this.#o.checkpoint()
  }

  #cutFiles(offset: number): void {
    while (this.#segments.length > 1 && this.#active.baseOffset >= offset) this.#segments.pop()!.remove()
    this.#active.truncateTo(offset)
    this.#flusher.namesChanged()
  }

  /** Newest first, so that a crash in between leaves a log that ends early and not one with a hole. */
  #restartFiles(offset: number): void {
    for (const segment of this.#segments.toReversed()) segment.remove()
    this.#snapshots.removeAll()
    this.#segments = [this.#newSegment(offset)]
  }

  async #afterCut(): Promise<void> {
    this.#logEndOffset = this.#active.endOffset
    this.#nextOffset = this.#logEndOffset
    this.#epochs.truncateEnd(this.#logEndOffset)
    this.#flusher.dropSnapshot()
    this.#producers = this.#loadProducers()
    await this.#flusher.syncNames()
    await this.#epochs.flush()
  }

  /** Records before `offset` are no longer readable; segments that hold nothing else are removed. */
  raiseLogStartOffset(offset: number): Promise<void> {
    return this.#exclusive(async () => {
      this.#writeStaged()
      if (offset <= this.#logStartOffset) return
      if (offset > this.#logEndOffset) {
        throw new KafkaError('OFFSET_OUT_OF_RANGE', `the log ends at ${this.#logEndOffset}, before ${offset}`)
      }
      this.#logStartOffset = offset
      this.#epochs.truncateStart(offset)
      await this.#o.checkpoint()
      while (this.#segments.length > 1 && this.#segments[1]!.baseOffset <= offset) {
        this.#segments.shift()!.remove()
        this.#flusher.namesChanged()
      }
      await this.#epochs.flush()
    })
  }

  // Opening and closing

  #loadProducers(): ProducerState {
    const state = this.#snapshots.load(this.#segments, this.#logStartOffset)
    state.expire(this.#o.clock.now() - this.#o.producerExpirationMs)
    return state
  }

  /** Flushes, leaves a producer snapshot at the end, and closes the files. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    await this.#exclusive(async () => {
      this.#writeStaged()
      this.#active.seal()
      this.#flusher.addSnapshot(this.#logEndOffset, this.#producers.encode())
      await this.#flusher.flushNow()
    }).finally(() => this.abandon())
  }

  /** Closes the files without writing anything: what a deleted or failed log is left with. */
  abandon(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#flusher.stop()
    for (const segment of this.#segments) segment.close()
  }

  /** Resolves when nothing is under way any more. */
  async settle(): Promise<void> {
    await this.#queue.close()
    this.#writeStaged()
  }

  #mustBeUsable(): void {
    if (this.#isClosed) {
      throw new KafkaError('KAFKA_STORAGE_ERROR', `the log of ${this.topic}-${this.partition} is closed`)
    }
    this.#o.health.mustBeOnline()
  }

  /** Runs a task that waits for the disk after those before it; its unexpected failure takes the directory offline. */
  #exclusive(task: () => Promise<void>): Promise<void> {
    return this.#queue.run(async () => {
      this.#mustBeUsable()
      try {
        await task()
      } catch (error) {
        throw this.#o.health.failure(this.directory, error)
      }
    })
  }

  #guarded<T>(action: () => T): T {
    try {
      return action()
    } catch (error) {
      throw this.#o.health.failure(this.directory, error)
    }
  }
}

function limitsOf(config: TopicConfig): SegmentLimits {
  return {
    segmentBytes: config.get('segment.bytes'),
    segmentMs: config.get('segment.ms'),
    indexBytes: config.get('segment.index.bytes'),
    indexIntervalBytes: config.get('index.interval.bytes'),
  }
}
