/**
 * A file of entries of one size, only ever appended to and cut at its end: the base of the three indexes.
 * New entries collect in memory and reach the file in pieces; they need no sync of their own, because recovery
 * rebuilds the indexes of every segment that was not flushed. A file longer than its entries (Kafka fills the
 * active segment's index with zeros) is recognised by the caller, which truncates it.
 */
import type { Files, OpenFile } from './files.ts'

/** Entries in memory are written out when they reach this size. */
const PENDING_BYTES = 4096

export class IndexFile {
  readonly #files: Files
  #path: string
  #isThere: boolean
  readonly #entryBytes: number
  /** Opened by the first use: most indexes of old segments are never looked at. */
  #file: OpenFile | undefined
  #writtenCount: number
  /** Entries that are not in the file yet; made by the first append, let go once written. */
  #pending: Buffer | undefined
  #pendingCount = 0

  /**
   * Opens the file at `path`, or makes an empty one; an optional file is made with its first entry only.
   * A part of an entry at the file's end does not count.
   */
  constructor(files: Files, path: string, entryBytes: number, options = { isOptional: false }) {
    this.#path = path
    this.#files = files
    this.#entryBytes = entryBytes
    this.#isThere = !options.isOptional || files.exists(path)
    this.#writtenCount = this.#isThere ? Math.floor(this.#open().size() / entryBytes) : 0
    this.close()
  }

  #open(): OpenFile {
    this.#file ??= this.#files.open(this.#path, { create: true })
    this.#isThere = true
    return this.#file
  }

  /** False for an optional file without entries. */
  get isThere(): boolean {
    return this.#isThere
  }

  /** The file has a new name, or gets one with its first entry. */
  renamed(path: string): void {
    this.close()
    this.#path = path
  }

  /** Entries in the file and in memory. */
  get count(): number {
    return this.#writtenCount + this.#pendingCount
  }

  get sizeBytes(): number {
    return this.count * this.#entryBytes
  }

  /** The bytes of the entry; valid until the next append or truncation. */
  entry(index: number): Buffer {
    const size = this.#entryBytes
    if (index >= this.#writtenCount && this.#pending !== undefined) {
      const start = (index - this.#writtenCount) * size
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

  /** Room for one more entry, to be filled in at once. */
  append(): Buffer {
    if ((this.#pendingCount + 1) * this.#entryBytes > PENDING_BYTES) this.writePending()
    this.#pending ??= Buffer.allocUnsafeSlow(PENDING_BYTES)
    this.#pendingCount += 1
    return this.entry(this.count - 1)
  }

  /** Keeps the first `count` entries. */
  truncate(count: number): void {
    this.writePending()
    if (!this.#isThere) return
    this.#writtenCount = Math.min(count, this.#writtenCount)
    this.#open().truncate(this.#writtenCount * this.#entryBytes)
  }

  writePending(): void {
    if (this.#pending === undefined) return
    const bytes = this.#pending.subarray(0, this.#pendingCount * this.#entryBytes)
    this.#open().write([bytes], this.#writtenCount * this.#entryBytes)
    this.#writtenCount += this.#pendingCount
    this.#pendingCount = 0
    this.#pending = undefined
  }

  async flush(): Promise<void> {
    this.writePending()
    if (this.#isThere) await this.#open().sync()
  }

  /** Closes the file; a later use opens it again. Entries in memory are lost unless written. */
  close(): void {
    this.#file?.close()
    this.#file = undefined
  }
}
