/** Walks the batches of a segment file in order, reading it in chunks. */
import { BATCH_HEADER_BYTES, BatchView, headerProblem } from '../protocol/record-batch.ts'
import type { OpenFile } from './files.ts'

const CHUNK_BYTES = 64 * 1024

export class BatchScanner {
  readonly #file: OpenFile
  readonly #end: number
  #chunk: Buffer = Buffer.alloc(0)
  #chunkStart = 0
  #next: number
  #problem: string | undefined

  /** Looks at the bytes from `start`, where a batch begins, up to `end`. */
  constructor(file: OpenFile, start: number, end: number) {
    this.#file = file
    this.#next = start
    this.#end = end
  }

  /** Where the next batch begins: the end of all that were whole. */
  get position(): number {
    return this.#next
  }

  /** Why the walk stopped before the end, or undefined. */
  get problem(): string | undefined {
    return this.#problem
  }

  /** The next batch's header; undefined at the end or before a batch that is not whole. Valid until the next call. */
  nextHeader(): BatchView | undefined {
    return this.#advance(BATCH_HEADER_BYTES)
  }

  /** The next batch with all its bytes, its checksum verified. Valid until the next call. */
  nextIntact(): BatchView | undefined {
    const start = this.#next
    const header = this.#advance(BATCH_HEADER_BYTES)
    if (header === undefined) return undefined
    const batch = new BatchView(this.#bytes(start, header.sizeBytes))
    if (batch.isIntact()) return batch
    this.#next = start
    this.#problem = `the checksum of the batch at byte ${start} does not match its content`
    return undefined
  }

  /** All bytes of the batch at `position`, as found by an earlier step. */
  batchAt(position: number, sizeBytes: number): BatchView {
    return new BatchView(this.#bytes(position, sizeBytes))
  }

  #advance(viewBytes: number): BatchView | undefined {
    const start = this.#next
    const left = this.#end - start
    if (left <= 0 || this.#problem !== undefined) return undefined
    if (left < BATCH_HEADER_BYTES) {
      this.#problem = `${left} bytes at byte ${start} are less than a batch's header`
      return undefined
    }
    const batch = new BatchView(this.#bytes(start, viewBytes))
    const problem = headerProblem(batch)
    if (problem !== undefined || batch.sizeBytes > left) {
      const torn = `it has ${batch.sizeBytes} bytes, ${left} are there`
      this.#problem = `the batch at byte ${start}: ${problem ?? torn}`
      return undefined
    }
    this.#next = start + batch.sizeBytes
    return batch
  }

  #bytes(position: number, size: number): Buffer {
    const offset = position - this.#chunkStart
    if (offset >= 0 && offset + size <= this.#chunk.length) return this.#chunk.subarray(offset, offset + size)
    const chunk = Buffer.allocUnsafe(Math.min(Math.max(size, CHUNK_BYTES), this.#end - position))
    const count = this.#file.read(chunk, position)
    if (count < size) {
      throw new Error(
        `${this.#file.path} ends at byte ${position + count}, expected at least ${position + size}`,
      )
    }
    this.#chunk = chunk.subarray(0, count)
    this.#chunkStart = position
    return this.#chunk.subarray(0, size)
  }
}
