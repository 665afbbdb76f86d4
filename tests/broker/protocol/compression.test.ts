/** Every codec: what is compressed comes back, what others wrote is read, and no input does harm. */
import { readFileSync } from 'node:fs'
import { constants, gzipSync, zstdCompressSync } from 'node:zlib'
import * as fc from 'fast-check'
import {
  CODECS,
  compress,
  compressInBackground,
  COMPRESSION_LEVELS,
  decompress,
  decompressInBackground,
} from '../../../broker/protocol/compression.ts'
import { OutputBoundError } from '../../../broker/protocol/compression/output-bound.ts'
import { KafkaError } from '../../../broker/protocol/errors.ts'
import { BatchView } from '../../../broker/protocol/record-batch.ts'

const MiB = 1024 * 1024
const COMPRESSING = CODECS.filter((codec) => codec !== 'none')

const fixtures = JSON.parse(
  readFileSync(new URL('../../fixtures/batches.json', import.meta.url), 'utf8'),
) as { batches: { name: string; magic: number; hex: string }[] }

/** Bytes of every kind that matters to a codec: random, repeated, and one inside the other. */
const anyBytes = fc
  .array(
    fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 8 }), fc.integer({ min: 1, max: 20_000 })),
    ),
    { maxLength: 12 },
  )
  .map((parts) =>
    Buffer.concat(
      parts.map((part) => (Array.isArray(part) ? Buffer.alloc(part[1], part[0]) : Buffer.from(part))),
    ),
  )

/** The decompressed bytes, or the name of the error. */
function attempt(codec: (typeof CODECS)[number], bytes: Buffer, maxBytes = 4 * MiB): Buffer | string {
  try {
    return decompress(codec, bytes, maxBytes)
  } catch (error) {
    if (error instanceof KafkaError) return error.error
    throw error
  }
}

function fixture(name: string): BatchView {
  return new BatchView(Buffer.from(fixtures.batches.find((batch) => batch.name === name)!.hex, 'hex'))
}

describe.each(CODECS)('%s', (codec) => {
  test('gives back what it was given', () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        expect(decompress(codec, compress(codec, bytes), bytes.length + 1).equals(bytes)).toBe(true)
      }),
    )
  })

  test('refuses more output than it may make, and makes exactly as much', () => {
    const compressed = compress(codec, Buffer.alloc(100_000))
    expect(() => decompress(codec, compressed, 99_999)).toThrow(OutputBoundError)
    expect(decompress(codec, compressed, 100_000)).toHaveLength(100_000)
  })
})

describe.each(COMPRESSING)('%s', (codec) => {
  test('reads what the Java client wrote', () => {
    const plain = fixture('v2-none').recordBytes
    expect(attempt(codec, fixture(`v2-${codec}`).recordBytes)).toEqual(plain)
  })

  test('does the same in the background', async () => {
    const text = Buffer.from(Array.from({ length: 150_000 }, (_, i) => `record ${i % 977};`).join(''))
    const compressed = await compressInBackground(codec, text)
    expect((await decompressInBackground(codec, compressed, text.length)).equals(text)).toBe(true)
    await expect(decompressInBackground(codec, compressed, text.length - 1)).rejects.toThrow(OutputBoundError)
    for (const size of [0, 1, 10, 30, compressed.length - 1]) {
      await expect(
        decompressInBackground(codec, compressed.subarray(0, size), text.length),
      ).rejects.toMatchObject({
        error: 'CORRUPT_MESSAGE',
      })
    }
  })

  test('tells of input that ends early', () => {
    const whole = compress(codec, Buffer.from('some text, some text, some text, and an end'))
    for (let size = 0; size < whole.length; size++) {
      expect(attempt(codec, whole.subarray(0, size))).toEqual(expectedOfCut(codec, size))
    }
  })

  test('survives every flipped bit, within its bound', () => {
    const whole = compress(codec, Buffer.from(`${'some text, '.repeat(20)}${'0123456789abcdef'.repeat(9)}`))
    for (let bit = 0; bit < whole.length * 8; bit++) {
      const flipped = Buffer.from(whole)
      flipped[bit >>> 3]! ^= 1 << (bit & 7)
      const result = attempt(codec, flipped, 10_000)
      if (typeof result === 'string') expect(['CORRUPT_MESSAGE', 'MESSAGE_TOO_LARGE']).toContain(result)
      else expect(result.length).toBeLessThanOrEqual(10_000)
    }
  })

  test('survives any bytes, with and without the right beginning', () => {
    const beginning = compress(codec, Buffer.from('beginning')).subarray(0, 20)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.integer({ min: 0, max: 20 }), (bytes, kept) => {
        const result = attempt(codec, Buffer.concat([beginning.subarray(0, kept), bytes]), 10_000)
        if (typeof result === 'string') expect(['CORRUPT_MESSAGE', 'MESSAGE_TOO_LARGE']).toContain(result)
        else expect(result.length).toBeLessThanOrEqual(10_000)
      }),
      { numRuns: 500 },
    )
  })
})

