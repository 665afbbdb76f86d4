/**
 * Writes the primitive encodings of the Kafka protocol. The result is a list of buffers: large byte strings
 * (record batches) are referenced where they lie instead of being copied.
 */

/** Byte strings from this size on are referenced; copying a smaller one is cheaper than one more buffer to send. */
const REFERENCE_FROM_BYTES = 1024

export class ByteWriter {
  #current: Buffer
  /** Bytes used in `current`. */
  #used = 0
  /** Where the part of `current` that is not yet in `parts` begins. */
  #sealed = 0
  #parts: Buffer[] = []
  #partsSize = 0

  constructor(initialSize = 512) {
    this.#current = Buffer.allocUnsafe(initialSize)
  }

  /** Bytes written so far. */
  get size(): number {
    return this.#partsSize + this.#used - this.#sealed
  }

  #reserve(size: number): number {
    const start = this.#used
    if (start + size > this.#current.length) {
      this.#seal()
      this.#current = Buffer.allocUnsafe(Math.max(size, Math.min(this.#current.length * 2, 65_536)))
      this.#used = size
      this.#sealed = 0
      return 0
    }
    this.#used = start + size
    return start
  }

  #seal(): void {
    if (this.#used === this.#sealed) return
    const part = this.#current.subarray(this.#sealed, this.#used)
    this.#parts.push(part)
    this.#partsSize += part.length
    this.#sealed = this.#used
  }

  boolean(value: boolean): void {
    this.int8(value ? 1 : 0)
  }

  int8(value: number): void {
    const start = this.#reserve(1)
    this.#current.writeInt8(value, start)
  }

  int16(value: number): void {
    const start = this.#reserve(2)
    this.#current.writeInt16BE(value, start)
  }

  uint16(value: number): void {
    const start = this.#reserve(2)
    this.#current.writeUInt16BE(value, start)
  }

  int32(value: number): void {
    const start = this.#reserve(4)
    this.#current.writeInt32BE(value, start)
  }

  uint32(value: number): void {
    const start = this.#reserve(4)
    this.#current.writeUInt32BE(value, start)
  }

  /** A value beyond the 64-bit range (the double nearest to the maximum is) is written as the bound. */
  int64(value: number): void {
    const start = this.#reserve(8)
    if (Number.isSafeInteger(value)) {
      this.#current.writeInt32BE(Math.floor(value / 0x1_0000_0000), start)
      this.#current.writeUInt32BE(value >>> 0, start + 4)
    } else {
      this.#current.writeBigInt64BE(clampToInt64(BigInt(value)), start)
    }
  }

  float64(value: number): void {
    const start = this.#reserve(8)
    this.#current.writeDoubleBE(value, start)
  }

  unsignedVarint(value: number): void {
    let rest = value
    while (rest > 0x7f) {
      const start = this.#reserve(1)
      this.#current[start] = (rest & 0x7f) | 0x80
      rest = Math.floor(rest / 128)
    }
    const start = this.#reserve(1)
    this.#current[start] = rest
  }

  /** `value` in Kafka's text form: 22 characters of base64url. */
  uuid(value: string): void {
    const start = this.#reserve(16)
    const written = this.#current.write(value, start, 16, 'base64url')
    if (written !== 16) throw new RangeError(`"${value}" is not a UUID in base64url (22 characters)`)
  }

  /** The UTF-8 bytes of `value`, without a length. */
  string(value: string, byteLength: number): void {
    const start = this.#reserve(byteLength)
    this.#current.write(value, start, byteLength, 'utf8')
  }

  bytes(value: Buffer): void {
    if (value.length < REFERENCE_FROM_BYTES) {
      const start = this.#reserve(value.length)
      value.copy(this.#current, start)
      return
    }
    this.#seal()
    this.#parts.push(value)
    this.#partsSize += value.length
  }

  /** Appends what another writer holds, which must not be used afterwards. */
  append(other: ByteWriter): void {
    for (const part of other.finish()) this.bytes(part)
  }

  /** Everything written, in order. The writer must not be used afterwards. */
  finish(): Buffer[] {
    this.#seal()
    return this.#parts
  }

  /** Everything written, as one buffer. The writer must not be used afterwards. */
  toBuffer(): Buffer {
    const parts = this.finish()
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts)
  }
}

function clampToInt64(value: bigint): bigint {
  const max = (1n << 63n) - 1n
  return value > max ? max : value < -max - 1n ? -max - 1n : value
}
