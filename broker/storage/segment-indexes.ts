/** The three indexes of one segment, kept in step. Nothing is read before it is asked for. */
import type { IndexFile } from './index-file.ts'
import { OffsetIndex } from './offset-index.ts'
import type { SegmentFiles } from './segment-files.ts'
import { TimeIndex } from './time-index.ts'
import { TransactionIndex } from './transaction-index.ts'

export class SegmentIndexes {
  readonly offsets: OffsetIndex
  readonly times: TimeIndex
  readonly transactions: TransactionIndex
  readonly #baseOffset: number

  constructor(files: SegmentFiles, baseOffset: number) {
    this.#baseOffset = baseOffset
    this.offsets = new OffsetIndex(files, baseOffset)
    this.times = new TimeIndex(files, baseOffset)
    this.transactions = new TransactionIndex(files)
  }

  get #files(): readonly IndexFile[] {
    return [this.offsets.file, this.times.file, this.transactions.file]
  }

  /** Makes the files that every segment has. */
  create(): void {
    this.offsets.file.create()
    this.times.file.create()
  }

  /** Whether another entry would make one larger than `maxBytes`. */
  isFull(maxBytes: number): boolean {
    return this.offsets.isFull(maxBytes) || this.times.isFull(maxBytes)
  }

  /** What shows that they are not those of a segment of `sizeBytes`; undefined when all is well. */
  problem(sizeBytes: number): string | undefined {
    if (!this.offsets.isPlausible(sizeBytes)) return 'the offset index does not fit the segment'
    if (!this.times.isPlausible()) return 'the time index does not fit the segment'
    if (!this.transactions.isPlausible(this.#baseOffset)) return 'the transaction index is damaged'
    return undefined
  }

  clear(): void {
    for (const file of this.#files) file.truncate(0)
  }

  /** Drops what speaks of the batches from `position` on, whose first offset is `offset`. */
  truncate(position: number, offset: number): void {
    this.offsets.truncate(position)
    this.times.truncate(offset)
    this.transactions.truncate(offset)
  }

  writePending(): void {
    for (const file of this.#files) file.writePending()
  }

  async flush(): Promise<void> {
    for (const file of this.#files) await file.flush()
  }

  /** Closes the files; a later use opens them by the names that they have then. */
  close(): void {
    for (const file of this.#files) file.close()
  }
}
