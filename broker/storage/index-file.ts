/**
 * A file of entries of one size, only ever appended to and cut at its end: the base of the three indexes.
 * New entries collect in memory and reach the file in pieces; they need no sync of their own, because recovery
 * rebuilds the indexes of every segment that was not flushed. A file longer than its entries (Kafka fills the
 * active segment's index with zeros) is recognised by the caller, which truncates it.
 */
import type { SegmentSuffix } from './file-names.ts'
import type { OpenFile } from './files.ts'
import type { SegmentFiles } from './segment-files.ts'

/** Entries in memory are written out when they reach this size. */
const PENDING_BYTES = 4096

export class IndexFile {
  readonly #files: SegmentFiles
  readonly #suffix: SegmentSuffix
  readonly #entryBytes: number
  #file: OpenFile | undefined
  /** Entries in the file; undefined until asked for. */
  #writtenCount: number | undefined
  /** Entries that are not in the file yet; made by the first append, let go once written. */
  #pending: Buffer | undefined
  #pendingCount = 0

  /** The file may be absent: that is no entries. A part of an entry at its end does not count. */
  constructor(files: SegmentFiles, suffix: SegmentSuffix, entryBytes: number) {
    this.#files = files
    this.#suffix = suffix
    this.#entryBytes = entryBytes
  }

  /** Makes an empty file, so that the name is there. */
  create(): void {
    this.#open()
    this.#writtenCount = 0
  }

  get #path(): string {
    return this.#files.path(this.#suffix)
  }

  #open(): OpenFile {
    this.#file ??= this.#files.files.open(this.#path, { create: true })
    return this.#file
  }

  get #written(): number {
    this.#writtenCount ??= Math.floor((this.#files.files.stat(this.#path)?.sizeBytes ?? 0) / this.#entryBytes)
    return this.#writtenCount
  }

  /** Entries in the file and in memory. */
  get count(): number {
    return this.#written + this.#pendingCount
  }

  get sizeBytes(): number {
    return this.count * this.#entryBytes
  }

  /** The bytes of the entry; valid until the next append or truncation. */
  entry(index: number): Buffer {
    const size = this.#entryBytes
    const written = this.#written
    if (index >= written && this.#pending !== undefined) {
      const start = (index - written) * size
      return this.#pending.subarray(start, start + size)
    }
    const bytes = Buffer.allocUnsafe(size)
    this.#open().read(bytes, index * size)
    return bytes
  }

  /** The largest index whose entry is not `beyond`, or -1; entries are sorted. */
  search(beyond: (entry: Buffer) => boolean): number {
    let low = 0
    let high = this.count
    while (low < high) {
      const middle = (low + high) >>> 1
      if (beyond(this.entry(middle))) high = middle
      else low = middle + 1
    }
    return low - 1
  }

  /** Room for one more entry, to be filled in at once. An absent file is there afterwards, if empty. */
  append(): Buffer {
    if ((this.#pendingCount + 1) * this.#entryBytes > PENDING_BYTES) this.writePending()
    if (this.#pending === undefined) {
      this.#open()
      this.#pending = Buffer.allocUnsafeSlow(PENDING_BYTES)
    }
    this.#pendingCount += 1
    return this.entry(this.count - 1)
  }

  /** Keeps the first `count` entries, and nothing after them. */
  truncate(count: number): void {
    const written = Math.min(count, this.#written)
    this.#pendingCount = Math.min(this.#pendingCount, Math.max(0, count - this.#written))
    this.#writtenCount = written
    if (this.#isThere()) this.#open().truncate(written * this.#entryBytes)
  }

  #isThere(): boolean {
    return this.#file !== undefined || this.#files.files.exists(this.#path)
  }

  writePending(): void {
    if (this.#pending === undefined) return
    const bytes = this.#pending.subarray(0, this.#pendingCount * this.#entryBytes)
    const written = this.#written
    this.#open().write([bytes], written * this.#entryBytes)
    this.#writtenCount = written + this.#pendingCount
    this.#pendingCount = 0
    this.#pending = undefined
  }

  async flush(): Promise<void> {
    this.writePending()
    if (this.#isThere()) await this.#open().sync()
  }

  /** Closes the file; a later use opens it again, by the name that it has then. */
  close(): void {
    this.#file?.close()
    this.#file = undefined
  }
}
