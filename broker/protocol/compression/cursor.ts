/**
 * Where a decoder of LZ4 or Snappy stands: it reads `source` up to `end` and writes `target`, whose size is the
 * bound on the output. Both are byte formats that copy from what was written before, so a damaged input can say
 * anything: every length and distance is checked before it is used.
 */
import { KafkaError } from '../errors.ts'

export interface Cursor {
  readonly source: Buffer
  position: number
  /** One past the last byte of `source` that belongs to the block being decoded. */
  end: number
  readonly target: Buffer
  written: number
  /** What to throw when the block holds more than `target` has room for. */
  readonly tooMuch: () => KafkaError
}

/** The next byte of the block. Throws CORRUPT_MESSAGE at its end. */
export function readByte(cursor: Cursor): number {
  if (cursor.position >= cursor.end) throw damaged(cursor, 'ends in the middle of an element')
  return cursor.source[cursor.position++]!
}

/** Copies bytes of the source to the target. */
export function copyLiteral(cursor: Cursor, size: number): void {
  const { source, position, target, written } = cursor
  if (size > cursor.end - position)
    throw damaged(cursor, `has a literal of ${size} bytes that it does not hold`)
  if (size > target.length - written) throw cursor.tooMuch()
  if (size > 24) source.copy(target, written, position, position + size)
  else for (let index = 0; index < size; index++) target[written + index] = source[position + index]!
  cursor.position = position + size
  cursor.written = written + size
}

/** Repeats what was written `distance` bytes before; the two may overlap. */
export function copyMatch(cursor: Cursor, distance: number, size: number): void {
  const { target, written } = cursor
  if (distance === 0 || distance > written) {
    throw damaged(cursor, `refers to ${distance} bytes before its byte ${written}`)
  }
  if (size > target.length - written) throw cursor.tooMuch()
  if (size > 48 && distance >= size) target.copyWithin(written, written - distance, written - distance + size)
  else if (size > 48 && distance === 1) target.fill(target[written - 1]!, written, written + size)
  else for (let index = written; index < written + size; index++) target[index] = target[index - distance]!
  cursor.written = written + size
}

export function damaged(cursor: Cursor, what: string): KafkaError {
  return new KafkaError('CORRUPT_MESSAGE', `the compressed block ${what} (at byte ${cursor.position})`)
}
