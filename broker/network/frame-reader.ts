/**
 * Cuts the bytes of a connection into frames (int32 size, then that many bytes), wherever the socket cut them.
 * A frame that lies whole in one chunk is a view of it; any other is assembled with one copy. What a size claims is
 * believed only as bytes arrive: the first allocation is at most 1 MiB, and grows with what has been received.
 */
import { FRAME_PREFIX_BYTES } from '../protocol/frame.ts'
import { MalformedFrameError } from '../protocol/reader.ts'

const FIRST_ALLOCATION_BYTES = 1024 * 1024
/** Each time it is full, the buffer of a large frame grows by this factor: the copies add up to half a frame at most. */
const GROWTH = 4

export class FrameReader {
  readonly #maxBytes: number
  readonly #prefix = Buffer.alloc(FRAME_PREFIX_BYTES)
  /** Bytes of the size that have been received, while it is incomplete. */
  #prefixUsed = 0
  /** Size of the frame under way; -1 between frames. */
  #size = -1
  /** What has been received of it. */
  #frame: Buffer = Buffer.alloc(0)
  #used = 0

  /** `maxBytes`: largest frame allowed. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** What has come of a frame that is not yet whole; undefined between frames. */
  get part(): { readonly receivedBytes: number; readonly missingBytes: number } | undefined {
    if (this.#size !== -1) return { receivedBytes: this.#used, missingBytes: this.#size - this.#used }
    if (this.#prefixUsed === 0) return undefined
    return { receivedBytes: this.#prefixUsed, missingBytes: FRAME_PREFIX_BYTES - this.#prefixUsed }
  }

  /** The frames that `chunk` completes. Throws MalformedFrameError on a size that is negative or too large. */
  push(chunk: Buffer): Buffer[] {
    const frames: Buffer[] = []
    let position = 0
    while (position < chunk.length) {
      if (this.#size === -1) {
        position = this.#readPrefix(chunk, position)
        if (this.#size === -1) break
        if (chunk.length - position >= this.#size) {
          frames.push(chunk.subarray(position, position + this.#size))
          position += this.#size
          this.#size = -1
          continue
        }
        this.#frame = Buffer.allocUnsafe(Math.min(this.#size, FIRST_ALLOCATION_BYTES))
        this.#used = 0
      }
      position = this.#readBody(chunk, position)
      if (this.#used === this.#size) frames.push(this.#takeFrame())
    }
    return frames
  }

  #readPrefix(chunk: Buffer, position: number): number {
    const taken = Math.min(FRAME_PREFIX_BYTES - this.#prefixUsed, chunk.length - position)
    chunk.copy(this.#prefix, this.#prefixUsed, position, position + taken)
    this.#prefixUsed += taken
    if (this.#prefixUsed === FRAME_PREFIX_BYTES) {
      this.#prefixUsed = 0
      const size = this.#prefix.readInt32BE(0)
      if (size < 0 || size > this.#maxBytes) {
        throw new MalformedFrameError(`a frame of ${size} bytes, where at most ${this.#maxBytes} are allowed`)
      }
      this.#size = size
    }
    return position + taken
  }

  #readBody(chunk: Buffer, position: number): number {
    const taken = Math.min(this.#size - this.#used, chunk.length - position)
    const needed = this.#used + taken
    if (needed > this.#frame.length) {
      const grown = Buffer.allocUnsafe(Math.min(this.#size, Math.max(needed, this.#frame.length * GROWTH)))
      this.#frame.copy(grown, 0, 0, this.#used)
      this.#frame = grown
    }
    chunk.copy(this.#frame, this.#used, position, position + taken)
    this.#used = needed
    return position + taken
  }

  #takeFrame(): Buffer {
    const frame = this.#frame
    this.#frame = Buffer.alloc(0)
    this.#size = -1
    return frame
  }
}