/** A framed Snappy stream may end after any block, also after none; bare Snappy of one byte may be empty. */
function expectedOfCut(codec: string, size: number): unknown {
  return codec === 'snappy' && size === 16 ? Buffer.alloc(0) : 'CORRUPT_MESSAGE'
}

test('256 MiB of zeros in little are refused without room for them', () => {
  const zeros = Buffer.alloc(256 * MiB)
  const bombs = { gzip: gzipSync(zeros), zstd: zstdCompressSync(zeros), lz4: compress('lz4', zeros) }
  const before = process.memoryUsage().arrayBuffers
  for (const [codec, bomb] of Object.entries(bombs)) {
    expect(bomb.length).toBeLessThan(2 * MiB)
    expect(() => decompress(codec as 'gzip', bomb, MiB)).toThrow(OutputBoundError)
  }
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * MiB)
})

test('Snappy that announces 4 GB is refused by its length alone', () => {
  expect(attempt('snappy', Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f, 0, 65]))).toBe('CORRUPT_MESSAGE')
  const large = Buffer.concat([Buffer.from([0x80, 0x80, 0x80, 0x10]), Buffer.alloc(2 * MiB)])
  expect(attempt('snappy', large)).toBe('MESSAGE_TOO_LARGE')
})

test('Snappy is read bare too, with every kind of element', () => {
  const elements = [
    [16, 3 << 2, 0x61, 0x62, 0x63, 0x64], // 16 bytes: abcd
    [(0 << 2) | 1, 4], // 4 bytes from 4 before
    [(3 << 2) | 2, 8, 0], // 4 bytes from 8 before
    [(3 << 2) | 3, 1, 0, 0, 0], // 4 bytes from 1 before
  ]
  expect(attempt('snappy', Buffer.from(elements.flat())).toString()).toBe('abcdabcdabcddddd')
})

test('LZ4 frames with dependent blocks, checksums and a content size are read', () => {
  const flags = 0x40 | 0x10 | 0x08 | 0x04
  const block = (high: number, ...bytes: number[]): number[] => [
    bytes.length,
    0,
    0,
    high,
    ...bytes,
    1,
    2,
    3,
    4,
  ]
  const frame = [
    [0x04, 0x22, 0x4d, 0x18, flags, 0x40],
    [13, 0, 0, 0, 0, 0, 0, 0, 0xee],
    block(0x80, ...Buffer.from('abcd')),
    // No literals and 4 bytes from 4 before, which the block before holds; then 5 literals.
    block(0, 0x00, 4, 0, 0x50, ...Buffer.from('12345')),
    [0, 0, 0, 0, 9, 9, 9, 9],
  ]
  expect(attempt('lz4', Buffer.from(frame.flat())).toString()).toBe('abcdabcd12345')
})

test('zstd streams without a content size, and several frames, are read', async () => {
  const frame = (text: string): Buffer =>
    zstdCompressSync(Buffer.from(text), { params: { [constants.ZSTD_c_contentSizeFlag]: 0 } })
  const frames = Buffer.concat([frame('one '), frame('two')])
  expect(attempt('zstd', frames).toString()).toBe('one two')
  expect((await decompressInBackground('zstd', frames, 7)).toString()).toBe('one two')
})

test('gzip of several members is read', () => {
  expect(attempt('gzip', Buffer.concat([gzipSync('one '), gzipSync('two')])).toString()).toBe('one two')
})

test.each(Object.entries(COMPRESSION_LEVELS))('every level of %s gives the bytes back', (codec, levels) => {
  const text = Buffer.from(
    Array.from({ length: 9000 }, (_, i) => `record ${i % 700} of ${i % 13}; `).join(''),
  )
  const sizes = [levels.min, 1, 2, 3, 5, 7, 9, Math.min(12, levels.max), levels.max].map((level) => {
    const compressed = compress(codec as 'lz4', text, level)
    expect(decompress(codec as 'lz4', compressed, text.length).equals(text)).toBe(true)
    return compressed.length
  })
  expect(sizes.at(-1)).toBeLessThan(sizes[0]!)
})
