/**
 * Where each leader epoch of a partition begins, kept in `leader-epoch-checkpoint` (lines `epoch startOffset`):
 * how replicas find the point from which they differ (KIP-101, KIP-279).
 * Both columns rise strictly. Recovery restores from the batches what the file lacks, so it is written late.
 */
import { checkpointNumber, readCheckpoint, writeCheckpoint } from './checkpoint-file.ts'
import type { Files } from './files.ts'

export const LEADER_EPOCH_FILE = 'leader-epoch-checkpoint'

interface EpochStart {
  readonly epoch: number
  readonly startOffset: number
}

export interface EpochEnd {
  readonly epoch: number
  readonly endOffset: number
}

export class LeaderEpochs {
  readonly #files: Files
  readonly #path: string
  #entries: EpochStart[]
  /** What the file has. */
  #written: readonly EpochStart[]

  /** Reads the file if it is there. Throws CorruptCheckpointError. */
  constructor(files: Files, directory: string) {
    this.#files = files
    this.#path = `${directory}/${LEADER_EPOCH_FILE}`
    this.#entries = []
    for (const [epoch, startOffset] of readCheckpoint(files, this.#path, 2)) {
      this.assign(checkpointNumber(epoch!, this.#path), checkpointNumber(startOffset!, this.#path))
    }
    this.#written = this.#entries
  }

  /** -1 when no epoch is known. */
  get latest(): number {
    return this.#entries.at(-1)?.epoch ?? -1
  }

  /** Epoch `epoch` begins at `startOffset`; whatever contradicts that goes. A repetition changes nothing. */
  assign(epoch: number, startOffset: number): void {
    const last = this.#entries.at(-1)
    if (epoch < 0 || (last !== undefined && last.epoch === epoch && last.startOffset <= startOffset)) return
    const kept = this.#entries.filter((entry) => entry.epoch < epoch && entry.startOffset < startOffset)
    this.#entries = [...kept, { epoch, startOffset }]
  }

  /** Where `epoch` ends in a log that ends at `logEndOffset`; (-1, -1) for an epoch that is not known here. */
  endOf(epoch: number, logEndOffset: number): EpochEnd {
    if (epoch >= 0 && epoch === this.latest) return { epoch, endOffset: logEndOffset }
    const next = this.#entries.findIndex((entry) => entry.epoch > epoch)
    if (epoch < 0 || next < 0) return { epoch: -1, endOffset: -1 }
    const floor = this.#entries[next - 1]
    return { epoch: floor?.epoch ?? epoch, endOffset: this.#entries[next]!.startOffset }
  }

  /** The epoch of the record at `offset`; -1 when not known. */
  epochAt(offset: number): number {
    return this.#entries.findLast((entry) => entry.startOffset <= offset)?.epoch ?? -1
  }

  /** Drops the epochs that begin at `endOffset` or later. */
  truncateEnd(endOffset: number): void {
    this.#entries = this.#entries.filter((entry) => entry.startOffset < endOffset)
  }

  /** The log now begins at `startOffset`: drops the epochs before it; the one that spans it begins there. */
  truncateStart(startOffset: number): void {
    const spanning = this.#entries.findLast((entry) => entry.startOffset <= startOffset)
    if (spanning === undefined || spanning.startOffset === startOffset) return
    const later = this.#entries.filter((entry) => entry.startOffset > startOffset)
    this.#entries = [{ epoch: spanning.epoch, startOffset }, ...later]
  }

  /**
   * Writes the file if anything changed. An epoch that has no record before `endOffset` yet is left out: when the log
   * is opened nothing would show that it ever was. Calls must not overlap.
   */
  async flush(endOffset: number): Promise<void> {
    const entries = this.#entries.filter(({ startOffset }) => startOffset < endOffset)
    if (isSame(entries, this.#written)) return
    const lines = entries.map(({ epoch, startOffset }) => [epoch, startOffset])
    await writeCheckpoint(this.#files, this.#path, lines)
    this.#written = entries
  }
}

function isSame(one: readonly EpochStart[], other: readonly EpochStart[]): boolean {
  const isLike = (entry: EpochStart, index: number): boolean =>
    entry.epoch === other[index]?.epoch && entry.startOffset === other[index].startOffset
  return one.length === other.length && one.every(isLike)
}
