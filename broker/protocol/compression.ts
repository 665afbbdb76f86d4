/**
 * The codecs of record batches: bytes of records <-> bytes of a batch. gzip and zstd are Node's; Snappy and LZ4 are
 * in compression/, for reasons that docs/decisions/0101 tells. What comes out is bounded before memory is taken for
 * it, and damaged input is told as CORRUPT_MESSAGE, whatever it is.
 */
import { constants, gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { decodeFrame, encodeFrame } from './compression/lz4-frame.ts'
import { OutputBoundError } from './compression/output-bound.ts'
import { decodeSnappy, encodeSnappy } from './compression/snappy.ts'
import { KafkaError } from './errors.ts'

/** Codecs by their number in a batch's attributes. */
export const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const
export type Codec = (typeof CODECS)[number]

/** The levels that Kafka allows, and its defaults; Snappy has none. */
export const COMPRESSION_LEVELS = {
  gzip: { min: 1, max: 9, default: constants.Z_DEFAULT_COMPRESSION },
  lz4: { min: 1, max: 17, default: 9 },
  zstd: { min: -131_072, max: 22, default: 3 },
} as const

/** Large enough for most batches to be decompressed in one step. */
const CHUNK_BYTES = 64 * 1024

interface Implementation {
  readonly compress: (bytes: Buffer, level: number | undefined) => Buffer
  readonly decompress: (bytes: Buffer, maxBytes: number) => Buffer
}

const IMPLEMENTATIONS: Readonly<Record<Codec, Implementation>> = {
  none: { compress: (bytes) => bytes, decompress: (bytes) => bytes },
  gzip: {
    compress: (bytes, level = COMPRESSION_LEVELS.gzip.default) => gzipSync(bytes, { level }),
    decompress: (bytes, maxBytes) => gunzipSync(bytes, { maxOutputLength: maxBytes, chunkSize: CHUNK_BYTES }),
  },
  snappy: {
    compress: (bytes) => finish(encodeSnappy(bytes)),
    decompress: (bytes, maxBytes) => finish(decodeSnappy(bytes, maxBytes)),
  },
  lz4: {
    compress: (bytes, level = COMPRESSION_LEVELS.lz4.default) => finish(encodeFrame(bytes, level)),
    decompress: (bytes, maxBytes) => finish(decodeFrame(bytes, maxBytes)),
  },
  zstd: {
    compress: (bytes, level = COMPRESSION_LEVELS.zstd.default) =>
      zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: level } }),
    decompress: unzstd,
  },
}

/** The bytes in that codec; `level` as in COMPRESSION_LEVELS. */
export function compress(codec: Codec, bytes: Buffer, level?: number): Buffer {
  return IMPLEMENTATIONS[codec].compress(bytes, level)
}

/**
 * What compressed bytes hold. Throws CORRUPT_MESSAGE for bytes that are not whole and right in that codec, and
 * OutputBoundError where they hold more than `maxBytes`, which is at least 1.
 */
export function decompress(codec: Codec, bytes: Buffer, maxBytes: number): Buffer {
  try {
    const plain = IMPLEMENTATIONS[codec].decompress(bytes, maxBytes)
    if (plain.length > maxBytes) throw new OutputBoundError(maxBytes)
    return plain
  } catch (error) {
    if (error instanceof KafkaError) throw error
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ERR_BUFFER_TOO_LARGE') throw new OutputBoundError(maxBytes)
    throw new KafkaError('CORRUPT_MESSAGE', `the ${codec} data of the batch: ${message}`)
  }
}

/** Node reads one frame of zstd and says where it ended; there may be more. */
function unzstd(bytes: Buffer, maxBytes: number): Buffer {
  const frames: Buffer[] = []
  let position = 0
  let size = 0
  do {
    const { buffer, engine } = zstdDecompressSync(bytes.subarray(position), {
      maxOutputLength: Math.max(maxBytes - size, 1),
      chunkSize: CHUNK_BYTES,
      info: true,
    }) as unknown as { buffer: Buffer; engine: { bytesWritten: number } }
    position += engine.bytesWritten
    size += buffer.length
    frames.push(buffer)
  } while (position < bytes.length && size <= maxBytes)
  return frames.length === 1 ? frames[0]! : Buffer.concat(frames, size)
}

function finish(steps: Generator<void, Buffer>): Buffer {
  for (;;) {
    const step = steps.next()
    if (step.done) return step.value
  }
}
