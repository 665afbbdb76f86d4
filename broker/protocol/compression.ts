/**
 * The codecs of record batches: bytes of records <-> bytes of a batch. gzip and zstd are Node's; Snappy and LZ4 are
 * in compression/ (decision 101). What comes out is bounded before memory is taken for it, and damaged input is told as
 * CORRUPT_MESSAGE, whatever it is. Each codec works at once, or in the background: gzip and zstd in another thread,
 * Snappy and LZ4 in portions, with other work in between.
 */
import type { Transform } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { promisify } from 'node:util'
import zlib from 'node:zlib'
import { decodeFrame, encodeFrame } from './compression/lz4-frame.ts'
import { OutputBoundError } from './compression/output-bound.ts'
import { decodeSnappy, encodeSnappy } from './compression/snappy.ts'
import { KafkaError } from './errors.ts'

/** Codecs by their number in a batch's attributes. */
export const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const
export type Codec = (typeof CODECS)[number]

/** The levels that Kafka allows, and its defaults; Snappy has none. */
export const COMPRESSION_LEVELS = {
  gzip: { min: 1, max: 9, default: zlib.constants.Z_DEFAULT_COMPRESSION },
  lz4: { min: 1, max: 17, default: 9 },
  zstd: { min: -131_072, max: 22, default: 3 },
} as const

/** Large enough for most batches to be decompressed in one step. */
const CHUNK_BYTES = 64 * 1024
/** The same for what is large: each step is a way to another thread and back. */
const LARGE_CHUNK_BYTES = 1024 * 1024
const COPIED_AT_ONCE_BYTES = 4 * 1024 * 1024
/** How long Snappy and LZ4 may work before others get their turn. */
const PORTION_MS = 5

interface Implementation {
  readonly compress: (bytes: Buffer, level: number | undefined) => Buffer
  readonly compressInBackground: (bytes: Buffer, level: number | undefined) => Promise<Buffer>
  readonly decompress: (bytes: Buffer, maxBytes: number) => Buffer
  readonly decompressInBackground: (bytes: Buffer, maxBytes: number) => Promise<Buffer>
}

const gzipOptions = (level: number = COMPRESSION_LEVELS.gzip.default): zlib.ZlibOptions => ({ level })
const zstdOptions = (level: number = COMPRESSION_LEVELS.zstd.default): zlib.ZstdOptions => ({
  params: { [zlib.constants.ZSTD_c_compressionLevel]: level },
})

/** Input that ends early is an error. */
const zstdReadOptions: zlib.ZstdOptions = {
  chunkSize: CHUNK_BYTES,
  finishFlush: zlib.constants.ZSTD_e_end,
}

const gzip = promisify<Buffer, zlib.ZlibOptions, Buffer>(zlib.gzip)
const zstdCompress = promisify<Buffer, zlib.ZstdOptions, Buffer>(zlib.zstdCompress)

const IMPLEMENTATIONS: Readonly<Record<Codec, Implementation>> = {
  none: {
    compress: (bytes) => bytes,
    compressInBackground: (bytes) => Promise.resolve(bytes),
    decompress: (bytes) => bytes,
    decompressInBackground: (bytes) => Promise.resolve(bytes),
  },
  gzip: {
    compress: (bytes, level) => zlib.gzipSync(bytes, gzipOptions(level)),
    compressInBackground: (bytes, level) => gzip(bytes, gzipOptions(level)),
    decompress: (bytes, maxBytes) =>
      zlib.gunzipSync(bytes, { maxOutputLength: maxBytes, chunkSize: CHUNK_BYTES }),
    decompressInBackground: gunzipInBackground,
  },
  snappy: {
    compress: (bytes) => atOnce(encodeSnappy(bytes)),
    compressInBackground: (bytes) => inPortions(encodeSnappy(bytes)),
    decompress: (bytes, maxBytes) => atOnce(decodeSnappy(bytes, maxBytes)),
    decompressInBackground: (bytes, maxBytes) => inPortions(decodeSnappy(bytes, maxBytes)),
  },
  lz4: {
    compress: (bytes, level) => atOnce(encodeFrame(bytes, level)),
    compressInBackground: (bytes, level) => inPortions(encodeFrame(bytes, level)),
    decompress: (bytes, maxBytes) => atOnce(decodeFrame(bytes, maxBytes)),
    decompressInBackground: (bytes, maxBytes) => inPortions(decodeFrame(bytes, maxBytes)),
  },
  zstd: {
    compress: (bytes, level) => zlib.zstdCompressSync(bytes, zstdOptions(level)),
    compressInBackground: (bytes, level) => zstdCompress(bytes, zstdOptions(level)),
    decompress: unzstd,
    decompressInBackground: unzstdInBackground,
  },
}

