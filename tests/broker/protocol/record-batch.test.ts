/** Batches that the Java client wrote, read here; batches of ours, read back. */
import { readFileSync } from 'node:fs'
import * as fc from 'fast-check'
import { CODECS } from '../../../broker/protocol/compression.ts'
import { crc32c } from '../../../broker/protocol/crc32c.ts'
import { addSequence, BatchView, splitBatches, stampBatch } from '../../../broker/protocol/record-batch.ts'
import { decodeRecords, encodeBatch } from '../../../broker/protocol/record-codec.ts'

interface Fixture {
  name: string
  magic: number
  codec?: string
  baseOffset?: number
  timestampType?: string
  hex: string
}

const fixtures = JSON.parse(
  readFileSync(new URL('../../fixtures/batches.json', import.meta.url), 'utf8'),
) as { batches: Fixture[]; crc32c: { ascii: string; crc32c: number }[] }
const current = fixtures.batches.filter(({ magic }) => magic === 2)
/** Those with the four records that the fixture file describes. */
const fourRecords = current.filter(({ hex }) => new BatchView(Buffer.from(hex, 'hex')).recordCount === 4)

const NOW_MS = 1_700_000_000_000

function batchOf(...values: string[]): Buffer {
  return encodeBatch(values.map((value) => ({ timestamp: NOW_MS, key: null, value: Buffer.from(value) })))
}

test.each(fixtures.crc32c)('CRC-32C of "$ascii"', ({ ascii, crc32c: expected }) => {
  expect(crc32c(Buffer.from(ascii))).toBe(expected)
})

test('the fixtures have batches of every codec', () => {
  expect(new Set(fourRecords.map(({ codec }) => codec))).toEqual(
    new Set(['none', 'gzip', 'snappy', 'lz4', 'zstd']),
  )
})

test.each(current)(
  '$name is whole and intact',
  ({ hex, codec = 'none', baseOffset, timestampType = 'create' }) => {
    const [batch, ...others] = splitBatches(Buffer.from(hex, 'hex'))
    expect(others).toEqual([])
    expect(batch!.isIntact()).toBe(true)
    expect(batch!.codec).toBe(codec)
    expect(batch!.baseOffset).toBe(baseOffset ?? batch!.baseOffset)
    expect(batch!.timestampType).toBe(timestampType === 'create' ? 'CreateTime' : 'LogAppendTime')
  },
)

test.each(fourRecords)('the records of $name', ({ hex }) => {
  const batch = new BatchView(Buffer.from(hex, 'hex'))
  const records = decodeRecords(batch)
  expect(records.map(({ key }) => key?.toString() ?? null)).toEqual(['key0', 'key1', null, 'key3'])
  expect(records.map(({ value }) => value?.toString().slice(0, 8) ?? null)).toEqual([
    'value-0-',
    'value-1-',
    'value-2-',
    null,
  ])
  expect(records[1]!.headers).toEqual([
    { key: 'h1', value: Buffer.from('v1') },
    { key: 'h2', value: null },
  ])
  expect(records.map(({ offset }) => offset - batch.baseOffset)).toEqual([0, 1, 2, 3])
})

test('the Java client would have written the same bytes', () => {
  const fixture = Buffer.from(current.find(({ name }) => name === 'v2-none')!.hex, 'hex')
  expect(encodeBatch(decodeRecords(new BatchView(fixture))).toString('hex')).toBe(fixture.toString('hex'))
})

test('what is encoded decodes to the same', () => {
  const bytes = fc.option(fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array)))
  const record = fc.record({
    timestamp: fc.integer({ min: 0, max: 2 ** 45 }),
    key: bytes,
    value: bytes,
    headers: fc.array(fc.record({ key: fc.string(), value: bytes }), { maxLength: 3 }),
  })
  const codec = fc.constantFrom(...CODECS)
  fc.assert(
    fc.property(fc.array(record, { minLength: 1, maxLength: 20 }), codec, (records, codec) => {
      const batch = new BatchView(encodeBatch(records, { codec, baseOffset: 2 ** 40 }))
      expect(batch.isIntact()).toBe(true)
      expect(decodeRecords(batch)).toEqual(records.map((entry, i) => ({ ...entry, offset: 2 ** 40 + i })))
      expect(batch.maxTimestamp).toBe(Math.max(...records.map(({ timestamp }) => timestamp)))
    }),
  )
})

test('stamping sets offset and epoch and leaves the checksum valid', () => {
  const records = batchOf('a', 'b')
  stampBatch(records, 0, 2 ** 40 + 7, 12)
  const batch = new BatchView(records)
  expect([batch.baseOffset, batch.lastOffset, batch.leaderEpoch, batch.isIntact()]).toEqual([
    2 ** 40 + 7,
    2 ** 40 + 8,
    12,
    true,
  ])
  batch.stampAppendTime(1_800_000_000_000)
  expect([batch.timestampType, batch.maxTimestamp, batch.isIntact()]).toEqual([
    'LogAppendTime',
    1_800_000_000_000,
    true,
  ])
  expect(decodeRecords(batch)[0]!.timestamp).toBe(1_800_000_000_000)
})

test('a partial batch at the end is left out', () => {
  const two = Buffer.concat([batchOf('a'), batchOf('b')])
  for (let size = batchOf('a').length; size < two.length; size++) {
    expect(splitBatches(two.subarray(0, size))).toHaveLength(1)
  }
  expect(splitBatches(two)).toHaveLength(2)
})

test('a flipped bit anywhere in the checksummed part is found', () => {
  const records = batchOf('some value')
  for (let position = 17; position < records.length; position++) {
    const damaged = Buffer.from(records)
    damaged[position]! ^= 0x10
    expect(new BatchView(damaged).isIntact()).toBe(false)
  }
})

test('sequences wrap to 0', () => {
  expect(addSequence(0x7fff_ffff, 1)).toBe(0)
  expect(addSequence(0x7fff_fffe, 3)).toBe(1)
  expect(addSequence(5, 3)).toBe(8)
})
