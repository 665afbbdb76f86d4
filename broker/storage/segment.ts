/**
 * One segment of a partition: `<base offset>.log`, batches one after another, with its two indexes.
 * An index entry goes before a batch once `index.interval.bytes` were appended since the last one. Indexes are
 * complete in memory or in their files at any time; after a crash `rebuild` makes them anew from the batches.
 */
import type { BatchView } from '../protocol/record-batch.ts'
import { BatchScanner } from './batch-scanner.ts'
import { offsetFileName, SEGMENT_SUFFIXES } from './file-names.ts'
import type { Files, OpenFile } from './files.ts'
import { OffsetIndex } from './offset-index.ts'
import { TimeIndex } from './time-index.ts'

const MAX_RELATIVE_OFFSET = 0x7fff_ffff

export interface SegmentLimits {
  readonly segmentBytes: number
  readonly segmentMs: number
  readonly indexBytes: number
  readonly indexIntervalBytes: number
}

export interface RebuildResult {
  /** Bytes cut off the end, and why; 0 and undefined when all was well. */
  readonly truncatedBytes: number
  readonly problem: string | undefined
}

export class Segment {
  readonly baseOffset: number
  readonly createdMs: number
  readonly #files: Files
  readonly #directory: string
  readonly #file: OpenFile
  readonly #offsetIndex: OffsetIndex
  readonly #timeIndex: TimeIndex
  #sizeBytes: number
  #endOffset: number
  #bytesSinceIndexEntry = 0
  #maxTimestamp: number
  #maxTimestampOffset: number
  /** The largest timestamp of the first batch, which `segment.ms` counts from; undefined until looked at. */
  #firstTimestamp: number | undefined

  /** Opens the segment's files, or makes them. `findEnd` or `rebuild` must follow when there were any. */
  constructor(files: Files, directory: string, baseOffset: number, createdMs: number) {
    this.baseOffset = baseOffset
    this.createdMs = createdMs
    this.#files = files
    this.#directory = directory
    this.#file = files.open(this.#path('.log'), { create: true })
    this.#sizeBytes = this.#file.size()
    this.#offsetIndex = new OffsetIndex(files, this.#path('.index'), baseOffset)
    this.#timeIndex = new TimeIndex(files, this.#path('.timeindex'), baseOffset)
    this.#endOffset = baseOffset
    this.#maxTimestamp = this.#timeIndex.last?.timestamp ?? -1
    this.#maxTimestampOffset = this.#timeIndex.last?.offset ?? baseOffset
  }

  #path(suffix: (typeof SEGMENT_SUFFIXES)[number]): string {
    return `${this.#directory}/${offsetFileName(this.baseOffset, suffix)}`
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

  /** Whether a batch needs a new segment instead of this one, which is about to get `pendingBytes` more. */
  isFullFor(batch: BatchView, pendingBytes: number, nowMs: number, limits: SegmentLimits): boolean {
    if (batch.lastOffset - this.baseOffset > MAX_RELATIVE_OFFSET) return true
    if (this.#sizeBytes + pendingBytes === 0) return false
    return (
      this.#sizeBytes + pendingBytes + batch.sizeBytes > limits.segmentBytes ||
      this.#ageMs(batch, nowMs) > limits.segmentMs ||
      this.#offsetIndex.isFull(limits.indexBytes) ||
      this.#timeIndex.isFull(limits.indexBytes)
    )
  }

  #ageMs(batch: BatchView, nowMs: number): number {
    this.#firstTimestamp ??= this.scan(0).nextHeader()?.maxTimestamp
    const first = this.#firstTimestamp ?? -1
    return first >= 0 && batch.maxTimestamp >= 0 ? batch.maxTimestamp - first : nowMs - this.createdMs
  }

  /** Appends batches whose offsets are assigned, in one write. */
  append(batches: readonly BatchView[], limits: SegmentLimits): void {
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
    return undefined
  }

  /**
   * Reads all batches, makes both indexes anew and cuts the file at the first batch that is torn, has a wrong
   * checksum or does not follow the one before it. `onBatch` sees each batch that stays.
   */
  rebuild(indexIntervalBytes: number, onBatch: (batch: BatchView) => void): RebuildResult {
    const fileBytes = this.#file.size()
    const scanner = new BatchScanner(this.#file, 0, fileBytes)
    this.#forget()
    let problem: string | undefined
    for (let batch = scanner.nextIntact(); batch !== undefined; batch = scanner.nextIntact()) {
      if (batch.baseOffset < this.#endOffset) {
        problem = `the batch at byte ${this.#sizeBytes} begins with offset ${batch.baseOffset}, expected at least ${this.#endOffset}`
        break
      }
      this.#account(batch, indexIntervalBytes)
      onBatch(batch)
    }
    if (this.#sizeBytes < fileBytes) this.#file.truncate(this.#sizeBytes)
    return { truncatedBytes: fileBytes - this.#sizeBytes, problem: problem ?? scanner.problem }
  }

  #forget(): void {
    this.#offsetIndex.file.truncate(0)
    this.#timeIndex.file.truncate(0)
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
    this.#file.truncate(position)
    this.#sizeBytes = position
    this.#offsetIndex.truncate(position)
    this.#timeIndex.truncate(offset)
    this.#maxTimestamp = this.#timeIndex.last?.timestamp ?? -1
    this.#maxTimestampOffset = this.#timeIndex.last?.offset ?? this.baseOffset
    this.#firstTimestamp = undefined
    this.findEnd()
  }

  /** The last entry of the time index, so that a closed segment's largest timestamp is there. */
  seal(): void {
    this.#timeIndex.append(this.#maxTimestamp, this.#maxTimestampOffset)
    this.#offsetIndex.file.writePending()
    this.#timeIndex.file.writePending()
  }

  /** Makes everything appended so far survive a crash. */
  async flush(): Promise<void> {
    await this.#file.sync()
    await this.#offsetIndex.file.flush()
    await this.#timeIndex.file.flush()
  }

  close(): void {
    this.#file.close()
    this.#offsetIndex.file.close()
    this.#timeIndex.file.close()
  }

  /** Closes and removes the segment's files. */
  remove(): void {
    this.close()
    for (const suffix of SEGMENT_SUFFIXES) this.#files.remove(this.#path(suffix))
  }
}
