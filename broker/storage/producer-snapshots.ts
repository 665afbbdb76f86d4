/**
 * The `.snapshot` files of one partition: one where each segment begins, made when it was rolled, and one at the end
 * of the log, made when it was closed. A snapshot may be damaged by a crash: then the one before it serves.
 */
import type { Logger } from '../runtime/logger.ts'
import { offsetFileName } from './file-names.ts'
import type { Files } from './files.ts'
import { CorruptSnapshotError, decodeSnapshot } from './producer-snapshot.ts'
import type { ProducerState } from './producer-state.ts'

export class ProducerSnapshots {
  readonly #files: Files
  readonly #directory: string
  readonly #logger: Logger
  /** Rising. */
  #offsets: number[] = []
  #unsynced: number[] = []

  constructor(files: Files, directory: string, logger: Logger) {
    this.#files = files
    this.#directory = directory
    this.#logger = logger
  }

  /** What lies in the directory, rising. */
  found(offsets: readonly number[]): void {
    this.#offsets = [...offsets]
  }

  #path(offset: number): string {
    return `${this.#directory}/${offsetFileName(offset, '.snapshot')}`
  }

  /** Removes those at offsets where no segment begins, but for the last one if it lies beyond them all. */
  removeStray(baseOffsets: readonly number[]): void {
    const bases = new Set(baseOffsets)
    const newest = this.#offsets.at(-1)
    const isAtEnd = (offset: number): boolean => offset === newest && offset > (baseOffsets.at(-1) ?? 0)
    const strays = this.#offsets.filter((offset) => !bases.has(offset) && !isAtEnd(offset))
    for (const offset of strays) this.remove(offset)
  }

  /**
   * The state by the newest usable snapshot at or before `offset`, and the offset from which batches are to be
   * added to it; undefined when there is none.
   */
  newest(offset: number): { state: ProducerState; offset: number } | undefined {
    for (const candidate of this.#offsets.filter((known) => known <= offset).reverse()) {
      const state = this.#read(candidate)
      if (state !== undefined) return { state, offset: candidate }
      this.remove(candidate)
    }
    return undefined
  }

  #read(offset: number): ProducerState | undefined {
    const path = this.#path(offset)
    try {
      return decodeSnapshot(this.#files.readFile(path) ?? Buffer.alloc(0))
    } catch (error) {
      if (!(error instanceof CorruptSnapshotError)) throw error
      this.#logger.warn({ path, reason: error.message }, 'producer snapshot unusable, removed')
      return undefined
    }
  }

  /** Writes a snapshot, unless there is one at `offset`; `flush` makes it survive a crash. */
  write(offset: number, content: Buffer): void {
    if (this.#offsets.includes(offset)) return
    const file = this.#files.open(this.#path(offset), { create: true })
    try {
      file.write([content], 0)
    } catch (error) {
      this.#files.remove(this.#path(offset))
      throw error
    } finally {
      file.close()
    }
    this.#offsets.push(offset)
    this.#offsets.sort((a, b) => a - b)
    this.#unsynced.push(offset)
  }

  /** Syncs the content of what was written; the names are the caller's to sync. */
  async flush(): Promise<void> {
    for (let offset = this.#unsynced.shift(); offset !== undefined; offset = this.#unsynced.shift()) {
      const file = this.#files.open(this.#path(offset))
      try {
        await file.sync()
      } finally {
        file.close()
      }
    }
  }

  remove(offset: number): void {
    if (!this.#offsets.includes(offset)) return
    this.#files.remove(this.#path(offset))
    this.#offsets = this.#offsets.filter((known) => known !== offset)
    this.#unsynced = this.#unsynced.filter((known) => known !== offset)
  }

  /** Removes those that speak of records at `offset` or later, which are gone. */
  removeAfter(offset: number): void {
    for (const known of this.#offsets.filter((candidate) => candidate > offset)) this.remove(known)
  }

  removeAll(): void {
    this.removeAfter(-1)
  }
}
