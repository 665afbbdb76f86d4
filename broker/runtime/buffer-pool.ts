/**
 * Large buffers that live for a moment, used again and again. Memory that is new for every read has to be mapped and
 * zeroed by the kernel, and V8, which counts it, runs its collector over the whole heap to find out that it is free.
 *
 * Sizes are powers of two. Whoever takes a buffer gives it back, or just forgets it: then the collector has it.
 */

/** Smaller ones are not worth a class of their own. */
const MIN_BYTES = 4096

export class BufferPool {
  readonly #maxFreeBytes: number
  /** By size. The one given back last is taken first: it is the likeliest to be in the processor's cache. */
  readonly #free = new Map<number, Buffer[]>()
  #freeBytes = 0

  /** `maxFreeBytes`: how much may lie here unused. */
  constructor(maxFreeBytes: number) {
    this.#maxFreeBytes = maxFreeBytes
  }

  get freeBytes(): number {
    return this.#freeBytes
  }

  /** A buffer of `sizeBytes` or more, with anything in it. */
  take(sizeBytes: number): Buffer {
    const size = 2 ** Math.ceil(Math.log2(Math.max(sizeBytes, MIN_BYTES)))
    const buffer = this.#free.get(size)?.pop()
    if (buffer === undefined) return Buffer.allocUnsafeSlow(size)
    this.#freeBytes -= size
    return buffer
  }

  /** Takes back a buffer as `take` gave it, not a part of it. Nobody may use it any more. */
  give(buffer: Buffer): void {
    const size = buffer.length
    if (this.#freeBytes + size > this.#maxFreeBytes) return
    const free = this.#free.get(size)
    if (free === undefined) this.#free.set(size, [buffer])
    else free.push(buffer)
    this.#freeBytes += size
  }
}