/** The bytes in that codec; `level` as in COMPRESSION_LEVELS. */
export function compress(codec: Codec, bytes: Buffer, level?: number): Buffer {
  return IMPLEMENTATIONS[codec].compress(bytes, level)
}

/** The same while other work goes on; `bytes` may not change meanwhile. */
export function compressInBackground(codec: Codec, bytes: Buffer, level?: number): Promise<Buffer> {
  return IMPLEMENTATIONS[codec].compressInBackground(bytes, level)
}

/**
 * What compressed bytes hold. Throws CORRUPT_MESSAGE for bytes that are not whole and right in that codec, and
 * OutputBoundError where they hold more than `maxBytes`, which is at least 1.
 */
export function decompress(codec: Codec, bytes: Buffer, maxBytes: number): Buffer {
  try {
    return checkBound(IMPLEMENTATIONS[codec].decompress(bytes, maxBytes), maxBytes)
  } catch (error) {
    throw asKafkaError(error, codec, maxBytes)
  }
}

/** The same while other work goes on; `bytes` may not change meanwhile. */
export async function decompressInBackground(codec: Codec, bytes: Buffer, maxBytes: number): Promise<Buffer> {
  try {
    return checkBound(await IMPLEMENTATIONS[codec].decompressInBackground(bytes, maxBytes), maxBytes)
  } catch (error) {
    throw asKafkaError(error, codec, maxBytes)
  }
}

function checkBound(plain: Buffer, maxBytes: number): Buffer {
  if (plain.length > maxBytes) throw new OutputBoundError(maxBytes)
  return plain
}

function asKafkaError(error: unknown, codec: Codec, maxBytes: number): KafkaError {
  if (error instanceof KafkaError) return error
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'ERR_BUFFER_TOO_LARGE') return new OutputBoundError(maxBytes)
  return new KafkaError('CORRUPT_MESSAGE', `the ${codec} data of the batch: ${message}`)
}

/** Node reads one frame of zstd and, with the option `info`, tells where that ended: there may be more. */
function unzstd(bytes: Buffer, maxBytes: number): Buffer {
  const frames: Buffer[] = []
  let position = 0
  let size = 0
  do {
    const { buffer, engine } = zlib.zstdDecompressSync(bytes.subarray(position), {
      ...zstdReadOptions,
      maxOutputLength: Math.max(maxBytes - size, 1),
      info: true,
    }) as unknown as { buffer: Buffer; engine: { bytesWritten: number } }
    frames.push(buffer)
    size += buffer.length
    position += engine.bytesWritten
  } while (position < bytes.length && size <= maxBytes)
  return frames.length === 1 ? frames[0]! : Buffer.concat(frames, size)
}

async function gunzipInBackground(bytes: Buffer, maxBytes: number): Promise<Buffer> {
  const output = new BoundedOutput(maxBytes)
  await output.addFrom(zlib.createGunzip({ chunkSize: LARGE_CHUNK_BYTES }), bytes)
  return output.concatenated()
}

async function unzstdInBackground(bytes: Buffer, maxBytes: number): Promise<Buffer> {
  const output = new BoundedOutput(maxBytes)
  let position = 0
  do {
    const decoder = zlib.createZstdDecompress({ ...zstdReadOptions, chunkSize: LARGE_CHUNK_BYTES })
    await output.addFrom(decoder, bytes.subarray(position))
    position += decoder.bytesWritten
  } while (position < bytes.length)
  return output.concatenated()
}

/** Gathers what a decoder makes in another thread. Large memory is never copied at once, as Node itself would. */
class BoundedOutput {
  readonly #maxBytes: number
  readonly #chunks: Buffer[] = []
  #size = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  async addFrom(decoder: Transform, bytes: Buffer): Promise<void> {
    decoder.end(bytes)
    for await (const chunk of decoder as AsyncIterable<Buffer>) {
      this.#size += chunk.length
      if (this.#size > this.#maxBytes) throw new OutputBoundError(this.#maxBytes)
      this.#chunks.push(chunk)
    }
  }

  async concatenated(): Promise<Buffer> {
    const all = Buffer.allocUnsafe(this.#size)
    let written = 0
    let nextPause = COPIED_AT_ONCE_BYTES
    for (const chunk of this.#chunks) {
      written += chunk.copy(all, written)
      if (written < nextPause) continue
      nextPause = written + COPIED_AT_ONCE_BYTES
      await nextTurn()
    }
    return all
  }
}

function atOnce(steps: Generator<void, Buffer>): Buffer {
  for (;;) {
    const step = steps.next()
    if (step.done) return step.value
  }
}

async function inPortions(steps: Generator<void, Buffer>): Promise<Buffer> {
  let startedMs = performance.now()
  for (;;) {
    const step = steps.next()
    if (step.done) return step.value
    if (performance.now() - startedMs < PORTION_MS) continue
    await nextTurn()
    startedMs = performance.now()
  }
}
