/** Writes bare Snappy blocks of at most 64 KiB; snappy.ts has the format. */

const HASH_BITS = 14
const MIN_MATCH = 4
/** Matches are not looked for in the last bytes: the four bytes there may not be there. */
const MARGIN = 15
const heads = new Uint16Array(1 << HASH_BITS)

/** The largest block that `size` bytes can become. */
export function maxSnappyBlockBytes(size: number): number {
  return 32 + size + Math.ceil(size / 6)
}

/**
 * Encodes `source` from `start` to `end`, at most 64 KiB, to `target` from `at` on, where maxSnappyBlockBytes must be
 * free; returns where the block ends.
 */
export function encodeSnappyBlock(
  source: Buffer,
  start: number,
  end: number,
  target: Buffer,
  at: number,
): number {
  // A head of 0 means the first byte of the block, which is then compared like any other candidate.
  heads.fill(0)
  let written = writeLength(target, at, end - start)
  let anchor = start
  let position = start + 1
  while (position < end - MARGIN) {
    const word = wordAt(source, position)
    const slot = Math.imul(word, 0x1e35a7bd) >>> (32 - HASH_BITS)
    const candidate = start + heads[slot]!
    heads[slot] = position - start
    if (wordAt(source, candidate) !== word) {
      // Where nothing has matched for long, it is worth less and less to look.
      position += 1 + ((position - anchor) >>> 6)
      continue
    }
    let matchEnd = position + MIN_MATCH
    const distance = position - candidate
    while (matchEnd < end && source[matchEnd] === source[matchEnd - distance]) matchEnd++
    written = writeLiteral(source, anchor, position, target, written)
    written = writeCopies(distance, matchEnd - position, target, written)
    position = matchEnd
    anchor = matchEnd
  }
  return writeLiteral(source, anchor, end, target, written)
}

function wordAt(source: Buffer, at: number): number {
  return source[at]! | (source[at + 1]! << 8) | (source[at + 2]! << 16) | (source[at + 3]! << 24)
}

function writeLength(target: Buffer, at: number, value: number): number {
  let written = at
  let rest = value
  for (; rest >= 128; rest >>>= 7) target[written++] = (rest & 0x7f) | 0x80
  target[written++] = rest
  return written
}

function writeLiteral(source: Buffer, start: number, end: number, target: Buffer, at: number): number {
  const size = end - start
  if (size === 0) return at
  let written = at
  if (size <= 60) target[written++] = (size - 1) << 2
  else if (size <= 256) {
    target[written++] = 60 << 2
    target[written++] = size - 1
  } else {
    target[written++] = 61 << 2
    target[written++] = (size - 1) & 0xff
    target[written++] = (size - 1) >>> 8
  }
  if (size > 24) source.copy(target, written, start, end)
  else for (let index = 0; index < size; index++) target[written + index] = source[start + index]!
  return written + size
}

/** One match, in as many elements as its length needs; none of them shorter than 4 bytes. */
function writeCopies(distance: number, length: number, target: Buffer, at: number): number {
  let written = at
  let left = length
  while (left > 64) {
    const size = left >= 68 ? 64 : 60
    written = writeLongCopy(distance, size, target, written)
    left -= size
  }
  if (left >= 12 || distance >= 2048) return writeLongCopy(distance, left, target, written)
  target[written++] = ((distance >>> 8) << 5) | ((left - 4) << 2) | 1
  target[written++] = distance & 0xff
  return written
}

function writeLongCopy(distance: number, length: number, target: Buffer, at: number): number {
  target[at] = ((length - 1) << 2) | 2
  target[at + 1] = distance & 0xff
  target[at + 2] = distance >>> 8
  return at + 3
}
