/**
 * What a leader makes of what clients send. The error codes are those that Apache Kafka's server answers, but where
 * docs/compatibility.md says otherwise.
 */
import { jest } from '@jest/globals'
import { setTimeout as delay } from 'node:timers/promises'
import { CODECS, type Codec, compress } from '../../../broker/protocol/compression.ts'
import { KafkaError } from '../../../broker/protocol/errors.ts'
import type { BatchView } from '../../../broker/protocol/record-batch.ts'
import { type BatchOptions, decodeRecords, encodeBatch } from '../../../broker/protocol/record-codec.ts'
import { InvalidRecordsError } from '../../../broker/protocol/record-errors.ts'
import { AppendPreparation } from '../../../broker/storage/append-preparation.ts'
import type { AppendOrigin } from '../../../broker/storage/producer-state.ts'
import { storageConfig } from '../../support/log-scene.ts'
import { batchOfBytes, rawRecord, resealed } from '../../support/raw-records.ts'

const NOW_MS = 1_700_000_000_000
const MiB = 1024 * 1024

// Large batches take their time on a busy machine.
jest.setTimeout(60_000)

type Settings = Readonly<Record<string, string>>

function prepare(
  records: Buffer,
  settings: Settings = {},
  preparation = new AppendPreparation(),
  origin: AppendOrigin = 'client',
): Promise<BatchView> {
  const config = storageConfig.topic(new Map(Object.entries(settings)))
  return (async () =>
    preparation.run({ records, origin, config, nowMs: NOW_MS }, (batch) => Promise.resolve(batch)))()
}

async function errorOf(records: Buffer, settings: Settings = {}): Promise<string> {
  return prepare(records, settings).then(
    () => 'NONE',
    (error: unknown) => {
      if (error instanceof KafkaError) return error.error
      throw error
    },
  )
}

interface Entry {
  key?: string
  value?: string
  timestamp?: number
}

function batchOf(entries: readonly Entry[], options: BatchOptions = {}): Buffer {
  return encodeBatch(
    entries.map(({ key, value = 'v', timestamp = NOW_MS }) => ({
      timestamp,
      key: key === undefined ? null : Buffer.from(key),
      value: Buffer.from(value),
    })),
    options,
  )
}

const one = (options: BatchOptions = {}): Buffer => batchOf([{}], options)
const bytes = (records: Buffer, codec: Codec = 'none', count = 1): Buffer =>
  batchOfBytes(records, { codec, count, timestamp: NOW_MS })

const changed = (change: (batch: Buffer) => void): Buffer => resealed(one(), change)
const counted = (count: number, lastOffsetDelta: number): Buffer =>
  changed((batch) => {
    batch.writeInt32BE(count, 57)
    batch.writeInt32BE(lastOffsetDelta, 23)
  })
const withLength = (length: number): Buffer => {
  const batch = one()
  batch.writeInt32BE(length, 8)
  return batch
}

