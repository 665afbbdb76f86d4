/** Lookups by timestamp, in batches of every codec and in batches that cannot be read. */
import { CODECS, type Codec } from '../../../broker/protocol/compression.ts'
import { encodeBatch } from '../../../broker/protocol/record-codec.ts'
import type { PartitionLog } from '../../../broker/storage/partition-log.ts'
import { openLogs, TOPIC_ID, storageConfig } from '../../support/log-scene.ts'
import { batchOfBytes } from '../../support/raw-records.ts'
import { tempFolder } from '../../support/temp-folder.ts'

const START_MS = 1_700_000_000_000
const newPath = tempFolder()

/** Four records, a second apart, from `timestamp` on. */
function fourRecords(timestamp: number, codec: Codec, valueBytes = 10): Buffer {
  const value = Buffer.alloc(valueBytes, 'v')
  return encodeBatch(
    [0, 1, 2, 3].map((index) => ({ timestamp: timestamp + index * 1000, key: null, value })),
    { codec },
  )
}

let log: PartitionLog
let close: () => Promise<void>

beforeAll(async () => {
  const manager = await openLogs(newPath('logs'))
  close = () => manager.close()
  log = await manager.create('t', 0, TOPIC_ID, storageConfig.topic(new Map()))
})

afterAll(() => close())

test('the record is found in every codec', async () => {
  for (const [index, codec] of CODECS.entries()) {
    const batchStartMs = START_MS + index * 10_000
    const { baseOffset } = await log.appendAsLeader(fourRecords(batchStartMs, codec), 1)
    expect(log.offsetForTimestamp(batchStartMs + 1500, log.logEndOffset)).toEqual({
      offset: baseOffset + 2,
      timestamp: batchStartMs + 2000,
      leaderEpoch: 1,
    })
  }
})

test.each<[string, (timestamp: number) => Buffer]>([
  [
    'cannot be read',
    (timestamp) =>
      batchOfBytes(Buffer.from([0x1f, 0x8b, 1, 2]), { codec: 'gzip', compressed: true, timestamp }),
  ],
  ['becomes very large', (timestamp) => fourRecords(timestamp, 'zstd', 4 * 1024 * 1024)],
])('of a batch that %s, the first offset is found', async (_what, batchAt) => {
  const timestamp = START_MS + 100_000 + log.logEndOffset * 10_000
  const { baseOffset } = await log.appendAsLeader(batchAt(timestamp), 1)
  const { baseOffset: next } = await log.appendAsLeader(fourRecords(timestamp + 5000, 'none'), 1)
  expect(log.offsetForTimestamp(timestamp, log.logEndOffset)).toMatchObject({ offset: baseOffset })
  expect(log.offsetForTimestamp(timestamp + 6000, log.logEndOffset)).toMatchObject({ offset: next + 1 })
})
