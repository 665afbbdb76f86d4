/**
 * One segment of a partition: `<base offset>.log`, batches one after another, with its offset, time and transaction
 * indexes. An index entry goes before a batch once `index.interval.bytes` were appended since the last one. Indexes are
 * complete in memory or in their files at any time; after a crash `rebuild` makes them anew from the batches.
 * A segment that is opened is not read before it is asked for something: most are not for days.
 */
import type { TopicConfig } from '../config/topic-config.ts'
import { KafkaError } from '../protocol/errors.ts'
import type { BatchView } from '../protocol/record-batch.ts'
import { BatchScanner } from './batch-scanner.ts'
import { CLEANED, type SegmentState } from './file-names.ts'
import type { Files, OpenFile } from './files.ts'
import { SegmentFiles } from './segment-files.ts'
import { SegmentIndexes } from './segment-indexes.ts'
import type { AbortedTransaction } from './transaction-index.ts'

const MAX_RELATIVE_OFFSET = 0x7fff_ffff
/** Between two index entries that are made again for a segment whose index is damaged. */
const REPAIR_INTERVAL_BYTES = 4096

/** Gives memory of a size to read into, for as long as the reader has agreed on with whoever lends it. */
export type Lend = (sizeBytes: number) => Buffer

const allocate: Lend = (sizeBytes) => Buffer.allocUnsafeSlow(sizeBytes)

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
  /** Told what is wrong with a file that was thought to be well. */
  readonly onProblem?: (file: string, problem: string) => void
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
  readonly #modifiedMs: number
  readonly #files: SegmentFiles
  readonly #indexes: SegmentIndexes
  #file: OpenFile | undefined
  #sizeBytes: number
  /** Whether what follows is known; `findEnd` makes it so. */
  #isEndKnown: boolean
  #endOffset: number
  #bytesSinceIndexEntry = 0
  #maxTimestamp = -1
  #maxTimestampOffset: number
  /** The largest timestamp of the first batch, which `segment.ms` counts from; undefined until looked at. */
  #firstTimestamp: number | undefined
  #isDirty = false
  #hasDirtyIndexes = false
  #isSealed = false
  #isGone = false

  /** Makes the files of a new segment. */
  static create(options: SegmentOptions): Segment {
    const segment = new Segment(options, true)
    segment.#open(true)
    segment.#indexes.create()
    return segment
  }

  /** A segment whose files are there. */
  static open(options: SegmentOptions): Segment {
    return new Segment(options, false)
  }

  private constructor(options: SegmentOptions, isNew: boolean) {
    const { files, directory, baseOffset, state = '' } = options
    this.baseOffset = baseOffset
    this.createdMs = options.createdMs
    this.#o = options
    this.#files = new SegmentFiles(files, directory, baseOffset, state)
    this.#indexes = new SegmentIndexes(this.#files, baseOffset)
    const found = isNew ? undefined : files.stat(this.path)
    this.#sizeBytes = found?.sizeBytes ?? 0
    this.#modifiedMs = found?.modifiedMs ?? options.createdMs
    this.#isEndKnown = isNew
    this.#endOffset = baseOffset
    this.#maxTimestampOffset = baseOffset
  }

  get path(): string {
    return this.#files.path('.log')
  }

  #open(create = false): OpenFile {
    if (this.#isGone) throw new KafkaError('OFFSET_OUT_OF_RANGE', `${this.path} was removed meanwhile`)
    this.#file ??= this.#o.files.open(this.path, { create })
    return this.#file
  }

  get sizeBytes(): number {
    return this.#sizeBytes
  }

  /** One past the last offset. */
  get endOffset(): number {
    if (!this.#isEndKnown) this.#learnEnd()
    return this.#endOffset
  }

  /** Largest timestamp of all records; -1 when there are none. */
  get maxTimestamp(): number {
    if (!this.#isEndKnown) this.#learnEnd()
    return this.#maxTimestamp
  }

  /** The same; of a segment whose records have no timestamps, when it was written. */
  get largestTimestamp(): number {
    if (this.maxTimestamp >= 0) return this.#maxTimestamp
    // What compaction has left without records tells in its header when those were written.
    return this.firstTimestamp < 0 ? this.#modifiedMs : this.firstTimestamp
  }

  get offsetIndexBytes(): number {
    return this.#indexes.offsets.file.sizeBytes
  }

  get timeIndexBytes(): number {
    return this.#indexes.times.file.sizeBytes
  }

  /** Whether a batch needs a new segment instead of this one, which is about to get `pendingBytes` more. */
  isFullFor(batch: BatchView, pendingBytes: number, nowMs: number, limits: SegmentLimits): boolean {
    if (batch.lastOffset - this.baseOffset > MAX_RELATIVE_OFFSET) return true
    if (this.#sizeBytes + pendingBytes === 0) return false
    return (
      this.#sizeBytes + pendingBytes + batch.sizeBytes > limits.segmentBytes ||
      this.#isTooOld(nowMs, batch.maxTimestamp, limits) ||
      this.#indexes.isFull(limits.indexBytes)
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
    if (!this.#isEndKnown) this.#learnEnd()
    this.#written()
    this.#open().write(
      batches.map((batch) => batch.bytes),
      this.#sizeBytes,
    )
    for (const batch of batches) this.#account(batch, limits.indexIntervalBytes)
  }

  /** Takes note of a batch that lies at the end of what is known. */
  #account(batch: BatchView, indexIntervalBytes: number): void {
    const { lastOffset, maxTimestamp, sizeBytes } = batch
    if (this.#sizeBytes === 0) this.#firstTimestamp = maxTimestamp
    // A batch without records has none with that time: the index would lead to nothing.
    if (batch.recordCount > 0 && maxTimestamp > this.#maxTimestamp) {
      this.#maxTimestamp = maxTimestamp
      this.#maxTimestampOffset = lastOffset
    }
    if (this.#bytesSinceIndexEntry > indexIntervalBytes) {
      this.#indexes.offsets.append(lastOffset, this.#sizeBytes)
      this.#indexes.times.append(this.#maxTimestamp, this.#maxTimestampOffset)
      this.#bytesSinceIndexEntry = 0
    }
    this.#sizeBytes += sizeBytes
    this.#bytesSinceIndexEntry += sizeBytes
    this.#endOffset = lastOffset + 1
  }

  /** After a failed append: cuts off what it may have written, back to `endOffset`. */
  undoAppend(endOffset: number): void {
    this.#open().truncate(this.#sizeBytes)
    this.truncateTo(endOffset)
    this.#indexes.transactions.truncate(endOffset)
  }

  /** Takes note of a transaction whose abort marker is in the segment, or about to be. */
  addAborted(aborted: AbortedTransaction): void {
    this.#indexes.transactions.append(aborted)
  }

  /** The transactions whose abort marker is in the segment, at `from` or later, in order of the markers. */
  abortedTransactions(from = this.baseOffset): Iterable<AbortedTransaction> {
    return this.#indexes.transactions.entriesFrom(from)
  }

  /** Walks the batches from `position`, where one begins. */
  scan(position: number): BatchScanner {
    return new BatchScanner(this.#open(), position, this.#sizeBytes)
  }

  /** Where the batch begins that holds `offset`, or the first after it; the segment's size when there is none. */
  positionOf(offset: number): number {
    if (offset >= this.endOffset) return this.#sizeBytes
    const scanner = this.scan(this.#indexes.offsets.lookup(offset).position)
    for (;;) {
      const start = scanner.position
      const batch = scanner.nextHeader()
      if (batch === undefined || batch.lastOffset >= offset) return start
    }
  }

  /** The bytes from `position` on, at most `maxBytes`. */
  read(position: number, maxBytes: number, lend: Lend = allocate): Buffer {
    const bytes = lend(Math.max(0, Math.min(maxBytes, this.#sizeBytes - position)))
    const count = this.#open().read(bytes, position)
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
    if (!this.#isEndKnown) this.#learnEnd()
    const before = this.#indexes.times.before(timestamp)
    return before === undefined ? 0 : this.positionOf(before.offset)
  }

  /** The end of a segment that was flushed as a whole: a damaged index is made anew, damaged batches are left. */
  #learnEnd(): void {
    let problem = this.findEnd()
    if (!this.#isEndKnown) {
      this.#o.onProblem?.(this.path, `${problem}; making it anew`)
      problem = this.#reindex()
    }
    if (problem !== undefined) this.#o.onProblem?.(this.path, problem)
    this.#isEndKnown = true
  }

  /** Finds the end by walking from the last index entry. Returns what is wrong, undefined when all is well. */
  findEnd(): string | undefined {
    const implausible = this.#indexes.problem(this.#sizeBytes)
    if (implausible !== undefined) return implausible
    const { offsets, times } = this.#indexes
    this.#isEndKnown = true
    this.#endOffset = offsets.file.count === 0 ? this.baseOffset : offsets.last.offset + 1
    this.#maxTimestamp = times.last?.timestamp ?? -1
    this.#maxTimestampOffset = times.last?.offset ?? this.baseOffset
    const scanner = this.scan(offsets.last.position)
    this.#bytesSinceIndexEntry = this.#sizeBytes - scanner.position
    for (let batch = scanner.nextHeader(); batch !== undefined; batch = scanner.nextHeader()) {
      this.#endOffset = batch.lastOffset + 1
      if (batch.recordCount > 0 && batch.maxTimestamp > this.#maxTimestamp) {
        this.#maxTimestamp = batch.maxTimestamp
        this.#maxTimestampOffset = batch.lastOffset
      }
    }
    return scanner.problem
  }

  /** Makes the offset and time index anew from the headers of the batches. Returns what is wrong with those. */
  #reindex(): string | undefined {
    const fileBytes = this.#sizeBytes
    this.#indexes.offsets.file.truncate(0)
    this.#indexes.times.file.truncate(0)
    this.#forget()
    const scanner = new BatchScanner(this.#open(), 0, fileBytes)
    for (let batch = scanner.nextHeader(); batch !== undefined; batch = scanner.nextHeader()) {
      this.#account(batch, REPAIR_INTERVAL_BYTES)
    }
    this.#hasDirtyIndexes = true
    this.seal()
    this.#sizeBytes = fileBytes
    return scanner.problem
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
    const fileBytes = this.#open().size()
    this.#written()
    this.#indexes.clear()
    this.#forget()
    const scanner = new BatchScanner(this.#open(), 0, fileBytes)
    let problem: string | undefined
    for (let batch = scanner.nextIntact(); batch !== undefined; batch = scanner.nextIntact()) {
      if (batch.baseOffset < this.#endOffset) {
        problem = `the batch at byte ${this.#sizeBytes} begins with offset ${batch.baseOffset}, expected at least ${this.#endOffset}`
        break
      }
      this.#account(batch, indexIntervalBytes)
      const aborted = onBatch(batch)
      if (aborted !== undefined) this.addAborted(aborted)
    }
    if (this.#sizeBytes < fileBytes) this.#open().truncate(this.#sizeBytes)
    return { truncatedBytes: fileBytes - this.#sizeBytes, problem: problem ?? scanner.problem }
  }

  #forget(): void {
    this.#isEndKnown = true
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
    this.#open().truncate(position)
    this.#sizeBytes = position
    this.#indexes.truncate(position, offset)
    this.#firstTimestamp = undefined
    this.findEnd()
  }

  /** Completes the indexes, as a segment that is closed has them: the time index ends with the largest timestamp. */
  seal(): void {
    this.#isSealed = true
    if (!this.#isEndKnown) return
    const { times } = this.#indexes
    if (this.#maxTimestamp > (times.last?.timestamp ?? -1)) {
      this.#hasDirtyIndexes = true
      times.append(this.#maxTimestamp, this.#maxTimestampOffset)
    }
    this.#indexes.writePending()
  }

  /** Makes everything appended so far survive a crash; of an open segment not the indexes, which are rebuilt then. */
  async flush(): Promise<void> {
    const withIndexes = this.#isSealed && this.#hasDirtyIndexes
    const withBatches = this.#isDirty
    this.#isDirty = false
    if (withIndexes) this.#hasDirtyIndexes = false
    if (withBatches) await this.#open().sync()
    if (!withIndexes) return
    try {
      await this.#indexes.flush()
    } catch (error) {
      this.#hasDirtyIndexes = true
      throw error
    }
  }

  /** Closes the files; a later use opens them again. */
  close(): void {
    this.#file?.close()
    this.#file = undefined
    this.#indexes.close()
  }

  /** Gives all files the names of another state; the segment goes on with them. */
  changeState(state: SegmentState): void {
    this.close()
    this.#files.changeState(state)
  }

  /** Closes the files and gives them names under which they are not read any more; returns those names. */
  markDeleted(): string[] {
    this.close()
    this.#isGone = true
    return this.#files.markDeleted()
  }

  /** Closes and removes the segment's files. */
  remove(): void {
    this.close()
    this.#isGone = true
    this.#files.remove()
  }

  /** Closes the segment and keeps its batches under another name, which it returns. */
  setAside(): string {
    this.close()
    this.#isGone = true
    return this.#files.setAside()
  }
}

/** An empty segment for the cleaner to fill; what an interrupted cleaning left under its name is removed. */
export function newCleanedSegment(options: Omit<SegmentOptions, 'state'>): Segment {
  const { files, directory, baseOffset } = options
  new SegmentFiles(files, directory, baseOffset, CLEANED).remove()
  return Segment.create({ ...options, state: CLEANED })
}
