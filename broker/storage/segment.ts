/**
 * One segment of a partition: `<base offset>.log`, batches one after another, with its offset, time and transaction
 * indexes. An index entry goes before a batch once `index.interval.bytes` were appended since the last one. Indexes are
 * complete in memory or in their files at any time; after a crash `rebuild` makes them anew from the batches.
 */
import type { TopicConfig } from '../config/topic-config.ts'
import type { BatchView } from '../protocol/record-batch.ts'
import { BatchScanner } from './batch-scanner.ts'
import {
  CLEANED,
  DELETED,
  offsetFileName,
  SEGMENT_SUFFIXES,
  type SegmentState,
  type SegmentSuffix,
} from './file-names.ts'
import type { Files, OpenFile } from './files.ts'
import type { IndexFile } from './index-file.ts'
import { OffsetIndex } from './offset-index.ts'
import { TimeIndex } from './time-index.ts'
import { type AbortedTransaction, TransactionIndex } from './transaction-index.ts'

const MAX_RELATIVE_OFFSET = 0x7fff_ffff

export interface SegmentLimits {
  readonly segmentBytes: number
  /** Age at which a segment is closed. */
  readonly segmentMs: number
  /** What a segment may randomly take off that, so that segments do not all roll at once. */
  readonly jitterMs: number
  readonly indexBytes: number
  readonly indexIntervalBytes: number
}

export function segmentLimits(config: TopicConfig): SegmentLimits {
  const isCompacted = config.get('cleanup.policy').includes('compact')
  return {
    segmentBytes: config.get('segment.bytes'),
    // Only closed segments are compacted, so one may not stay open for longer than its records may wait.
    segmentMs: Math.min(
      config.get('segment.ms'),
      isCompacted ? config.get('max.compaction.lag.ms') : Infinity,
    ),
    jitterMs: Math.min(config.get('segment.jitter.ms'), config.get('segment.ms')),
    indexBytes: config.get('segment.index.bytes'),
    indexIntervalBytes: config.get('index.interval.bytes'),
  }
}

export interface SegmentOptions {
  readonly files: Files
  readonly directory: string
  readonly baseOffset: number
  readonly createdMs: number
  /** From 0 to 1: how much of the jitter this segment takes. */
  readonly jitter?: number
  readonly state?: SegmentState
}

export interface RebuildResult {
  /** Bytes cut off the end, and why; 0 and undefined when all was well. */
  readonly truncatedBytes: number
  readonly problem: string | undefined
}

export class Segment {
  readonly baseOffset: number
  readonly createdMs: number
  readonly #o: SegmentOptions
  #file: OpenFile
  readonly #offsetIndex: OffsetIndex
  readonly #timeIndex: TimeIndex
  readonly #transactionIndex: TransactionIndex
  #state: SegmentState
  #sizeBytes: number
  #endOffset: number
  #bytesSinceIndexEntry = 0
  #isDirty = false
  #hasDirtyIndexes = false
  #isSealed = false
  #maxTimestamp: number
  #maxTimestampOffset: number
  /** The largest timestamp of the first batch, which `segment.ms` counts from; undefined until looked at. */
  #firstTimestamp: number | undefined

  /** Opens the segment's files, or makes them. `findEnd` or `rebuild` must follow when there were any. */
  constructor(options: SegmentOptions) {
    this.baseOffset = options.baseOffset
    this.createdMs = options.createdMs
    this.#o = options
    this.#state = options.state ?? ''
    const { files, baseOffset } = options
    this.#file = files.open(this.#path('.log'), { create: true })
    this.#sizeBytes = this.#file.size()
    this.#offsetIndex = new OffsetIndex(files, this.#path('.index'), baseOffset)
    this.#timeIndex = new TimeIndex(files, this.#path('.timeindex'), baseOffset)
    this.#transactionIndex = new TransactionIndex(files, this.#path('.txnindex'))
    this.#endOffset = baseOffset
    this.#maxTimestamp = this.#timeIndex.last?.timestamp ?? -1
    this.#maxTimestampOffset = this.#timeIndex.last?.offset ?? baseOffset
  }

