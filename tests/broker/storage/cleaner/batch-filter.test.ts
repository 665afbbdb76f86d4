import { encodeEndMarker } from '../../../../broker/protocol/control-records.ts'
import { CODECS } from '../../../../broker/protocol/compression.ts'
import { BATCH_HEADER_BYTES, BatchView } from '../../../../broker/protocol/record-batch.ts'
import { type BatchOptions, decodeRecords, encodeBatch } from '../../../../broker/protocol/record-codec.ts'
import {
  type BatchCircumstances,
  filterBatch,
  type FilterRules,
} from '../../../../broker/storage/cleaner/batch-filter.ts'

const NOW = 1_700_000_000_000
const DAY_MS = 86_400_000

/** 'a=1' is a record, 'a' a tombstone, '=1' a record without key; one millisecond apart. */
function batchOf(records: readonly string[], options: BatchOptions = {}): BatchView {
  const encoded = encodeBatch(
    records.map((text, index) => {
      const [key, value] = text.split('=')
      return {
        timestamp: NOW - 5000 + index,
        key: key === '' ? null : Buffer.from(key!),
        value: value === undefined ? null : Buffer.from(value),
        headers: [{ key: 'h', value: Buffer.from(text) }],
      }
    }),
    { baseOffset: 100, leaderEpoch: 7, producerId: 9, producerEpoch: 2, baseSequence: 40, ...options },
  )
  return new BatchView(encoded)
}

/** Offsets of the newest record of each key; others count as never seen. */
function rulesOf(newest: Record<string, number>, more: Partial<FilterRules> = {}): FilterRules {
  return {
    newestOffset: (key) => newest[key.toString()] ?? -1,
    nowMs: NOW,
    deleteRetentionMs: DAY_MS,
    ...more,
  }
}

const usual: BatchCircumstances = { isNeedless: false, keepsHeader: false }

function textsOf(bytes: Buffer | undefined): string[] {
  return decodeRecords(new BatchView(bytes!)).map(
    ({ offset, key, value }) => `${offset}:${key?.toString()}=${value?.toString() ?? ''}`,
  )
}

test('a batch of which everything stays is left as it is', () => {
  const batch = batchOf(['a=1', 'b=2'])
  const { bytes } = filterBatch(batch, usual, rulesOf({ a: 100, b: 101 }))
  expect(bytes).toEqual(batch.bytes)
})

test.each(CODECS)('older records of a key go, the rest of the batch is as it was (%s)', (codec) => {
  const batch = batchOf(['a=1', 'b=2', 'a=3', 'c=4'], { codec })
  const result = filterBatch(batch, usual, rulesOf({ a: 102, b: 200, c: 103 }))
  expect(result).toMatchObject({ recordsRead: 4, recordsKept: 2 })
  const cleaned = new BatchView(result.bytes!)
  expect(cleaned.isIntact()).toBe(true)
  expect(textsOf(result.bytes)).toEqual(['102:a=3', '103:c=4'])
  expect(decodeRecords(cleaned)).toEqual(decodeRecords(batch).slice(2))
  for (const field of ['baseOffset', 'lastOffset', 'leaderEpoch', 'producerId', 'producerEpoch'] as const) {
    expect(cleaned[field]).toBe(batch[field])
  }
  expect(cleaned).toMatchObject({
    baseSequence: 40,
    lastSequence: 43,
    codec,
    maxTimestamp: batch.maxTimestamp,
  })
})

test('the largest timestamp is that of the records that stay', () => {
  const batch = batchOf(['a=1', 'b=2', 'c=3'])
  const { bytes } = filterBatch(batch, usual, rulesOf({ c: 900 }))
  expect(new BatchView(bytes!).maxTimestamp).toBe(NOW - 5000 + 1)
})

test('with LogAppendTime the time of the append stays', () => {
  const batch = batchOf(['a=1', 'b=2'])
  batch.stampAppendTime(NOW - 77)
  const { bytes } = filterBatch(batch, usual, rulesOf({ b: 900 }))
  const cleaned = new BatchView(bytes!)
  expect(cleaned).toMatchObject({ timestampType: 'LogAppendTime', maxTimestamp: NOW - 77 })
  expect(cleaned.isIntact()).toBe(true)
})

test('records without a key go', () => {
  const { bytes } = filterBatch(batchOf(['=1', 'a=2']), usual, rulesOf({}))
  expect(textsOf(bytes)).toEqual(['101:a=2'])
})

test('nothing is left of a batch without records that stay', () => {
  const result = filterBatch(batchOf(['a=1', 'b=2']), usual, rulesOf({ a: 900, b: 900 }))
  expect(result).toEqual({ bytes: undefined, recordsRead: 2, recordsKept: 0 })
})

