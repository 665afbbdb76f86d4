/**
 * `<base offset>.txnindex`: the transactions whose abort marker lies in the segment, in order of the markers. There
 * only where one was aborted. Entries of 34 bytes: int16 version 0, int64 producerId, int64 firstOffset of the
 * transaction, int64 lastOffset (of the marker), int64 last stable offset once the marker was written.
 * Readers of committed records are told of them (KIP-98), so that they can skip what was aborted.
 */
import { IndexFile } from './index-file.ts'
import type { SegmentFiles } from './segment-files.ts'

const ENTRY_BYTES = 34
const VERSION = 0

export interface AbortedTransaction {
  readonly producerId: number
  readonly firstOffset: number
  /** Of the abort marker. */
  readonly lastOffset: number
  /** Everything before it was decided once the marker was written: no later entry concerns it. */
  readonly lastStableOffset: number
}

export class TransactionIndex {
  readonly file: IndexFile

  constructor(files: SegmentFiles) {
    this.file = new IndexFile(files, '.txnindex', ENTRY_BYTES)
  }

  append(aborted: AbortedTransaction): void {
    const entry = this.file.append()
    entry.writeInt16BE(VERSION, 0)
    entry.writeBigInt64BE(BigInt(aborted.producerId), 2)
    entry.writeBigInt64BE(BigInt(aborted.firstOffset), 10)
    entry.writeBigInt64BE(BigInt(aborted.lastOffset), 18)
    entry.writeBigInt64BE(BigInt(aborted.lastStableOffset), 26)
  }

  /** Those whose marker lies at `offset` or later. */
  *entriesFrom(offset: number): Generator<AbortedTransaction> {
    for (let index = this.#before(offset) + 1; index < this.file.count; index++) yield this.#at(index)
  }

  #at(index: number): AbortedTransaction {
    const entry = this.file.entry(index)
    const field = (position: number): number => Number(entry.readBigInt64BE(position))
    return {
      producerId: field(2),
      firstOffset: field(10),
      lastOffset: field(18),
      lastStableOffset: field(26),
    }
  }

  /** Drops the transactions whose marker lies at `offset` or later. */
  truncate(offset: number): void {
    this.file.truncate(this.#before(offset) + 1)
  }

  /** The last entry whose marker lies before `offset`, or -1. */
  #before(offset: number): number {
    return this.file.search((entry) => Number(entry.readBigInt64BE(18)) >= offset)
  }

  /** Whether the entries can be right: of a known version, their markers rising and after their beginnings. */
  isPlausible(baseOffset: number): boolean {
    let previous = baseOffset - 1
    for (let index = 0; index < this.file.count; index++) {
      const { firstOffset, lastOffset } = this.#at(index)
      if (this.file.entry(index).readInt16BE(0) !== VERSION) return false
      if (lastOffset <= previous || firstOffset > lastOffset) return false
      previous = lastOffset
    }
    return true
  }
}
