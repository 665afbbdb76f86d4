/**
 * `<base offset>.timeindex`: from which offset on to look for a timestamp. Entries of 12 bytes, both fields rising:
 * int64 largest timestamp so far in the segment, int32 last offset of its batch minus the segment's base.
 * A closed segment's last entry is its largest timestamp.
 */
import { IndexFile } from './index-file.ts'
import type { SegmentFiles } from './segment-files.ts'

const ENTRY_BYTES = 12

export interface TimestampOffset {
  readonly timestamp: number
  readonly offset: number
}

export class TimeIndex {
  readonly file: IndexFile
  readonly #baseOffset: number

  constructor(files: SegmentFiles, baseOffset: number) {
    this.file = new IndexFile(files, '.timeindex', ENTRY_BYTES)
    this.#baseOffset = baseOffset
  }

  /** Whether another entry would pass `maxBytes`; one is kept for the last entry of a closed segment. */
  isFull(maxBytes: number): boolean {
    return (this.file.count + 2) * ENTRY_BYTES > maxBytes
  }

  /** Adds an entry unless the last one is as late. */
  append(timestamp: number, offset: number): void {
    const last = this.last
    if (timestamp < 0 || (last !== undefined && timestamp <= last.timestamp)) return
    const entry = this.file.append()
    entry.writeBigInt64BE(BigInt(timestamp), 0)
    entry.writeInt32BE(offset - this.#baseOffset, 8)
  }

  get last(): TimestampOffset | undefined {
    return this.#at(this.file.count - 1)
  }

  /** The last entry before `timestamp`: everything up to its offset is older. */
  before(timestamp: number): TimestampOffset | undefined {
    return this.#at(this.file.search((entry) => Number(entry.readBigInt64BE(0)) >= timestamp))
  }

  #at(index: number): TimestampOffset | undefined {
    if (index < 0) return undefined
    const entry = this.file.entry(index)
    return { timestamp: Number(entry.readBigInt64BE(0)), offset: this.#baseOffset + entry.readInt32BE(8) }
  }

  /** Drops the entries for offsets from `offset` on. */
  truncate(offset: number): void {
    const relative = offset - this.#baseOffset
    this.file.truncate(this.file.search((entry) => entry.readInt32BE(8) >= relative) + 1)
  }

  /** Whether the last entry can be right, and comes after the one before it. */
  isPlausible(): boolean {
    const { last } = this
    if (last === undefined) return true
    const previous = this.#at(this.file.count - 2)
    if (last.offset < this.#baseOffset || last.timestamp < 0) return false
    return previous === undefined || (previous.timestamp < last.timestamp && previous.offset < last.offset)
  }
}
