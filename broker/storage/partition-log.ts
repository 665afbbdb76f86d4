/**
 * The records of one partition: segments, leader epochs, producers. One owner, one order:
 *
 *   append   checks and stamps at once, then waits for the end of the turn of the event loop (log-writer.ts)
 *   logEndOffset  moves with the write, so readers see only what is in the file
 *   flush (log-flusher.ts), truncation and removal (log-bounds.ts)  one at a time in a queue, since they wait for the
 *            disk
 */
import type { TopicConfig } from '../config/topic-config.ts'
import { KafkaError } from '../protocol/errors.ts'
import { type BatchView, stampBatch } from '../protocol/record-batch.ts'
import { type AppendInfo, appendInfo } from './append-info.ts'
import { AppendPreparation } from './append-preparation.ts'
import { checkReplicated } from './append-rules.ts'
import { type EpochEnd, LeaderEpochs } from './leader-epochs.ts'
import { LogBounds } from './log-bounds.ts'
import { LogFlusher } from './log-flusher.ts'
import { LogGuard } from './log-guard.ts'
import {
  abortedTransactionsIn,
  NO_RECORDS,
  readBatches,
  sizeOfBatches,
  type ReadResult,
} from './log-reader.ts'
import { LogSegments } from './log-segments.ts'
import { LogWriter } from './log-writer.ts'
import type { PartitionLogOptions } from './partition-log-options.ts'
import { encodeSnapshot } from './producer-snapshot.ts'
import { ProducerSnapshots } from './producer-snapshots.ts'
import type { ActiveProducer, AppendOrigin, ProducerState } from './producer-state.ts'
import { beginLog, loadProducers, recoverSegments } from './recovery.ts'
import { type Lend, type Segment, type SegmentLimits, segmentLimits } from './segment.ts'
import { findByTimestamp, findMaxTimestamp, type FoundRecord } from './timestamp-search.ts'
import type { AbortedTransaction } from './transaction-index.ts'

export class PartitionLog {
  readonly topic: string
  readonly partition: number
  readonly topicId: string
  readonly directory: string
  readonly #o: PartitionLogOptions
  readonly #epochs: LeaderEpochs
  readonly #snapshots: ProducerSnapshots
  readonly #segments: LogSegments
  readonly #writer: LogWriter
  readonly #flusher: LogFlusher
  readonly #bounds: LogBounds
  readonly #guard: LogGuard
  readonly #preparation = new AppendPreparation()
  #topicConfig: TopicConfig
  #limits: SegmentLimits
  #highWatermark = 0
  #compactedUpTo: number

  /** Opens what is in the directory, recovering it if need be; an empty one becomes an empty log. */
  static async open(options: PartitionLogOptions): Promise<PartitionLog> {
    try {
      const log = new PartitionLog(options)
      await log.#flusher.flushNow()
      return log
    } catch (error) {
      throw options.health.failure(options.directory, error)
    }
  }

