/**
 * Snappy (github.com/google/snappy, format_description.txt), bare and in the framing of the Java client:
 *
 *   bare    length varint of what it becomes, then elements. The low two bits of an element's first byte:
 *           0 literal     size - 1 in the high 6 bits; 60 to 63: in the next 1 to 4 bytes, little-endian
 *           1 copy        3 bits size - 4, 11 bits distance: 3 of the first byte, then one byte
 *           2, 3 copy     6 bits size - 1, distance uint16 or uint32, little-endian
 *   framed  82 "SNAPPY" 00 | version int32 | compatible version int32, and for each 32 KiB: size int32, bare Snappy;
 *           big-endian
 */
import { KafkaError } from '../errors.ts'
import { copyLiteral, copyMatch, type Cursor, readByte } from './cursor.ts'
import { encodeSnappyBlock, maxSnappyBlockBytes } from './snappy-encoder.ts'
import { OutputBoundError } from './output-bound.ts'

const FRAME_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0])
const FRAME_HEADER = Buffer.concat([FRAME_MAGIC, Buffer.from([0, 0, 0, 1, 0, 0, 0, 1])])
const CHUNK_BYTES = 32 * 1024
/** Output after which a long block pauses. */
const STEP_BYTES = 1024 * 1024
/** A copy element of 3 bytes stands for 64 at most. */
const MAX_EXPANSION = 64 / 2

interface Block {
  /** Where its elements begin and end. */
  readonly start: number
  readonly end: number
  /** Size of what it becomes. */
  readonly outputBytes: number
}

/** Steps that read Snappy in either form, a MiB each. Throws CORRUPT_MESSAGE, and OutputBoundError. */
export function* decodeSnappy(bytes: Buffer, maxBytes: number): Generator<void, Buffer> {
  const blocks = isFramed(bytes) ? framedBlocks(bytes) : [readBlock(bytes, 0, bytes.length)]
  const size = blocks.reduce((sum, { outputBytes }) => sum + outputBytes, 0)
  if (size > maxBytes) throw new OutputBoundError(maxBytes)
  const output = Buffer.allocUnsafe(size)
  let at = 0
  for (const { start, end, outputBytes } of blocks) {
    const target = output.subarray(at, at + outputBytes)
    const tooMuch = (): KafkaError => corrupt(`becomes more than the ${outputBytes} bytes that it announces`)
    const cursor: Cursor = { source: bytes, position: start, end, target, written: 0, tooMuch }
    while (cursor.position < end) {
      decodeElements(cursor, cursor.written + STEP_BYTES)
      yield
    }
    if (cursor.written < outputBytes) throw corrupt(`ends after ${cursor.written} of ${outputBytes} bytes`)
    at += outputBytes
  }
  return output
}

function isFramed(bytes: Buffer): boolean {
  return bytes.length >= FRAME_HEADER.length && bytes.subarray(0, FRAME_MAGIC.length).equals(FRAME_MAGIC)
}

function framedBlocks(bytes: Buffer): Block[] {
  const blocks: Block[] = []
  for (let position = FRAME_HEADER.length; position < bytes.length;) {
    if (position + 4 > bytes.length) throw corrupt(`ends inside a size at byte ${position}`)
    const start = position + 4
    const size = bytes.readInt32BE(position)
    if (size < 0 || size > bytes.length - start) {
      throw corrupt(
        `has a block of ${size} bytes at byte ${position}, of which ${bytes.length - start} are there`,
      )
    }
    blocks.push(readBlock(bytes, start, start + size))
    position = start + size
  }
  return blocks
}

/** Takes the length off the front; it cannot be more than the elements can make, 64 bytes from 3. */
function readBlock(bytes: Buffer, start: number, end: number): Block {
  let outputBytes = 0
  for (let position = start, factor = 1; position < end && factor <= 2 ** 28; factor *= 128) {
    const byte = bytes[position++]!
    outputBytes += (byte & 0x7f) * factor
    if (byte >= 128) continue
    const elementBytes = end - position
    if (outputBytes > elementBytes * MAX_EXPANSION) {
      throw corrupt(`announces ${outputBytes} bytes, more than ${elementBytes} can become`)
    }
    return { start: position, end, outputBytes }
  }
  throw corrupt('does not begin with a length')
}

/** Decodes until the end, or until `pauseAt` bytes are written. */
function decodeElements(cursor: Cursor, pauseAt: number): void {
  while (cursor.position < cursor.end && cursor.written < pauseAt) {
    const tag = readByte(cursor)
    const high = tag >>> 2
    switch (tag & 3) {
      case 0:
        copyLiteral(cursor, 1 + (high < 60 ? high : readNumber(cursor, high - 59)))
        break
      case 1:
        copyMatch(cursor, ((tag >>> 5) << 8) | readByte(cursor), 4 + (high & 7))
        break
      default:
        copyMatch(cursor, readNumber(cursor, (tag & 3) === 2 ? 2 : 4), 1 + high)
    }
  }
}

function readNumber(cursor: Cursor, bytes: number): number {
  let value = 0
  for (let index = 0, factor = 1; index < bytes; index++, factor *= 256) value += readByte(cursor) * factor
  return value
}

/** Steps that make Snappy in the Java client's framing. */
export function* encodeSnappy(bytes: Buffer): Generator<void, Buffer> {
  const chunks = Math.ceil(bytes.length / CHUNK_BYTES)
  const target = Buffer.allocUnsafe(FRAME_HEADER.length + chunks * (4 + maxSnappyBlockBytes(CHUNK_BYTES)))
  let written = FRAME_HEADER.copy(target)
  for (let start = 0; start < bytes.length; start += CHUNK_BYTES) {
    if (start > 0) yield
    const end = encodeSnappyBlock(
      bytes,
      start,
      Math.min(start + CHUNK_BYTES, bytes.length),
      target,
      written + 4,
    )
    target.writeInt32BE(end - written - 4, written)
    written = end
  }
  return target.subarray(0, written)
}

function corrupt(what: string): KafkaError {
  return new KafkaError('CORRUPT_MESSAGE', `the Snappy data ${what}`)
}
