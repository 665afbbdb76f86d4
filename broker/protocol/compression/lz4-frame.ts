/**
 * LZ4 frames (github.com/lz4/lz4, doc/lz4_Frame_format.md) as Kafka's clients write them. All numbers are
 * little-endian:
 *
 *   0x184D2204 uint32 | flags uint8 | block size uint8 | content size uint64, if flagged | dictionary id uint32, if
 *   flagged | header checksum uint8 | blocks | 0 uint32 | content checksum uint32, if flagged
 *   block: size uint32, its high bit set when the bytes are stored | bytes | checksum uint32, if flagged
 *
 * Written are independent blocks of 64 KiB without checksums, as the Java client does and reads. Checksums are
 * skipped when reading: that of the record batch covers all of it.
 */
import { KafkaError } from '../errors.ts'
import { copyLiteral, type Cursor } from './cursor.ts'
import { decodeBlock, encodeBlock, MatchFinder, maxBlockBytes } from './lz4-block.ts'
import { OutputBoundError } from './output-bound.ts'

const MAGIC = 0x184d2204
const VERSION_MASK = 0xc0
const VERSION = 0x40
const BLOCK_CHECKSUMS = 0x10
const CONTENT_SIZE = 0x08
const DICTIONARY = 0x01
const STORED = 0x8000_0000
const BLOCK_BYTES = 64 * 1024
/** Magic, flags (version 1, independent blocks), block size 64 KiB, and the checksum that these have. */
const HEADER = Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82])

/** Kafka's default, and the only level that does not search thoroughly (as in the Java client). */
const FAST_LEVEL = 9
/** Above this a thorough search costs more time than it saves bytes. */
const MAX_ATTEMPTS = 128

/** Steps that make a frame of `bytes`, a block each. Levels are 1 to 17. */
export function* encodeFrame(bytes: Buffer, level: number = FAST_LEVEL): Generator<void, Buffer> {
  const finder = new MatchFinder(level === FAST_LEVEL ? 1 : Math.min(2 ** (level - 1), MAX_ATTEMPTS) + 1)
  const blocks = Math.ceil(bytes.length / BLOCK_BYTES)
  const target = Buffer.allocUnsafe(
    HEADER.length + bytes.length + (blocks + 1) * (4 + maxBlockBytes(0)) + 512,
  )
  let written = HEADER.copy(target)
  for (let start = 0; start < bytes.length; start += BLOCK_BYTES) {
    if (start > 0) yield
    const end = Math.min(start + BLOCK_BYTES, bytes.length)
    const size = encodeBlock(bytes, start, end, target, written + 4, finder) - written - 4
    const isSmaller = size < end - start
    target.writeUInt32LE(isSmaller ? size : end - start + STORED, written)
    if (!isSmaller) bytes.copy(target, written + 4, start, end)
    written += 4 + Math.min(size, end - start)
  }
  target.writeUInt32LE(0, written)
  return target.subarray(0, written + 4)
}

interface FrameHeader {
  readonly hasBlockChecksums: boolean
  readonly maxBlockBytes: number
  readonly sizeBytes: number
}

/** Steps that read a frame, a block each. Throws CORRUPT_MESSAGE, and OutputBoundError beyond `maxBytes`. */
export function* decodeFrame(bytes: Buffer, maxBytes: number): Generator<void, Buffer> {
  const header = readHeader(bytes)
  const bound = outputBound(bytes, header)
  const target = Buffer.allocUnsafe(Math.min(bound, maxBytes))
  const tooMuch = (): KafkaError =>
    bound > maxBytes
      ? new OutputBoundError(maxBytes)
      : corrupt('has a block that is larger than its header allows')
  const cursor: Cursor = { source: bytes, position: 0, end: 0, target, written: 0, tooMuch }
  for (const block of blocksOf(bytes, header)) {
    cursor.position = block.start
    cursor.end = block.start + block.sizeBytes
    if (block.isStored) copyLiteral(cursor, block.sizeBytes)
    else decodeBlock(cursor)
    yield
  }
  return target.subarray(0, cursor.written)
}

/** The most bytes that the blocks can become, by their sizes alone: a byte of LZ4 stands for 255 at most. */
function outputBound(bytes: Buffer, header: FrameHeader): number {
  let bound = 0
  for (const { sizeBytes, isStored } of blocksOf(bytes, header)) {
    bound += isStored ? sizeBytes : Math.min(header.maxBlockBytes, sizeBytes * 255)
  }
  return bound
}

function readHeader(bytes: Buffer): FrameHeader {
  if (bytes.length < HEADER.length || bytes.readUInt32LE(0) !== MAGIC) throw corrupt('does not begin as one')
  const flags = bytes[4]!
  if ((flags & VERSION_MASK) !== VERSION) throw corrupt(`has the version ${flags >>> 6}; only 1 exists`)
  if ((flags & DICTIONARY) !== 0) throw corrupt('needs a dictionary')
  const code = (bytes[5]! >>> 4) & 7
  if (code < 4) throw corrupt(`has the block size ${code}; there are 4 to 7`)
  return {
    hasBlockChecksums: (flags & BLOCK_CHECKSUMS) !== 0,
    maxBlockBytes: 1 << (2 * code + 8),
    sizeBytes: HEADER.length + ((flags & CONTENT_SIZE) === 0 ? 0 : 8),
  }
}

interface Block {
  readonly start: number
  readonly sizeBytes: number
  readonly isStored: boolean
}

function* blocksOf(bytes: Buffer, header: FrameHeader): Generator<Block, void> {
  let position = header.sizeBytes
  for (;;) {
    if (position + 4 > bytes.length) throw corrupt('has no end mark')
    const word = bytes.readUInt32LE(position)
    if (word === 0) return
    const isStored = word >= STORED
    const sizeBytes = isStored ? word - STORED : word
    const start = position + 4
    if (sizeBytes > header.maxBlockBytes)
      throw corrupt(`has a block of ${sizeBytes} bytes at byte ${position}`)
    if (sizeBytes > bytes.length - start) throw corrupt(`ends inside its block at byte ${position}`)
    yield { start, sizeBytes, isStored }
    position = start + sizeBytes + (header.hasBlockChecksums ? 4 : 0)
  }
}

function corrupt(what: string): KafkaError {
  return new KafkaError('CORRUPT_MESSAGE', `the LZ4 frame ${what}`)
}
