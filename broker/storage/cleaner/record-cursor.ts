/**
 * Walks the records of one batch where they lie, without making an object of each: compaction reads every record of a
 * log and changes few. The format is that of record-codec.ts.
 */
import { decompress } from '../../protocol/compression.ts'
import { KafkaError } from '../../protocol/errors.ts'
import type { BatchView } from '../../protocol/record-batch.ts'

/** Largest size to which one batch may decompress: compaction must not fill the memory. */
const MAX_DECOMPRESSED_BYTES = 256 * 1024 * 1024

/** The records of a batch that holds all its bytes. Throws CORRUPT_MESSAGE when they cannot be read. */
export function recordsOf(batch: BatchView): RecordCursor {
  const { codec, recordBytes, recordCount, baseOffset } = batch
  if (codec === undefined) {
    throw new KafkaError(
      'CORRUPT_MESSAGE',
      `the batch at offset ${baseOffset} has a codec that does not exist`,
    )
  }
  return new RecordCursor(decompress(codec, recordBytes, MAX_DECOMPRESSED_BYTES), recordCount)
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
  hasValue = false

  /** `bytes`: the records section, decompressed. */
  constructor(bytes: Buffer, recordCount: number) {
    this.bytes = bytes
    this.#count = recordCount
  }

  /** A view; undefined for a record without a key. */
  get key(): Buffer | undefined {
    if (this.#keyLength < 0) return undefined
    return this.bytes.subarray(this.#keyStart, this.#keyStart + this.#keyLength)
  }

  /** Moves to the next record; false after the last. Throws CORRUPT_MESSAGE. */
  next(): boolean {
    this.#index += 1
    if (this.#index >= this.#count) return false
    this.start = this.#position
    const size = this.#varint()
    this.bodyStart = this.#position
    this.end = this.#position + size
    if (size < 0 || this.end > this.bytes.length) this.#fail(`has ${size} bytes`)
    this.#position += 1
    this.timestampDelta = this.#varint()
    this.timestampEnd = this.#position
    this.offsetDelta = this.#varint()
    this.#keyLength = this.#varint()
    this.#keyStart = this.#position
    this.#position += Math.max(0, this.#keyLength)
    this.hasValue = this.#varint() >= 0
    if (this.#position > this.end) this.#fail('is longer than its length says')
    this.#position = this.end
    return true
  }

  /** A zigzag varint of up to 64 bits; exact up to 2^53. */
  #varint(): number {
    let raw = 0
    let scale = 1
    for (let length = 0; length < 10; length++) {
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
