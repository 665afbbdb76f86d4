/**
 * The names of one segment's files: batches and three indexes, all under the base offset, and under one suffix more
 * while the segment is not in use (file-names.ts).
 */
import {
  DELETED,
  LOST,
  offsetFileName,
  SEGMENT_SUFFIXES,
  type SegmentState,
  type SegmentSuffix,
} from './file-names.ts'
import type { Files } from './files.ts'

export class SegmentFiles {
  readonly files: Files
  readonly #stem: string
  #state: SegmentState

  constructor(files: Files, directory: string, baseOffset: number, state: SegmentState) {
    this.files = files
    this.#stem = `${directory}/${offsetFileName(baseOffset, '')}`
    this.#state = state
  }

  path(suffix: SegmentSuffix): string {
    return `${this.#stem}${suffix}${this.#state}`
  }

  /** Gives those that are there the names of another state. */
  changeState(state: SegmentState): void {
    for (const suffix of this.#there()) this.files.rename(this.path(suffix), `${this.#stem}${suffix}${state}`)
    this.#state = state
  }

  /** Gives those that are there names under which they are not read any more; returns those names. */
  markDeleted(): string[] {
    return this.#there().map((suffix) => {
      const deleted = `${this.#stem}${suffix}${DELETED}`
      this.files.rename(this.path(suffix), deleted)
      return deleted
    })
  }

  /** Keeps the batches under a name that is not read any more, which it returns; indexes are made from batches. */
  setAside(): string {
    const lost = `${this.#stem}.log${LOST}`
    this.files.rename(this.path('.log'), lost)
    this.remove()
    return lost
  }

  #there(): SegmentSuffix[] {
    return SEGMENT_SUFFIXES.filter((suffix) => this.files.exists(this.path(suffix)))
  }

  remove(): void {
    for (const suffix of SEGMENT_SUFFIXES) this.files.remove(this.path(suffix))
  }
}