test.each<[string, string, Buffer]>([
  ['one batch', 'NONE', one()],
  ['one batch and some bytes', 'NONE', Buffer.concat([one(), Buffer.alloc(5)])],
  ['one batch and a part of another', 'NONE', Buffer.concat([one(), one().subarray(0, 50)])],
  ['nothing', 'INVALID_RECORD', Buffer.alloc(0)],
  ['a few bytes', 'INVALID_RECORD', Buffer.alloc(10)],
  ['zeros', 'CORRUPT_MESSAGE', Buffer.alloc(61)],
  ['half a batch', 'INVALID_RECORD', one().subarray(0, 65)],
  ['two batches', 'INVALID_RECORD', Buffer.concat([one(), one()])],
  ['a length of 0', 'CORRUPT_MESSAGE', withLength(0)],
  ['a negative length', 'CORRUPT_MESSAGE', withLength(-1)],
  ['a length of less than a header', 'CORRUPT_MESSAGE', withLength(48)],
  ['a length of 2 GB', 'INVALID_RECORD', withLength(0x7fff_ffff)],
  ['a wrong checksum', 'CORRUPT_MESSAGE', Buffer.concat([one().subarray(0, -1), Buffer.from([9])])],
  ['magic 0', 'INVALID_RECORD', changed((batch) => batch.writeInt8(0, 16))],
  ['magic 1', 'INVALID_RECORD', changed((batch) => batch.writeInt8(1, 16))],
  ['magic 3', 'CORRUPT_MESSAGE', changed((batch) => batch.writeInt8(3, 16))],
  ['a control batch', 'INVALID_RECORD', one({ isControl: true })],
  ['a codec that does not exist', 'INVALID_RECORD', changed((batch) => batch.writeInt16BE(5, 21))],
  ['gzip that is none', 'INVALID_RECORD', changed((batch) => batch.writeInt16BE(1, 21))],
  ['a base offset of 1', 'INVALID_RECORD', changed((batch) => batch.writeInt32BE(1, 4))],
  ['no records', 'INVALID_RECORD', counted(0, -1)],
  ['a negative count', 'INVALID_RECORD', counted(-1, -2)],
  ['a count that is not the offsets', 'INVALID_RECORD', counted(2, 0)],
  ['fewer records than counted', 'INVALID_RECORD', counted(2, 1)],
  ['more records than counted', 'INVALID_RECORD', bytes(Buffer.concat([rawRecord(), rawRecord()]))],
  ['a producer without sequence', 'INVALID_RECORD', one({ producerId: 5, producerEpoch: 0 })],
  ['a sequence without producer', 'NONE', one({ baseSequence: 5 })],
  ['a timestamp of none', 'NONE', batchOf([{ timestamp: -1 }])],
  ['too late', 'INVALID_TIMESTAMP', batchOf([{}, { timestamp: NOW_MS + 3_600_001 }])],
  ['too late in gzip', 'INVALID_TIMESTAMP', batchOf([{ timestamp: NOW_MS + 3_600_001 }], { codec: 'gzip' })],
])('%s: %s', async (_what, error, records) => {
  expect(await errorOf(records)).toBe(error)
})

const recordsToJudge: [string, string, Buffer][] = [
  ['offset delta 5 first', 'INVALID_RECORD', rawRecord({ offsetDelta: 5 })],
  ['attributes', 'NONE', rawRecord({ attributes: 0x80 })],
  ['an earlier timestamp', 'NONE', rawRecord({ timestampDelta: -5 })],
  ['key length -2', 'NONE', rawRecord({ key: -2 })],
  ['a key that is not there', 'INVALID_RECORD', rawRecord({ key: 1000 })],
  ['a value that is not there', 'INVALID_RECORD', rawRecord({ value: 1000 })],
  ['-1 headers', 'INVALID_RECORD', rawRecord({ headerCount: -1 })],
  ['2 billion headers', 'INVALID_RECORD', rawRecord({ headerCount: 0x7fff_ffff })],
  ['a header', 'NONE', rawRecord({ headerCount: 1, headers: [2, 97, 2, 98] })],
  ['a header without value', 'NONE', rawRecord({ headerCount: 1, headers: [2, 97, 1] })],
  ['a header without key', 'INVALID_RECORD', rawRecord({ headerCount: 1, headers: [1, 2, 98] })],
  ['a header that is not there', 'INVALID_RECORD', rawRecord({ headerCount: 1, headers: [100, 97] })],
  ['a length that is too small', 'INVALID_RECORD', rawRecord({ length: 4 })],
  ['a length that is too large', 'INVALID_RECORD', rawRecord({ length: 40 })],
  ['a negative length', 'INVALID_RECORD', rawRecord({ length: -1 })],
  ['bytes after the last', 'INVALID_RECORD', Buffer.concat([rawRecord(), Buffer.from([1, 2])])],
  ['a varint without end', 'INVALID_RECORD', Buffer.alloc(20, 0xff)],
]

test.each(recordsToJudge)('a record with %s: %s', async (_what, error, records) => {
  expect(await errorOf(bytes(records))).toBe(error)
  // Where nothing asks for them, compressed records are not looked at.
  expect(await errorOf(bytes(records, 'gzip'))).toBe('NONE')
  expect(await errorOf(bytes(records, 'gzip'), { 'compression.type': 'zstd' })).toBe(error)
})

