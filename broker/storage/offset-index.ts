/**
 * `<base offset>.index`: where in a segment to start looking for an offset. Entries of 8 bytes, sorted:
 * int32 offset minus the segment's base, int32 position of the batch that ends with that offset.
 * Sparse: an entry at most every `index.interval.bytes`.
 */
import { IndexFile } from './index-file.ts'
import type { SegmentFiles } from './segment-files.ts'

const ENTRY_BYTES = 8

export interface OffsetPosition {
  readonly offset: number
  readonly position: number
}

export class OffsetIndex {
  readonly file: IndexFile
  readonly #baseOffset: number

  constructor(files: SegmentFiles, baseOffset: number) {
    this.file = new IndexFile(files, '.index', ENTRY_BYTES)
    this.#baseOffset = baseOffset
  }

  /** Whether another entry would pass `maxBytes`. */
  isFull(maxBytes: number): boolean {
    return (this.file.count + 1) * ENTRY_BYTES > maxBytes
  }

  /** `offset`: the last one of the batch that starts at `position`. */
  append(offset: number, position: number): void {
    const entry = this.file.append()
    entry.writeInt32BE(offset - this.#baseOffset, 0)
    entry.writeInt32BE(position, 4)
  }

  /** The last entry whose offset is not above `offset`; the segment's start when there is none. */
  lookup(offset: number): OffsetPosition {
    const relative = offset - this.#baseOffset
    return this.#at(this.file.search((entry) => entry.readInt32BE(0) > relative))
  }

  get last(): OffsetPosition {
    return this.#at(this.file.count - 1)
  }

  #at(index: number): OffsetPosition {
    if (index < 0) return { offset: this.#baseOffset, position: 0 }
    const entry = this.file.entry(index)
    return { offset: this.#baseOffset + entry.readInt32BE(0), position: entry.readInt32BE(4) }
  }

  /** Drops the entries of batches that start at `position` or later. */
  truncate(position: number): void {
    this.file.truncate(this.file.search((entry) => entry.readInt32BE(4) >= position) + 1)
  }

  /** Whether entries point inside a segment of `sizeBytes` and rise; checks the last two. */
  isPlausible(sizeBytes: number): boolean {
    const { count } = this.file
    if (count === 0) return true
    const last = this.#at(count - 1)
    if (last.position >= sizeBytes || last.offset < this.#baseOffset) return false
    if (count === 1) return true
    const previous = this.#at(count - 2)
    return previous.position < last.position && previous.offset < last.offset
  }
}
