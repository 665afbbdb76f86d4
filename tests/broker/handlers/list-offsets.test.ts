import { listOffsets } from '../../../broker/handlers/list-offsets.ts'
import { offsetForLeaderEpoch } from '../../../broker/handlers/offset-for-leader-epoch.ts'
import { errorName } from '../../../broker/protocol/errors.ts'
import { batchOfTexts } from '../../support/records.ts'
import { useBroker } from '../../support/use-broker.ts'

const broker = useBroker({ topics: { orders: 1 } })
const START = Date.now() - 60_000

beforeAll(async () => {
  const append = (text: string, timestamp: number): Promise<unknown> =>
    broker.append('orders', batchOfTexts([text], { timestamp }))
  await append('first', START)
  await append('latest', START + 2000)
  await append('late', START + 1000)
})

async function ask(timestamp: number, partitionIndex = 0, version = 8): Promise<unknown[]> {
  const response = await listOffsets(
    {
      replicaId: -1,
      isolationLevel: 0,
      topics: [{ name: 'orders', partitions: [{ partitionIndex, currentLeaderEpoch: -1, timestamp }] }],
      timeoutMs: 1000,
    },
    broker.context(version),
  )
  const { errorCode, offset, timestamp: found } = response!.topics[0]!.partitions[0]!
  return [errorName(errorCode), offset, found]
}

test.each<[string, number, unknown[]]>([
  ['the latest', -1, ['NONE', 3, -1]],
  ['the earliest', -2, ['NONE', 0, -1]],
  ['the one with the largest timestamp', -3, ['NONE', 1, START + 2000]],
  ['the earliest on this disk', -4, ['NONE', 0, -1]],
  ['the latest elsewhere, where there is nothing', -5, ['NONE', -1, -1]],
  ['the first at a time', START + 1, ['NONE', 1, START + 2000]],
  ['the first of all', 0, ['NONE', 0, START]],
  ['one later than all', START + 3000, ['NONE', -1, -1]],
])('finds the offset of %s', async (_case, timestamp, expected) => {
  expect(await ask(timestamp)).toEqual(expected)
})

test('refuses a partition that is not there', async () => {
  expect(await ask(-1, 3)).toEqual(['UNKNOWN_TOPIC_OR_PARTITION', undefined, undefined])
})

test('an epoch ends where the next one begins, the present one at the end of the log', async () => {
  const { leaderEpoch } = broker.partition('orders')
  const ends = async (epoch: number): Promise<unknown> => {
    const response = await offsetForLeaderEpoch(
      {
        replicaId: -2,
        topics: [
          { topic: 'orders', partitions: [{ partition: 0, currentLeaderEpoch: -1, leaderEpoch: epoch }] },
        ],
      },
      broker.context(4),
    )
    return response!.topics[0]!.partitions[0]
  }
  expect(await ends(leaderEpoch)).toMatchObject({ errorCode: 0, leaderEpoch, endOffset: 3 })
  expect(await ends(leaderEpoch + 1)).toMatchObject({ errorCode: 0, leaderEpoch: -1, endOffset: -1 })
})