test('a compacted topic asks for keys, and names the records without', async () => {
  const entries = [{ key: 'a' }, {}, { key: '' }, {}]
  for (const codec of CODECS) {
    const refusal = await prepare(batchOf(entries, { codec }), { 'cleanup.policy': 'compact' }).catch(
      (error: unknown) => error,
    )
    expect(refusal).toBeInstanceOf(InvalidRecordsError)
    expect(refusal).toMatchObject({
      error: 'INVALID_RECORD',
      recordErrors: [{ batchIndex: 1 }, { batchIndex: 3, message: expect.stringContaining('key') as string }],
    })
    expect(await errorOf(batchOf([{ key: 'a' }], { codec }), { 'cleanup.policy': 'compact,delete' })).toBe(
      'NONE',
    )
  }
})

test('every record must be within the limits of its topic, in whatever codec', async () => {
  const limits = { 'message.timestamp.before.max.ms': '1000', 'message.timestamp.after.max.ms': '1000' }
  const old = { timestamp: NOW_MS - 1001 }
  for (const codec of CODECS) {
    await expect(prepare(batchOf([{}, old, {}], { codec }), limits)).rejects.toMatchObject({
      error: 'INVALID_TIMESTAMP',
      recordErrors: [{ batchIndex: 1 }],
    })
    expect(await errorOf(batchOf([{}, { timestamp: NOW_MS - 1000 }], { codec }), limits)).toBe('NONE')
    const appendTime = { ...limits, 'message.timestamp.type': 'LogAppendTime' }
    expect(await errorOf(batchOf([{}, old, {}], { codec }), appendTime)).toBe('NONE')
  }
})

test('a client that says LogAppendTime gets CreateTime, and is refused where that is not what the topic has', async () => {
  const records = (): Buffer => changed((batch) => batch.writeInt16BE(8, 21))
  const prepared = await prepare(records())
  expect([prepared.timestampType, prepared.maxTimestamp, prepared.isIntact()]).toEqual([
    'CreateTime',
    NOW_MS,
    true,
  ])
  expect(await errorOf(records(), { 'message.timestamp.type': 'LogAppendTime' })).toBe('INVALID_TIMESTAMP')
})

test('the largest timestamp becomes that of the records', async () => {
  const batch = batchOf([{}, { timestamp: NOW_MS + 7 }, {}])
  for (const [claimed, lies] of [
    [0, true],
    [7, false],
    [100, true],
  ] as const) {
    const records = resealed(batch, () => batch.writeBigInt64BE(BigInt(NOW_MS + claimed), 35))
    const before = records.readUInt32BE(17)
    const prepared = await prepare(records)
    expect(prepared.maxTimestamp).toBe(NOW_MS + 7)
    expect(prepared.isIntact()).toBe(true)
    expect(prepared.crc === before).toBe(!lies)
  }
})

