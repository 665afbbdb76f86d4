/**
 * LZ4 blocks (github.com/lz4/lz4, doc/lz4_Block_format.md): a row of sequences, each
 *
 *   token      high 4 bits: literal length, low 4 bits: match length - 4; 15 means that more length bytes follow
 *   literals   copied as they are
 *   distance   uint16, little-endian; missing in the last sequence, which is literals only
 *
 * The format asks that the last 5 bytes be literals and that no match begin in the last 12.
 */
import { copyLiteral, copyMatch, type Cursor, damaged, readByte } from './cursor.ts'

const MIN_MATCH = 4
const LAST_LITERALS = 5
const LAST_MATCH_START = 12
const MAX_DISTANCE = 0xffff
const HASH_BITS = 14

/** Decodes the block from `cursor.position` to `cursor.end`. Throws CORRUPT_MESSAGE. */
export function decodeBlock(cursor: Cursor): void {
  while (cursor.position < cursor.end) {
    const token = readByte(cursor)
    const literals = readLength(cursor, token >>> 4)
    if (literals > 0) copyLiteral(cursor, literals)
    if (cursor.position === cursor.end) return
    const low = readByte(cursor)
    const distance = low | (readByte(cursor) << 8)
    copyMatch(cursor, distance, readLength(cursor, token & 15) + MIN_MATCH)
  }
  throw damaged(cursor, 'ends with a match')
}

function readLength(cursor: Cursor, nibble: number): number {
  if (nibble < 15) return nibble
  let length = nibble
  for (;;) {
    const byte = readByte(cursor)
    length += byte
    if (byte < 255) return length
  }
}

/** The largest block that `size` bytes can become. */
export function maxBlockBytes(size: number): number {
  return size + Math.floor(size / 255) + 16
}

/** Finds earlier occurrences of the four bytes at a position; kept from block to block to save its memory. */
export class MatchFinder {
  /** The last position with this hash, -1 for none, relative to the block. */
  readonly #heads = new Int32Array(1 << HASH_BITS)
  /** For each position the one before with the same hash; used when more than one candidate is tried. */
  readonly #previous = new Int32Array(MAX_DISTANCE + 1)
  readonly #attempts: number
  distance = 0
  length = 0

  /** `attempts`: how many candidates are tried at each position. */
  constructor(attempts: number) {
    this.#attempts = attempts
  }

  get isThorough(): boolean {
    return this.#attempts > 1
  }

  reset(): void {
    this.#heads.fill(-1)
  }

  /** Remembers `position` and sets `length` (0 for none) and `distance` of the best match there before `limit`. */
  find(source: Buffer, start: number, position: number, limit: number): void {
    const word = wordAt(source, position)
    const slot = hash(word)
    let candidate = this.#heads[slot]!
    this.#heads[slot] = position - start
    if (this.#attempts > 1) this.#previous[position - start] = candidate
    this.length = 0
    for (let left = this.#attempts; candidate >= 0 && left > 0; left--) {
      const earlier = start + candidate
      if (wordAt(source, earlier) === word) {
        let end = position + MIN_MATCH
        while (end < limit && source[end] === source[end - position + earlier]) end++
        if (end - position > this.length) {
          this.length = end - position
          this.distance = position - earlier
          if (end === limit) return
        }
      }
      candidate = this.#attempts > 1 ? this.#previous[candidate]! : -1
    }
  }

  /** Remembers a position without looking for a match. */
  remember(source: Buffer, start: number, position: number): void {
    const slot = hash(wordAt(source, position))
    this.#previous[position - start] = this.#heads[slot]!
    this.#heads[slot] = position - start
  }
}

function wordAt(source: Buffer, at: number): number {
  return source[at]! | (source[at + 1]! << 8) | (source[at + 2]! << 16) | (source[at + 3]! << 24)
}

function hash(word: number): number {
  return Math.imul(word, -1640531535) >>> (32 - HASH_BITS)
}

/**
 * Encodes `source` from `start` to `end`, at most 64 KiB, to `target` from `at` on, where maxBlockBytes must be
 * free; returns where the block ends.
 */
export function encodeBlock(
  source: Buffer,
  start: number,
  end: number,
  target: Buffer,
  at: number,
  finder: MatchFinder,
): number {
  finder.reset()
  const lastMatchStart = end - LAST_MATCH_START
  const matchLimit = end - LAST_LITERALS
  let anchor = start
  let position = start
  let written = at
  while (position <= lastMatchStart) {
    finder.find(source, start, position, matchLimit)
    if (finder.length === 0) {
      // Where nothing has matched for long, it is worth less and less to look.
      position += finder.isThorough ? 1 : 1 + ((position - anchor) >>> 6)
      continue
    }
    written = writeSequence(source, anchor, position, target, written, finder)
    const next = position + finder.length
    if (finder.isThorough) {
      for (let inside = position + 1; inside < next && inside <= lastMatchStart; inside++) {
        finder.remember(source, start, inside)
      }
    }
    position = next
    anchor = next
  }
  written = writeLiterals(source, anchor, end, target, written, 0)
  return written
}

function writeSequence(
  source: Buffer,
  anchor: number,
  position: number,
  target: Buffer,
  at: number,
  match: MatchFinder,
): number {
  const extra = match.length - MIN_MATCH
  let written = writeLiterals(source, anchor, position, target, at, Math.min(extra, 15))
  target[written++] = match.distance & 0xff
  target[written++] = match.distance >>> 8
  return extra < 15 ? written : writeLength(target, written, extra - 15)
}

/** Writes a token and the literals of its sequence. */
function writeLiterals(
  source: Buffer,
  start: number,
  end: number,
  target: Buffer,
  at: number,
  matchNibble: number,
): number {
  const size = end - start
  let written = at
  target[written++] = (Math.min(size, 15) << 4) | matchNibble
  if (size >= 15) written = writeLength(target, written, size - 15)
  if (size > 24) source.copy(target, written, start, end)
  else for (let index = 0; index < size; index++) target[written + index] = source[start + index]!
  return written + size
}

function writeLength(target: Buffer, at: number, rest: number): number {
  let written = at
  let left = rest
  for (; left >= 255; left -= 255) target[written++] = 255
  target[written++] = left
  return written
}
