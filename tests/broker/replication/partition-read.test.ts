/** What readers of a compacted log are given. */
import { splitBatches } from '../../../broker/protocol/record-batch.ts'
import { type PartitionFetch, readLog } from '../../../broker/replication/partition-read.ts'
import { CompactedLog } from '../../support/compacted-log.ts'

const FROM_THE_START: PartitionFetch = {
  offset: 0,
  lastFetchedEpoch: -1,
  maxBytes: 1000,
  minOneBatch: true,
  replica: undefined,
}

let scene: CompactedLog

beforeEach(async () => {
  scene = await new CompactedLog().open()
  for (let index = 0; index < 60; index++) await scene.append([{ key: 'k', value: `${index}` }])
  await scene.log.flush()
  await scene.compact()
})

afterEach(() => scene.close())

function countsIn(request: PartitionFetch): number[] {
  const { records } = readLog(scene.log, request, undefined)
  return splitBatches(Buffer.concat([records].flat())).map(({ recordCount }) => recordCount)
}

test('a consumer gets records where there are any, and is not sent headers alone', () => {
  expect(countsIn(FROM_THE_START)).toContain(1)
  expect(countsIn({ ...FROM_THE_START, readCommitted: true })).toContain(1)
})

test('a replica is sent everything as it lies', () => {
  const replica = { id: 2, brokerEpoch: 1, logStartOffset: 0 }
  const counts = countsIn({ ...FROM_THE_START, replica })
  expect(counts.length).toBeGreaterThan(0)
  expect(new Set(counts)).toEqual(new Set([0]))
})
