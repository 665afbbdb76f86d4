/** Writes what stays of a group of segments into the one that takes their place. */
import { BatchView } from '../../protocol/record-batch.ts'
import type { Segment, SegmentLimits } from '../segment.ts'
import type { AbortedTransaction } from '../transaction-index.ts'

export interface CleanedWriterOptions {
  /** Empty, and under a name of its own. */
  readonly segment: Segment
  readonly limits: SegmentLimits
  /** Bytes that are written at a time. */
  readonly bufferBytes: number
}

export class CleanedWriter {
  readonly #o: CleanedWriterOptions
  #pending: BatchView[] = []
  #pendingBytes = 0
  bytesWritten = 0

  constructor(options: CleanedWriterOptions) {
    this.#o = options
  }

  /** Takes a copy of `bytes`, one batch. */
  add(bytes: Buffer): void {
    this.#pending.push(new BatchView(Buffer.from(bytes)))
    this.#pendingBytes += bytes.length
    this.bytesWritten += bytes.length
    if (this.#pendingBytes >= this.#o.bufferBytes) this.#write()
  }

  /** An aborted transaction of which records stay. */
  addAborted(transaction: AbortedTransaction): void {
    this.#o.segment.addAborted(transaction)
  }

  #write(): void {
    if (this.#pending.length === 0) return
    this.#o.segment.append(this.#pending, this.#o.limits)
    this.#pending = []
    this.#pendingBytes = 0
  }

  /** Writes the rest: the segment is complete, and survives a crash. */
  async finish(): Promise<void> {
    this.#write()
    this.#o.segment.seal()
    await this.#o.segment.flush()
  }
}
