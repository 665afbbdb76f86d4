/**
 * Walks the records of one batch where they lie, without making an object of each. A record is
 *
 *   length varint | attributes int8 (0) | timestamp delta varlong | offset delta varint | key length varint, key
 *   | value length varint, value | header count varint, and for each: key length varint, key, value length varint, value
 *
 * in zigzag varints; a negative length stands for null, which a header's key cannot be.
 */
import { decompress } from './compression.ts'
import { KafkaError } from './errors.ts'
import type { BatchView } from './record-batch.ts'

/** Largest size to which one batch may decompress: a small batch must not fill the memory. */
export const MAX_DECOMPRESSED_BYTES = 256 * 1024 * 1024

/**
 * The records of a batch that holds all its bytes. Throws CORRUPT_MESSAGE when they cannot be read, and
 * OutputBoundError where they are more than `maxBytes`.
 */
export function recordsOf(batch: BatchView, maxBytes: number = MAX_DECOMPRESSED_BYTES): RecordCursor {
  const { codec, recordBytes, recordCount, baseOffset } = batch
  if (codec === undefined) {
    throw new KafkaError(
      'CORRUPT_MESSAGE',
      `the batch at offset ${baseOffset} has a codec that does not exist`,
    )
  }
  return new RecordCursor(decompress(codec, recordBytes, maxBytes), recordCount)
}

export class RecordCursor {
  readonly bytes: Buffer
  readonly #count: number
  #index = -1
  #position = 0

  /** Where the record lies: its length comes first, `bodyStart` is what follows that. */
  start = 0
  bodyStart = 0
  end = 0
  timestampDelta = 0
  /** Where the offset delta begins: right behind the timestamp delta. */
  timestampEnd = 0
  offsetDelta = 0
  #keyStart = 0
  #keyLength = -1
  #valueStart = 0
  #valueLength = -1
  headerCount = 0
  #headersStart = 0

  /** `bytes`: the records section, decompressed. */
  constructor(bytes: Buffer, recordCount: number) {
    this.bytes = bytes
    this.#count = recordCount
  }

  get hasKey(): boolean {
    return this.#keyLength >= 0
  }

  get hasValue(): boolean {
    return this.#valueLength >= 0
  }

  /** A view; undefined for a record without a key. */
  get key(): Buffer | undefined {
    return this.#view(this.#keyStart, this.#keyLength)
  }

  /** A view; undefined for a record without a value. */
  get value(): Buffer | undefined {
    return this.#view(this.#valueStart, this.#valueLength)
  }

  #view(start: number, length: number): Buffer | undefined {
    return length < 0 ? undefined : this.bytes.subarray(start, start + length)
  }

  /** Keys and values of the record's headers, views too. */
  headers(): { key: Buffer; value: Buffer | undefined }[] {
    const after = this.#position
    this.#position = this.#headersStart
    const headers = Array.from({ length: this.headerCount }, () => {
      const keyLength = this.#varint()
      const key = this.bytes.subarray(this.#position, this.#position + keyLength)
      this.#position += keyLength
      const valueLength = this.#varint()
      const value = this.#view(this.#position, valueLength)
      this.#position += Math.max(0, valueLength)
      return { key, value }
    })
    this.#position = after
    return headers
  }

  /** Moves to the next record; false after the last. Throws CORRUPT_MESSAGE. */
  next(): boolean {
    this.#index += 1
    if (this.#index >= this.#count) return false
    this.start = this.#position
    const size = this.#varint()
    this.bodyStart = this.#position
    this.end = this.#position + size
    if (size < 0 || this.end > this.bytes.length) this.#fail(`has ${size} bytes, more than there are`)
    this.#position += 1
    this.timestampDelta = this.#varint()
    this.timestampEnd = this.#position
    this.offsetDelta = this.#varint()
    this.#keyLength = this.#varint()
    this.#keyStart = this.#position
    this.#skip(this.#keyLength)
    this.#valueLength = this.#varint()
    this.#valueStart = this.#position
    this.#skip(this.#valueLength)
    this.headerCount = this.#varint()
    this.#headersStart = this.#position
    if (this.headerCount !== 0) this.#skipHeaders()
    if (this.#position !== this.end) {
      this.#fail(`has fields of ${this.#position - this.bodyStart} bytes, its length says ${size}`)
    }
    return true
  }

  /** Bytes that follow the record at which the cursor stands. */
  get remainingBytes(): number {
    return this.bytes.length - this.#position
  }

  #skip(length: number): void {
    if (length <= 0) return
    this.#position += length
    if (this.#position > this.end) this.#fail('is longer than its length says')
  }

  #skipHeaders(): void {
    if (this.headerCount < 0) this.#fail(`has ${this.headerCount} headers`)
    for (let left = this.headerCount; left > 0; left--) {
      const keyLength = this.#varint()
      if (keyLength < 0) this.#fail('has a header without a key')
      this.#skip(keyLength)
      this.#skip(this.#varint())
      if (this.#position > this.end) this.#fail('is longer than its length says')
    }
  }

  /** A zigzag varint of up to 64 bits; exact up to 2^53. */
  #varint(): number {
    const byte = this.bytes[this.#position]
    if (byte === undefined) return this.#fail('ends in the middle of a number')
    this.#position += 1
    return byte < 0x80 ? (byte >>> 1) ^ -(byte & 1) : this.#longVarint(byte & 0x7f)
  }

  #longVarint(lowest: number): number {
    let raw = lowest
    let scale = 128
    for (let length = 1; length < 10; length++) {
      const byte = this.bytes[this.#position]
      if (byte === undefined) return this.#fail('ends in the middle of a number')
      this.#position += 1
      raw += (byte & 0x7f) * scale
      if (byte < 0x80) return raw % 2 === 0 ? raw / 2 : -(raw + 1) / 2
      scale *= 128
    }
    return this.#fail('has a number of more than 64 bits')
  }

  #fail(what: string): never {
    throw new KafkaError('CORRUPT_MESSAGE', `record ${this.#index} of ${this.#count} ${what}`)
  }
}
