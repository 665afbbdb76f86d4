/**
 * Reads the primitive encodings of the Kafka protocol from one buffer, front to back.
 * Byte strings are views of the buffer, never copies. Every length is checked against what is left, so a
 * hostile length costs nothing; whatever does not fit throws MalformedFrameError. The elements of arrays are counted,
 * because an element of two bytes becomes an object of a hundred.
 */

/** Of all arrays in one message: several times what a request about every partition of the largest cluster has. */
const MAX_ELEMENTS = 1_000_000

/** The bytes do not follow the schema: the connection that sent them is closed, nothing else happens. */
export class MalformedFrameError extends Error {
  override readonly name = 'MalformedFrameError'
}

export class ByteReader {
  readonly #bytes: Buffer
  #position: number
  #elementsLeft = MAX_ELEMENTS

  constructor(bytes: Buffer, position = 0) {
    this.#bytes = bytes
    this.#position = position
  }

  get position(): number {
    return this.#position
  }

  get remaining(): number {
    return this.#bytes.length - this.#position
  }

  /** Moves past `size` bytes and returns where they begin. */
  #take(size: number): number {
    const start = this.#position
    if (size < 0 || size > this.#bytes.length - start) {
      throw new MalformedFrameError(
        `a value of ${size} bytes at byte ${start} does not fit in a frame of ${this.#bytes.length} bytes`,
      )
    }
    this.#position = start + size
    return start
  }

  /** Called before an array of that many elements is read: each of them takes a byte at least. */
  takeElements(count: number): void {
    if (count > this.remaining) {
      throw new MalformedFrameError(
        `an array of ${count} elements at byte ${this.#position}, where ${this.remaining} bytes are left`,
      )
    }
    this.#elementsLeft -= count
    if (this.#elementsLeft < 0) {
      throw new MalformedFrameError(`more than ${MAX_ELEMENTS} elements of arrays in one message`)
    }
  }

  boolean(): boolean {
    return this.int8() !== 0
  }

  int8(): number {
    return this.#bytes.readInt8(this.#take(1))
  }

  int16(): number {
    return this.#bytes.readInt16BE(this.#take(2))
  }

  uint16(): number {
    return this.#bytes.readUInt16BE(this.#take(2))
  }

  int32(): number {
    return this.#bytes.readInt32BE(this.#take(4))
  }

  uint32(): number {
    return this.#bytes.readUInt32BE(this.#take(4))
  }

  /** Exact up to 2^53; beyond it (only sentinels such as the maximum go there) the nearest double. */
  int64(): number {
    const start = this.#take(8)
    return this.#bytes.readInt32BE(start) * 0x1_0000_0000 + this.#bytes.readUInt32BE(start + 4)
  }

  float64(): number {
    return this.#bytes.readDoubleBE(this.#take(8))
  }

  /** Unsigned LEB128 of at most 5 bytes and 32 bits. */
  unsignedVarint(): number {
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.#bytes[this.#take(1)]!
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) {
        if (value > 0xffff_ffff) break
        return value
      }
    }
    throw new MalformedFrameError(`the varint that ends at byte ${this.#position} is longer than 32 bits`)
  }

  /** A UUID in Kafka's text form: 22 characters of base64url. */
  uuid(): string {
    const start = this.#take(16)
    return this.#bytes.toString('base64url', start, start + 16)
  }

  string(size: number): string {
    const start = this.#take(size)
    return this.#bytes.toString('utf8', start, start + size)
  }

  bytes(size: number): Buffer {
    const start = this.#take(size)
    return this.#bytes.subarray(start, start + size)
  }
}