  private constructor(options: PartitionLogOptions) {
    const { topicConfig, files, directory, logger, clock, checkpoint } = options
    this.#o = options
    this.#guard = new LogGuard(options.health, options.directory)
    this.topic = options.topic
    this.partition = options.partition
    this.topicId = options.topicId
    this.directory = directory
    this.#topicConfig = topicConfig
    this.#limits = segmentLimits(topicConfig)
    this.#epochs = new LeaderEpochs(files, directory)
    this.#snapshots = new ProducerSnapshots(files, directory, logger)
    const parts = { epochs: this.#epochs, snapshots: this.#snapshots }
    const { indexIntervalBytes } = this.#limits
    const found = recoverSegments({ ...options, ...parts, nowMs: clock.now(), indexIntervalBytes })
    const deleteDelayMs = (): number => this.#topicConfig.get('file.delete.delay.ms')
    this.#segments = new LogSegments({ ...options, deleteDelayMs }, found.segments)
    if (found.changed) this.#segments.namesChanged()
    const startOffset = beginLog({ ...parts, segments: this.#segments }, options.logStartOffset)
    const endOffset = this.#segments.active.endOffset
    // Where the end is lost, nobody knows which part of what will be there is compacted.
    this.#compactedUpTo = options.compactedUpTo > endOffset ? 0 : options.compactedUpTo
    this.#writer = new LogWriter(
      {
        ...options,
        ...parts,
        segments: this.#segments,
        limits: () => this.#limits,
        mustBeUsable: () => this.#guard.mustBeUsable(),
        loadProducers: () => this.#loadProducers(this.logStartOffset),
        onRoll: () => this.#flusher.flushInBackground(),
      },
      endOffset,
      this.#loadProducers(startOffset),
    )
    const recovered = found.changed ? Math.min(options.recoveryPoint, endOffset) : endOffset
    const exclusive = (task: () => Promise<void>): Promise<void> => this.#guard.exclusive(task)
    const tail = { ...options, ...parts, segments: this.#segments, writer: this.#writer }
    this.#flusher = new LogFlusher({ ...tail, exclusive }, recovered)
    const producersAt = (logStartOffset: number): ProducerState => this.#loadProducers(logStartOffset)
    this.#bounds = new LogBounds(
      { ...tail, flusher: this.#flusher, loadProducers: producersAt, checkpoint },
      startOffset,
    )
  }

  #loadProducers(logStartOffset: number): ProducerState {
    const { all, active } = this.#segments
    const state = loadProducers(all, this.#snapshots, logStartOffset, active.endOffset)
    state.expire(this.#o.clock.now() - this.#o.producerExpirationMs())
    state.highWatermarkMoved(this.#highWatermark)
    return state
  }

  get logStartOffset(): number {
    return this.#bounds.logStartOffset
  }

  /** One past the last record that is in the file. */
  get logEndOffset(): number {
    return this.#writer.logEndOffset
  }

  /** What every in-sync replica has, as the partition's owner knows it; 0 until it says. */
  get highWatermark(): number {
    return this.#highWatermark
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
    return this.#segments.sizeBytes
  }

  /** First offset of the first segment: a start offset above it needs a checkpoint. */
  get firstSegmentOffset(): number {
    return this.#segments.all[0]!.baseOffset
  }

  get topicConfig(): TopicConfig {
    return this.#topicConfig
  }

  get limits(): SegmentLimits {
    return this.#limits
  }

  updateConfig(topicConfig: TopicConfig): void {
    this.#topicConfig = topicConfig
    this.#limits = segmentLimits(topicConfig)
  }

  // Appending

  /**
   * Gives a batch its offsets and the leader's epoch, in place, and appends it; resolves once it is in the file.
   * A batch that an idempotent producer repeats is answered with the offsets of its first appearance.
   * Rejects with what AppendPreparation and the rules for producers say, or KAFKA_STORAGE_ERROR.
   */
  async appendAsLeader(
    records: Buffer,
    leaderEpoch: number,
    options: { origin?: AppendOrigin } = {},
  ): Promise<AppendInfo> {
    this.#guard.mustBeUsable()
    const origin = options.origin ?? 'client'
    const toAppend = { records, origin, config: this.#topicConfig, nowMs: this.#o.clock.now() }
    return this.#preparation.run(toAppend, (batch) => this.#appendPrepared(batch, leaderEpoch, origin))
  }

  async #appendPrepared(batch: BatchView, leaderEpoch: number, origin: AppendOrigin): Promise<AppendInfo> {
    this.#guard.mustBeUsable()
    const repeated = batch.producerId < 0 ? undefined : this.#writer.producers.check(batch, origin)
    if (repeated !== undefined) {
      await this.#writer.settled()
      const { firstOffset, lastOffset, timestamp } = repeated
      return {
        ...appendInfo(batch, { baseOffset: firstOffset, lastOffset, logStartOffset: this.logStartOffset }),
        logAppendTimeMs: timestamp,
        duplicate: true,
      }
    }
    if (origin === 'client') this.#o.health.mustHaveRoom()
    else this.#o.health.mustHaveSpace()
    const usesAppendTime = this.#topicConfig.get('message.timestamp.type') === 'LogAppendTime'
    if (usesAppendTime) batch.stampAppendTime(this.#o.clock.now())
    const baseOffset = this.#writer.nextOffset
    stampBatch(batch.buffer, batch.position, baseOffset, leaderEpoch)
    await this.#append([batch])
    const { lastOffset } = batch
    return appendInfo(batch, { baseOffset, lastOffset, logStartOffset: this.logStartOffset })
  }

  /**
   * Appends what a leader's log holds, offsets and epochs kept; a partial batch at the end is ignored. A log without
   * records begins with the first batch, even if that begins before: the leader's log may begin inside of it.
   * Rejects with CORRUPT_MESSAGE for a damaged batch or one that begins before this log's end.
   */
  async appendAsFollower(records: Buffer): Promise<void> {
    this.#guard.mustBeUsable()
    this.#o.health.mustHaveSpace()
    const { nextOffset } = this.#writer
    const isEmpty = this.logStartOffset === nextOffset
    const batches = checkReplicated(records, isEmpty ? 0 : nextOffset)
    const [first] = batches
    if (first === undefined) return
    if (first.baseOffset < nextOffset) await this.truncateFullyAndStartAt(first.baseOffset)
    await this.#append(batches)
  }

  async #append(batches: readonly BatchView[]): Promise<void> {
    await this.#writer.stage(batches)
    await this.#flusher.flushIfDue(this.#topicConfig)
  }

  // Reading

  /**
   * Whole batches from the one that holds `offset` on, all below `upTo`, at most `maxBytes`; with `minOneBatch` the
   * first one even if larger. `lend` gives the memory, which the records are in for as long as it is lent. Throws
   * OFFSET_OUT_OF_RANGE, KAFKA_STORAGE_ERROR.
   */
  read(
    offset: number,
    maxBytes: number,
    options: { upTo: number; minOneBatch: boolean; lend?: Lend | undefined },
  ): ReadResult {
    const end = this.#readableTo(offset, options.upTo)
    if (offset >= end) return NO_RECORDS
    const { minOneBatch, lend } = options
    return this.#guard.run(() =>
      readBatches(this.#segments.all, { offset, end, maxBytes, minOneBatch, lend }),
    )
  }

  /** How many bytes `read` would find, were there no limit; throws the same. */
  readableBytes(offset: number, upTo: number): number {
    const end = this.#readableTo(offset, upTo)
    return offset >= end ? 0 : this.#guard.run(() => sizeOfBatches(this.#segments.all, offset, end))
  }

  #readableTo(offset: number, upTo: number): number {
    this.#guard.mustBeUsable()
    if (offset >= this.logStartOffset && offset <= this.logEndOffset) return Math.min(upTo, this.logEndOffset)
    throw new KafkaError(
      'OFFSET_OUT_OF_RANGE',
      `${this.topic}-${this.partition}: offset ${offset}; the log has ${this.logStartOffset} to ${this.logEndOffset}`,
    )
  }

  /** The first record at or after `timestampMs`, below `upTo`. */
  offsetForTimestamp(timestampMs: number, upTo: number): FoundRecord | undefined {
    this.#guard.mustBeUsable()
    const range = { startOffset: this.logStartOffset, endOffset: Math.min(upTo, this.logEndOffset) }
    return this.#guard.run(() => findByTimestamp(this.#segments.all, timestampMs, range))
  }

  /** The first record with the largest timestamp; undefined in an empty log. */
  maxTimestampOffset(): FoundRecord | undefined {
    this.#guard.mustBeUsable()
    const range = { startOffset: this.logStartOffset, endOffset: this.logEndOffset }
    return this.#guard.run(() => findMaxTimestamp(this.#segments.all, range))
  }

  // Producers and transactions

  /** What every in-sync replica has: markers below it have decided their transactions for good. */
  updateHighWatermark(offset: number): void {
    this.#highWatermark = offset
    this.#writer.producers.highWatermarkMoved(offset)
  }

  /** Where the earliest transaction begins that is open, or whose marker is not below the high watermark yet. */
  get firstUnstableOffset(): number | undefined {
    const first = this.#writer.producers.firstUnstableOffset
    return first === undefined ? undefined : Math.max(first, this.logStartOffset)
  }

  /** What readers of committed records may read: the high watermark, or an earlier undecided transaction. */
  get lastStableOffset(): number {
    return Math.min(this.#highWatermark, this.firstUnstableOffset ?? Infinity)
  }

  /** The aborted transactions with records from `from` on and below `upTo`, in order of their markers. */
  abortedTransactions(from: number, upTo: number): AbortedTransaction[] {
    this.#guard.mustBeUsable()
    return this.#guard.run(() => abortedTransactionsIn(this.#segments.all, from, upTo))
  }

  activeProducers(): ActiveProducer[] {
    return this.#writer.producers.activeProducers()
  }

  /** Forgets the producers that wrote nothing for `producer.id.expiration.ms`. */
  expireProducers(): void {
    this.#writer.producers.expire(this.#o.clock.now() - this.#o.producerExpirationMs())
  }

  // Leader epochs

  /** Where `epoch` ends, or the largest known epoch before it; (-1, -1) when not known (KIP-279). */
  endOffsetForEpoch(epoch: number): EpochEnd {
    return this.#epochs.endOf(epoch, this.logEndOffset)
  }

  /** The epoch of the record at `offset`; -1 when not known. */
  epochAt(offset: number): number {
    return this.#epochs.epochAt(offset)
  }

  /** A leader of `epoch` begins to write at `startOffset`. */
  assignEpoch(epoch: number, startOffset: number): void {
    this.#epochs.assign(epoch, startOffset)
  }

  // Flushing, truncation, segments

  /** Makes everything appended so far survive a crash of the machine. */
  flush(): Promise<void> {
    return this.#flusher.flush()
  }

  /** Drops all records from `offset` on; a batch that spans it goes as a whole, so the log may end earlier. */
  truncateTo(offset: number): Promise<void> {
    return this.#cut(() => this.#bounds.truncateTo(offset))
  }

  /** Drops all records; the next one gets `offset`. */
  truncateFullyAndStartAt(offset: number): Promise<void> {
    return this.#cut(() => this.#bounds.restartAt(offset))
  }

  #cut(task: () => Promise<void>): Promise<void> {
    return this.#guard.exclusive(async () => {
      await task()
      this.#compactedUpTo = Math.min(this.#compactedUpTo, this.logEndOffset)
      this.updateHighWatermark(Math.min(this.#highWatermark, this.logEndOffset))
    })
  }

  /** Records before `offset` are no longer readable; segments that hold nothing else are removed. */
  raiseLogStartOffset(offset: number): Promise<void> {
    return this.#guard.exclusive(() => this.#bounds.raiseStartTo(offset))
  }

  /** Oldest first; the last one is being written to. */
  segments(): readonly Segment[] {
    return this.#segments.all
  }

  /** Closes the active segment if it is older than `segment.ms`; tells whether it was. */
  rollIfDue(nowMs: number): Promise<boolean> {
    return this.#guard.exclusive(async () => {
      this.#writer.write()
      if (!this.#segments.active.isDue(nowMs, this.#limits)) return false
      this.#writer.roll()
      return true
    })
  }

  /**
   * Raises the start of the log and removes the segments before it; at the end of the log the active one goes as
   * well. Resolves to the number of segments removed; their files go after `file.delete.delay.ms`.
   */
  removeSegmentsBefore(offset: number, reason: string): Promise<number> {
    return this.#guard.exclusive(() => this.#bounds.removeSegmentsBefore(offset, reason))
  }

  /** An empty segment that no reader sees, for `replaceSegments`. */
  newCleanedSegment(baseOffset: number): Segment {
    this.#guard.mustBeUsable()
    return this.#guard.run(() => this.#segments.newCleaned(baseOffset))
  }

  /**
   * Puts `cleaned`, made by newCleanedSegment, in the place of `old`, a run of segments without the active one; a
   * crash leaves the ones or the others. Rejects with SegmentsChangedError when the run is not there any more; the
   * cleaned ones are removed then.
   */
  replaceSegments(old: readonly Segment[], cleaned: readonly Segment[]): Promise<void> {
    return this.#guard.exclusive(() => this.#bounds.replace(old, cleaned))
  }

  /** Everything before it was compacted; 0 when nothing was. What is truncated and written again is not. */
  get compactedUpTo(): number {
    return this.#compactedUpTo
  }

  /** Resolves when a crash does not forget it. */
  async markCompacted(upTo: number): Promise<void> {
    this.#compactedUpTo = Math.min(upTo, this.logEndOffset)
    await this.#o.checkpoint()
  }

  // Closing

  /** False once the log is closed, or its directory offline. */
  get isUsable(): boolean {
    return !this.#guard.isClosed && this.#o.health.isOnline
  }

  /** What to throw for `error`, met while one of the log's files was in use: takes the directory offline. */
  failure(error: unknown): Error {
    return this.#o.health.failure(this.directory, error)
  }

  /** Flushes, leaves a producer snapshot at the end, and closes the files. */
  async close(): Promise<void> {
    if (this.#guard.isClosed) return
    await this.#guard
      .exclusive(async () => {
        this.#writer.write()
        this.#segments.active.seal()
        this.#snapshots.write(this.logEndOffset, encodeSnapshot(this.#writer.producers))
        await this.#flusher.flushNow()
      })
      .finally(() => this.abandon())
  }

  /** Closes the files without writing anything: what a deleted or failed log is left with. */
  abandon(): void {
    if (this.#guard.isClosed) return
    this.#guard.isClosed = true
    this.#flusher.stop()
    this.#segments.close()
  }

  /** Resolves when nothing is under way any more. */
  async settle(): Promise<void> {
    await this.#guard.settle()
    this.#writer.write()
  }
}