describe('recompression', () => {
  const entries = Array.from({ length: 20 }, (_, index) => ({
    value: `value ${index % 3}`,
    timestamp: NOW_MS + index,
  }))
  const pairs = CODECS.flatMap((source) => CODECS.map((target) => [source, target] as const))

  test.each(pairs)('%s to %s', async (codec, target) => {
    const type = target === 'none' ? 'uncompressed' : target
    const numbered = { producerId: 9, producerEpoch: 2, baseSequence: 5 }
    const original = batchOf(entries, { codec, ...numbered })
    const expected = decodeRecords(await prepare(batchOf(entries, numbered)))
    const prepared = await prepare(Buffer.from(original), { 'compression.type': type })
    expect([prepared.codec, prepared.isIntact()]).toEqual([target, true])
    expect(decodeRecords(prepared)).toEqual(expected)
    expect(prepared).toMatchObject({ ...numbered, lastOffsetDelta: 19, maxTimestamp: NOW_MS + 19 })
    if (codec === target) expect(prepared.bytes.equals(original)).toBe(true)
  })

  test.each(pairs)('of a large batch, %s to %s, lets others work meanwhile', async (codec, target) => {
    const type = target === 'none' ? 'uncompressed' : target
    const text = Array.from({ length: 60_000 }, (_, index) => `value ${index % 999}`).join(' ')
    const prepared = await prepare(batchOf([{ value: text }], { codec }), { 'compression.type': type })
    expect(prepared.codec).toBe(target)
    expect(decodeRecords(prepared)[0]!.value!.toString() === text).toBe(true)
  })

  test.each(['gzip', 'lz4', 'zstd'] as const)('with the level that the topic asks for: %s', async (codec) => {
    const text = Array.from({ length: 9000 }, (_, index) => `value ${index % 999} ${index % 7}`).join(' ')
    const sizes = await Promise.all(
      ['1', '8'].map(async (level) => {
        const settings = { 'compression.type': codec, [`compression.${codec}.level`]: level }
        return (await prepare(batchOf([{ value: text }]), settings)).sizeBytes
      }),
    )
    expect(sizes[1]).toBeLessThan(sizes[0]!)
  })

  test('what is too large in the end is refused', async () => {
    const records = (codec: Codec): Buffer => batchOf([{ value: 'x'.repeat(5000) }], { codec })
    const settings = (type: string): Settings => ({ 'max.message.bytes': '1000', 'compression.type': type })
    expect(await errorOf(records('gzip'), settings('producer'))).toBe('NONE')
    expect(await errorOf(records('gzip'), settings('lz4'))).toBe('NONE')
    expect(await errorOf(records('gzip'), settings('uncompressed'))).toBe('MESSAGE_TOO_LARGE')
    expect(await errorOf(records('none'), settings('gzip'))).toBe('MESSAGE_TOO_LARGE')
  })

  test('leaves what the coordinator writes as it is', async () => {
    const records = batchOf([{}])
    const settings = { 'compression.type': 'gzip', 'max.message.bytes': '10' }
    const prepared = await prepare(Buffer.from(records), settings, new AppendPreparation(), 'coordinator')
    expect(prepared.bytes.equals(records)).toBe(true)
  })
})

test('batches are appended in the order in which they came, however long each takes', async () => {
  const preparation = new AppendPreparation()
  const config = storageConfig.topic(new Map([['compression.type', 'gzip']]))
  const large = batchOf([{ value: 'large '.repeat(150_000) }])
  const appended: string[] = []
  const run = (name: string, records: Buffer): Promise<unknown> =>
    (async () =>
      preparation.run({ records, origin: 'client', config, nowMs: NOW_MS }, async () => {
        appended.push(name)
        // What is appended takes its time too; the next is not held up by that.
        await delay(1)
      }))()
  const all = [
    run('0 large', large),
    run('1 small', one()),
    run('2 broken', Buffer.alloc(61)),
    run('3 large', large),
  ]
  all.push(
    all[0]!.then(() => run('5 later', one())),
    run('4 small', one()),
  )
  const results = await Promise.allSettled(all)
  expect(results.map(({ status }) => status)).toEqual([
    'fulfilled',
    'fulfilled',
    'rejected',
    'fulfilled',
    'fulfilled',
    'fulfilled',
  ])
  expect(appended.slice(0, 2)).toEqual(['0 large', '1 small'])
  expect(appended.filter((name) => name < '5')).toEqual(['0 large', '1 small', '3 large', '4 small'])
})

test.each(['gzip', 'lz4', 'zstd'] as const)(
  'a bomb in %s is refused and others are served',
  async (codec) => {
    const bomb = batchOfBytes(compress(codec, Buffer.alloc(130 * MiB)), {
      codec,
      compressed: true,
      timestamp: NOW_MS,
    })
    expect(bomb.length).toBeLessThan(1.1 * MiB)
    const settings = {
      'compression.type': codec === 'zstd' ? 'gzip' : 'zstd',
      'max.message.bytes': '2000000',
    }
    const refused = errorOf(bomb, settings)
    expect(await errorOf(one(), settings)).toBe('NONE')
    expect(await refused).toBe('MESSAGE_TOO_LARGE')
  },
)
