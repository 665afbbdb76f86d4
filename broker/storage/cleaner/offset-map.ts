/**
 * The newest offset of each key in the part of a log that is to be compacted.
 *
 * Keys are known by 128 bits of their SHA-256, so that a key takes 24 bytes whatever its length and the whole map has
 * a bound; two keys of one log share a hash once in 2^64 keys. (Apache Kafka's map is the same with MD5, for which
 * a producer could make two keys that collide, and thereby lose one of them.)
 *
 * Open addressing: a slot is four words of hash and an offset plus one, 0 where the slot is free. The first four
 * places of a key come from the words of its hash, the next ones follow the last of these.
 */
import { hash } from 'node:crypto'

const WORDS = 4
/** Bytes of a slot: what one key takes. */
export const SLOT_BYTES = WORDS * 4 + 8

export interface OffsetMapOptions {
  /** More keys than this never come: the map is made no larger than they need. */
  readonly expectedKeys: number
  /** `log.cleaner.dedupe.buffer.size` */
  readonly maxBytes: number
  /** `log.cleaner.io.buffer.load.factor`: share of the slots that may be taken. */
  readonly loadFactor: number
}

export class OffsetMap {
  /** Keys that fit. */
  readonly capacity: number
  readonly #slots: number
  readonly #hashes: Int32Array
  readonly #offsets: Float64Array
  /** The hash of the key in question. */
  readonly #words = new Int32Array(WORDS)
  #size = 0
  #latestOffset = -1

  constructor({ expectedKeys, maxBytes, loadFactor }: OffsetMapOptions) {
    const fitting = Math.floor(maxBytes / SLOT_BYTES)
    this.#slots = Math.max(2, Math.min(fitting, Math.ceil(expectedKeys / loadFactor) + 1))
    // One slot stays free, where a search ends.
    this.capacity = Math.min(Math.floor(this.#slots * loadFactor), this.#slots - 1)
    this.#hashes = new Int32Array(this.#slots * WORDS)
    this.#offsets = new Float64Array(this.#slots)
  }

  /** Distinct keys. */
  get size(): number {
    return this.#size
  }

  /** Share of the capacity that is in use, 0 to 1. */
  get utilization(): number {
    return this.capacity === 0 ? 1 : this.#size / this.capacity
  }

  /** Everything up to this offset has been put in; -1 at first. */
  get latestOffset(): number {
    return this.#latestOffset
  }

  /** Everything up to `offset` is in the map, records without a key included. */
  reached(offset: number): void {
    this.#latestOffset = Math.max(this.#latestOffset, offset)
  }

  /** Takes note of a record; offsets must rise. False, and nothing is done, for a new key when the map is full. */
  put(key: Buffer, offset: number): boolean {
    const slot = this.#slotOf(key)
    if (this.#offsets[slot] === 0) {
      if (this.#size >= this.capacity) return false
      this.#size += 1
      this.#hashes.set(this.#words, slot * WORDS)
    }
    this.#offsets[slot] = offset + 1
    return true
  }

  /** The newest offset of the key; -1 when it is not in the map. */
  get(key: Buffer): number {
    return this.#offsets[this.#slotOf(key)]! - 1
  }

  /** Where the key is, or the free slot where it would go. */
  #slotOf(key: Buffer): number {
    const digest = hash('sha256', key, 'binary')
    for (let word = 0; word < WORDS; word++) this.#words[word] = wordAt(digest, word * 4)
    for (let attempt = 0; ; attempt++) {
      const slot = this.#place(attempt)
      if (this.#offsets[slot] === 0 || this.#holdsAt(slot)) return slot
    }
  }

  #place(attempt: number): number {
    const word = Math.min(attempt, WORDS - 1)
    return ((this.#words[word]! >>> 0) + attempt - word) % this.#slots
  }

  #holdsAt(slot: number): boolean {
    const at = slot * WORDS
    const hashes = this.#hashes
    const words = this.#words
    return (
      hashes[at] === words[0] &&
      hashes[at + 1] === words[1] &&
      hashes[at + 2] === words[2] &&
      hashes[at + 3] === words[3]
    )
  }

  /** Gives the memory back at once; the map must not be used afterwards. */
  release(): void {
    const { buffer: hashes } = this.#hashes
    const { buffer: offsets } = this.#offsets
    for (const buffer of [hashes, offsets]) if (buffer instanceof ArrayBuffer) buffer.transfer(0)
  }
}

/** Four characters of a binary string as one number of 32 bits. */
function wordAt(text: string, at: number): number {
  return (
    text.charCodeAt(at) |
    (text.charCodeAt(at + 1) << 8) |
    (text.charCodeAt(at + 2) << 16) |
    (text.charCodeAt(at + 3) << 24)
  )
}