test('an emptied batch whose header is needed tells offsets and sequence', () => {
  const batch = batchOf(['a=1', 'b=2'], { codec: 'gzip', isTransactional: true })
  const { bytes } = filterBatch(batch, { ...usual, keepsHeader: true }, rulesOf({ a: 900, b: 900 }))
  const empty = new BatchView(bytes!)
  expect(bytes).toHaveLength(BATCH_HEADER_BYTES)
  expect(empty.isIntact()).toBe(true)
  expect(empty).toMatchObject({
    baseOffset: 100,
    lastOffset: 101,
    lastSequence: 41,
    recordCount: 0,
    codec: 'none',
    isTransactional: true,
    maxTimestamp: batch.maxTimestamp,
    leaderEpoch: 7,
  })
  expect(decodeRecords(empty)).toEqual([])
  expect(filterBatch(empty, { ...usual, keepsHeader: true }, rulesOf({})).bytes).toEqual(bytes)
  expect(filterBatch(empty, usual, rulesOf({})).bytes).toBeUndefined()
})

describe('a tombstone', () => {
  const batch = batchOf(['a', 'b=2', 'c=3'], { codec: 'zstd' })
  const first = filterBatch(batch, usual, rulesOf({ a: 100, c: 900 })).bytes!
  const cleaned = new BatchView(first)

  test('is kept at first, and its batch given a horizon', () => {
    expect(cleaned.deleteHorizonMs).toBe(NOW + DAY_MS)
    expect(cleaned.isIntact()).toBe(true)
    expect(textsOf(first)).toEqual(['100:a=', '101:b=2'])
  })

  test('leaves the timestamps of all records as they were', () => {
    expect(decodeRecords(cleaned)).toEqual(decodeRecords(batch).slice(0, 2))
    expect(cleaned.maxTimestamp).toBe(NOW - 4999)
  })

  test('keeps the horizon that it has', () => {
    const later = rulesOf({ a: 100 }, { nowMs: NOW + DAY_MS - 1 })
    expect(filterBatch(cleaned, usual, later).bytes).toEqual(first)
    const { bytes } = filterBatch(cleaned, usual, rulesOf({ b: 900 }, { nowMs: NOW + 1 }))
    expect(new BatchView(bytes!).deleteHorizonMs).toBe(NOW + DAY_MS)
    expect(textsOf(bytes)).toEqual(['100:a='])
  })

  test('goes when the horizon has come', () => {
    const { bytes } = filterBatch(cleaned, usual, rulesOf({ a: 100 }, { nowMs: NOW + DAY_MS }))
    expect(textsOf(bytes)).toEqual(['101:b=2'])
  })

  test('goes at once when its key was written again', () => {
    expect(textsOf(filterBatch(batch, usual, rulesOf({ a: 900 })).bytes)).toEqual(['101:b=2', '102:c=3'])
  })
})

describe('of a transaction', () => {
  const needless: BatchCircumstances = { isNeedless: true, keepsHeader: false }
  const marker = new BatchView(
    encodeEndMarker({
      isAborted: true,
      coordinatorEpoch: 5,
      timestamp: NOW - 9,
      producerId: 9,
      producerEpoch: 2,
    }),
  )

  test('aborted records go at once', () => {
    const batch = batchOf(['a=1'], { isTransactional: true })
    expect(filterBatch(batch, needless, rulesOf({}))).toMatchObject({ bytes: undefined, recordsKept: 0 })
    const { bytes } = filterBatch(batch, { isNeedless: true, keepsHeader: true }, rulesOf({}))
    expect(new BatchView(bytes!).recordCount).toBe(0)
  })

  test('a marker stays as it is while records of its transaction are left', () => {
    expect(filterBatch(marker, usual, rulesOf({})).bytes).toEqual(marker.bytes)
  })

  test('a needless marker is given a horizon, and goes when that has come', () => {
    const { bytes } = filterBatch(marker, needless, rulesOf({}))
    const dated = new BatchView(bytes!)
    expect(dated).toMatchObject({ deleteHorizonMs: NOW + DAY_MS, isControl: true, maxTimestamp: NOW - 9 })
    expect(decodeRecords(dated)).toEqual(decodeRecords(marker))
    const before = rulesOf({}, { nowMs: NOW + DAY_MS - 1 })
    expect(filterBatch(dated, needless, before).bytes).toEqual(bytes)
    const after = rulesOf({}, { nowMs: NOW + DAY_MS })
    expect(filterBatch(dated, needless, after).bytes).toBeUndefined()
  })
})

test.each([
  ['a record that is cut off', (bytes: Buffer) => bytes.writeInt8(126, BATCH_HEADER_BYTES)],
  ['fewer records than the header says', (bytes: Buffer) => bytes.writeInt32BE(9, 57)],
  ['a codec that does not exist', (bytes: Buffer) => bytes.writeUInt16BE(7, 21)],
])('%s is CORRUPT_MESSAGE', (_, damage) => {
  const batch = batchOf(['a=1', 'b=2'])
  damage(batch.buffer)
  expect(() => filterBatch(batch, usual, rulesOf({}))).toThrow(
    expect.objectContaining({ name: 'KafkaError', message: expect.stringContaining('') }),
  )
})
