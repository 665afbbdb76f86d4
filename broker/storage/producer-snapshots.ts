/** The `.snapshot` files of one partition: which there are, which to start from, which to drop. */
import type { Logger } from '../runtime/logger.ts'
import { offsetFileName, offsetOfFile } from './file-names.ts'
import { type Files, replaceFile } from './files.ts'
import { CorruptSnapshotError, ProducerState } from './producer-state.ts'
import type { Segment } from './segment.ts'

/** The newest, and one more in case the newest cannot be used. */
const SNAPSHOTS_KEPT = 2

export class ProducerSnapshots {
  readonly #files: Files
  readonly #directory: string
  readonly #logger: Logger

  constructor(files: Files, directory: string, logger: Logger) {
    this.#files = files
    this.#directory = directory
    this.#logger = logger
  }

  /** Oldest first. */
  #offsets(): number[] {
    return this.#files
      .list(this.#directory)
      .flatMap(({ name }) => offsetOfFile(name, '.snapshot') ?? [])
      .sort((a, b) => a - b)
  }

  #path(offset: number): string {
    return `${this.#directory}/${offsetFileName(offset, '.snapshot')}`
  }

  /**
   * The state by the newest usable snapshot at or before `endOffset`, and the offset from which batches are to be
   * added to it. Removes snapshots after `endOffset`, which speak of records that are no longer there.
   */
  #newest(endOffset: number): { state: ProducerState; offset: number } {
    for (const offset of this.#offsets().reverse()) {
      const state = offset > endOffset ? undefined : this.#read(offset)
      if (state !== undefined) return { state, offset }
      this.#files.remove(this.#path(offset))
    }
    return { state: new ProducerState(), offset: 0 }
  }

  #read(offset: number): ProducerState | undefined {
    const path = this.#path(offset)
    try {
      return ProducerState.decode(this.#files.readFile(path) ?? Buffer.alloc(0))
    } catch (error) {
      if (!(error instanceof CorruptSnapshotError)) throw error
      this.#logger.warn({ path, reason: error.message }, 'producer snapshot unusable, removed')
      return undefined
    }
  }

  /** The state at the end of these segments: the newest snapshot, and the batches after it. */
  load(segments: readonly Segment[], logStartOffset: number): ProducerState {
    const { state, offset } = this.#newest(segments.at(-1)!.endOffset)
    const from = Math.max(offset, logStartOffset)
    for (const segment of segments) {
      if (segment.endOffset <= from) continue
      const scanner = segment.scan(segment.positionOf(from))
      for (let batch = scanner.nextHeader(); batch !== undefined; batch = scanner.nextHeader()) {
        state.update(batch)
      }
    }
    return state
  }

  /** Writes a snapshot and drops those that are older than the last few. */
  async write(offset: number, content: Buffer): Promise<void> {
    await replaceFile(this.#files, this.#path(offset), content)
    for (const old of this.#offsets().slice(0, -SNAPSHOTS_KEPT)) this.#files.remove(this.#path(old))
  }

  removeAll(): void {
    for (const offset of this.#offsets()) this.#files.remove(this.#path(offset))
  }
}