  #path(suffix: SegmentSuffix, state: string = this.#state): string {
    return `${this.#o.directory}/${offsetFileName(this.baseOffset, suffix)}${state}`
  }

  get path(): string {
    return this.#file.path
  }

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  /** One past the last offset. */
  get endOffset(): number {
    return this.#endOffset
  }

  /** Largest timestamp of all records; -1 when there are none. */
  get maxTimestamp(): number {
    return this.#maxTimestamp
  }

  /** The same; of a segment whose records have no timestamps, when it was made. */
  get largestTimestamp(): number {
    return this.#maxTimestamp < 0 ? this.createdMs : this.#maxTimestamp
  }

  get offsetIndexBytes(): number {
    return this.#offsetIndex.file.sizeBytes
  }

  get timeIndexBytes(): number {
    return this.#timeIndex.file.sizeBytes
  }

  /** Whether a batch needs a new segment instead of this one, which is about to get `pendingBytes` more. */
  isFullFor(batch: BatchView, pendingBytes: number, nowMs: number, limits: SegmentLimits): boolean {
    if (batch.lastOffset - this.baseOffset > MAX_RELATIVE_OFFSET) return true
    if (this.#sizeBytes + pendingBytes === 0) return false
    return (
      this.#sizeBytes + pendingBytes + batch.sizeBytes > limits.segmentBytes ||
      this.#isTooOld(nowMs, batch.maxTimestamp, limits) ||
      this.#offsetIndex.isFull(limits.indexBytes) ||
      this.#timeIndex.isFull(limits.indexBytes)
    )
  }

  /** Whether the segment has been written to for `segment.ms` by the clock, whatever comes next. */
  isDue(nowMs: number, limits: SegmentLimits): boolean {
    return this.#sizeBytes > 0 && this.#isTooOld(nowMs, nowMs, limits)
  }

  /** Ages are told by the records' own time, from the first batch on; without timestamps by the clock. */
  #isTooOld(nowMs: number, newestMs: number, limits: SegmentLimits): boolean {
    const first = this.firstTimestamp
    const ageMs = first >= 0 && newestMs >= 0 ? newestMs - first : nowMs - this.createdMs
    return ageMs > limits.segmentMs - Math.floor((this.#o.jitter ?? 0) * limits.jitterMs)
  }

  /** Largest timestamp of the first batch; -1 when there is none. */
  get firstTimestamp(): number {
    this.#firstTimestamp ??= this.scan(0).nextHeader()?.maxTimestamp
    return this.#firstTimestamp ?? -1
  }

  /** Whether something was written that a crash may take. */
  get isDirty(): boolean {
    return this.#isDirty || (this.#isSealed && this.#hasDirtyIndexes)
  }

  #written(): void {
    this.#isDirty = true
    this.#hasDirtyIndexes = true
    this.#isSealed = false
  }

  /** Appends batches whose offsets are assigned, in one write. */
  append(batches: readonly BatchView[], limits: SegmentLimits): void {
    this.#written()
    this.#file.write(
      batches.map((batch) => batch.bytes),
      this.#sizeBytes,
    )
    for (const batch of batches) this.#account(batch, limits.indexIntervalBytes)
  }

  /** Takes note of a batch that lies at the end of what is known. */
  #account(batch: BatchView, indexIntervalBytes: number): void {
    const { lastOffset, maxTimestamp, sizeBytes } = batch
    if (this.#sizeBytes === 0) this.#firstTimestamp = maxTimestamp
    if (maxTimestamp > this.#maxTimestamp) {
      this.#maxTimestamp = maxTimestamp
      this.#maxTimestampOffset = lastOffset
    }
    if (this.#bytesSinceIndexEntry > indexIntervalBytes) {
      this.#offsetIndex.append(lastOffset, this.#sizeBytes)
      this.#timeIndex.append(this.#maxTimestamp, this.#maxTimestampOffset)
      this.#bytesSinceIndexEntry = 0
    }
    this.#sizeBytes += sizeBytes
    this.#bytesSinceIndexEntry += sizeBytes
    this.#endOffset = lastOffset + 1
  }

  /** Takes note of a transaction whose abort marker is in the segment, or about to be. */
  addAborted(aborted: AbortedTransaction): void {
    this.#transactionIndex.append(aborted)
  }

  /** The transactions whose abort marker is in the segment, at `from` or later, in order of the markers. */
  abortedTransactions(from = this.baseOffset): Iterable<AbortedTransaction> {
    return this.#transactionIndex.entriesFrom(from)
  }

  /** Walks the batches from `position`, where one begins. */
  scan(position: number): BatchScanner {
    return new BatchScanner(this.#file, position, this.#sizeBytes)
  }

  /** Where the batch begins that holds `offset`, or the first after it; the segment's size when there is none. */
  positionOf(offset: number): number {
    if (offset >= this.#endOffset) return this.#sizeBytes
    const scanner = this.scan(this.#offsetIndex.lookup(offset).position)
    for (;;) {
      const start = scanner.position
      const batch = scanner.nextHeader()
      if (batch === undefined || batch.lastOffset >= offset) return start
    }
  }

  /** The bytes from `position` on, at most `maxBytes`. */
  read(position: number, maxBytes: number): Buffer {
    const bytes = Buffer.allocUnsafeSlow(Math.max(0, Math.min(maxBytes, this.#sizeBytes - position)))
    const count = this.#file.read(bytes, position)
    return bytes.subarray(0, count)
  }

  /** The whole batch that begins at `position`. */
  batchAt(position: number): BatchView | undefined {
    const scanner = this.scan(position)
    const header = scanner.nextHeader()
    return header === undefined ? undefined : scanner.batchAt(position, header.sizeBytes)
  }

  /** From where on to look for records at or after `timestamp`. */
  positionForTimestamp(timestamp: number): number {
    const before = this.#timeIndex.before(timestamp)
    return before === undefined ? 0 : this.positionOf(before.offset)
  }

  /** Finds the end by walking from the last index entry. Returns what is wrong, undefined when all is well. */
  findEnd(): string | undefined {
    const implausible = this.#indexProblem()
    if (implausible !== undefined) return implausible
    const scanner = this.scan(this.#offsetIndex.last.position)
    this.#endOffset = this.#offsetIndex.file.count === 0 ? this.baseOffset : this.#offsetIndex.last.offset + 1
    this.#bytesSinceIndexEntry = this.#sizeBytes - scanner.position
    for (let batch = scanner.nextHeader(); batch !== undefined; batch = scanner.nextHeader()) {
      this.#endOffset = batch.lastOffset + 1
      if (batch.maxTimestamp > this.#maxTimestamp) {
        this.#maxTimestamp = batch.maxTimestamp
        this.#maxTimestampOffset = batch.lastOffset
      }
    }
    return scanner.problem
  }

  #indexProblem(): string | undefined {
    if (!this.#offsetIndex.isPlausible(this.#sizeBytes)) return 'the offset index does not fit the segment'
    if (!this.#timeIndex.isPlausible()) return 'the time index does not fit the segment'
    if (!this.#transactionIndex.isPlausible(this.baseOffset)) return 'the transaction index is damaged'
    return undefined
  }

  /**
   * Reads all batches, makes the indexes anew and cuts the file at the first batch that is torn, has a wrong
   * checksum or does not follow the one before it. `onBatch` sees each batch that stays, and tells which transaction
   * it aborts.
   */
  rebuild(
    indexIntervalBytes: number,
    onBatch: (batch: BatchView) => AbortedTransaction | undefined,
  ): RebuildResult {
    const fileBytes = this.#file.size()
    this.#written()
    const scanner = new BatchScanner(this.#file, 0, fileBytes)
    this.#forget()
    let problem: string | undefined
    for (let batch = scanner.nextIntact(); batch !== undefined; batch = scanner.nextIntact()) {
      if (batch.baseOffset < this.#endOffset) {
        problem = `the batch at byte ${this.#sizeBytes} begins with offset ${batch.baseOffset}, expected at least ${this.#endOffset}`
        break
      }
      this.#account(batch, indexIntervalBytes)
      const aborted = onBatch(batch)
      if (aborted !== undefined) this.#transactionIndex.append(aborted)
    }
    if (this.#sizeBytes < fileBytes) this.#file.truncate(this.#sizeBytes)
    return { truncatedBytes: fileBytes - this.#sizeBytes, problem: problem ?? scanner.problem }
  }

  #forget(): void {
    this.#offsetIndex.file.truncate(0)
    this.#timeIndex.file.truncate(0)
    this.#transactionIndex.file.truncate(0)
    this.#sizeBytes = 0
    this.#endOffset = this.baseOffset
    this.#bytesSinceIndexEntry = 0
    this.#maxTimestamp = -1
    this.#maxTimestampOffset = this.baseOffset
    this.#firstTimestamp = undefined
  }

  /** Drops the batch that holds `offset` and all after it. */
  truncateTo(offset: number): void {
    const position = this.positionOf(offset)
    if (position === this.#sizeBytes) return
    this.#written()
    this.#file.truncate(position)
    this.#sizeBytes = position
    this.#offsetIndex.truncate(position)
    this.#timeIndex.truncate(offset)
    this.#transactionIndex.truncate(offset)
    this.#maxTimestamp = this.#timeIndex.last?.timestamp ?? -1
    this.#maxTimestampOffset = this.#timeIndex.last?.offset ?? this.baseOffset
    this.#firstTimestamp = undefined
    this.findEnd()
  }

  /** Completes the indexes: nothing is appended for now. The time index ends with the largest timestamp. */
  seal(): void {
    this.#isSealed = true
    this.#hasDirtyIndexes ||= this.#maxTimestamp > (this.#timeIndex.last?.timestamp ?? -1)
    this.#timeIndex.append(this.#maxTimestamp, this.#maxTimestampOffset)
    for (const { file } of this.#indexes) file.writePending()
  }

  get #indexes(): readonly { readonly file: IndexFile }[] {
    return [this.#offsetIndex, this.#timeIndex, this.#transactionIndex]
  }

  /** Makes everything appended so far survive a crash; of an open segment not the indexes, which are rebuilt then. */
  async flush(): Promise<void> {
    const withIndexes = this.#isSealed && this.#hasDirtyIndexes
    const withBatches = this.#isDirty
    this.#isDirty = false
    if (withIndexes) this.#hasDirtyIndexes = false
    if (withBatches) await this.#file.sync()
    if (withIndexes) for (const { file } of this.#indexes) await file.flush()
  }

  close(): void {
    this.#file.close()
    for (const { file } of this.#indexes) file.close()
  }

  /** Gives all files the names of another state; the segment goes on with them. */
  changeState(state: SegmentState): void {
    this.close()
    for (const suffix of this.#suffixesThere()) {
      this.#o.files.rename(this.#path(suffix), this.#path(suffix, state))
    }
    this.#state = state
    this.#file = this.#o.files.open(this.#path('.log'))
    this.#offsetIndex.file.renamed(this.#path('.index'))
    this.#timeIndex.file.renamed(this.#path('.timeindex'))
    this.#transactionIndex.file.renamed(this.#path('.txnindex'))
  }

  #suffixesThere(): SegmentSuffix[] {
    return SEGMENT_SUFFIXES.filter((suffix) => this.#o.files.exists(this.#path(suffix)))
  }

  /** Closes the files and gives them names under which they are not read any more; returns those names. */
  markDeleted(): string[] {
    this.close()
    return this.#suffixesThere().map((suffix) => {
      const deleted = `${this.#path(suffix, '')}${DELETED}`
      this.#o.files.rename(this.#path(suffix), deleted)
      return deleted
    })
  }

  /** Closes and removes the segment's files. */
  remove(): void {
    this.close()
    for (const suffix of SEGMENT_SUFFIXES) this.#o.files.remove(this.#path(suffix))
  }
}

/** An empty segment for the cleaner to fill; what an interrupted cleaning left under its name is removed. */
export function newCleanedSegment(options: Omit<SegmentOptions, 'state'>): Segment {
  const { files, directory, baseOffset } = options
  for (const suffix of SEGMENT_SUFFIXES) {
    files.remove(`${directory}/${offsetFileName(baseOffset, suffix)}${CLEANED}`)
  }
  return new Segment({ ...options, state: CLEANED })
}
