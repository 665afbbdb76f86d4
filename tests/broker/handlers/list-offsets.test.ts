import { listOffsets } from '../../../broker/handlers/list-offsets.ts'
import { offsetForLeaderEpoch } from '../../../broker/handlers/offset-for-leader-epoch.ts'
import { errorName } from '../../../broker/protocol/errors.ts'
import type { ReplicaManager } from '../../../broker/replication/replica-manager.ts'
import { batchOf, openScene, type ReplicationScene } from '../../support/replication-scene.ts'
import { batchOfTexts } from '../../support/records.ts'
import { producerBatch } from '../../support/transactions.ts'
import { useBroker } from '../../support/use-broker.ts'

const broker = useBroker({ topics: { orders: 2 } })
const START = Date.now() - 60_000

beforeAll(async () => {
  const append = (text: string, timestamp: number): Promise<unknown> =>
    broker.append('orders', batchOfTexts([text], { timestamp }))
  await append('first', START)
  await append('latest', START + 2000)
  await append('late', START + 1000)
})

interface Ask {
  readonly topic?: string
  readonly partitionIndex?: number
  readonly version?: number
  readonly isolationLevel?: number
  readonly replicaId?: number
  readonly replicas?: ReplicaManager
}

async function ask(timestamp: number, more: Ask = {}): Promise<unknown[]> {
  const { topic = 'orders', partitionIndex = 0, version = 11, isolationLevel = 0, replicaId = -1 } = more
  const partitions = [{ partitionIndex, currentLeaderEpoch: -1, timestamp }]
  const response = await listOffsets(
    { replicaId, isolationLevel, topics: [{ name: topic, partitions }], timeoutMs: 1000 },
    broker.context(version, more.replicas && { replicas: more.replicas }),
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
  ['the earliest that is to go elsewhere', -6, ['NONE', -1, -1]],
  ['the first at a time', START + 1, ['NONE', 1, START + 2000]],
  ['the first of all', 0, ['NONE', 0, START]],
  ['one later than all', START + 3000, ['NONE', -1, -1]],
])('finds the offset of %s', async (_case, timestamp, expected) => {
  expect(await ask(timestamp)).toEqual(expected)
})

test.each([
  [-3, 6],
  [-4, 7],
  [-5, 8],
  [-6, 10],
  [-7, 11],
])('the timestamp %i means nothing in version %i', async (timestamp, version) => {
  expect(await ask(timestamp, { version })).toEqual(['UNSUPPORTED_VERSION', undefined, undefined])
})

test('an open transaction bounds what a reader of committed records is told of, and nobody else', async () => {
  await broker.createTopic('undecided')
  await broker.append('undecided', batchOfTexts(['a'], { timestamp: START }))
  const open = { producerId: 7, sequence: 0, isTransactional: true, timestamp: START + 500 }
  await broker.append('undecided', producerBatch(['b'], open))
  const committed = { topic: 'undecided', isolationLevel: 1 }
  expect(await ask(-1, committed)).toEqual(['NONE', 1, -1])
  expect(await ask(-3, committed)).toEqual(['NONE', -1, -1])
  expect(await ask(START + 1, committed)).toEqual(['NONE', -1, -1])
  expect(await ask(START, committed)).toEqual(['NONE', 0, START])
  expect(await ask(-1, { ...committed, replicaId: 2 })).toEqual(['NONE', 2, -1])
  expect(await ask(START + 1, { topic: 'undecided' })).toEqual(['NONE', 1, START + 500])
})

test('a partition that is named twice is refused once, and the others are not', async () => {
  const partition = { partitionIndex: 0, currentLeaderEpoch: -1, timestamp: -1 }
  const response = await listOffsets(
    {
      replicaId: -1,
      isolationLevel: 0,
      topics: [
        { name: 'orders', partitions: [partition] },
        { name: 'orders', partitions: [partition, { ...partition, partitionIndex: 1 }] },
      ],
      timeoutMs: 1000,
    },
    broker.context(8),
  )
  expect(
    response!.topics.map(({ partitions }) => partitions.map(({ errorCode }) => errorName(errorCode))),
  ).toEqual([['INVALID_REQUEST', 'NONE']])
})

test('refuses a partition that is not there', async () => {
  expect(await ask(-1, { partitionIndex: 3 })).toEqual(['UNKNOWN_TOPIC_OR_PARTITION', undefined, undefined])
})

describe('on a new leader that does not know the high watermark yet', () => {
  let scene: ReplicationScene

  beforeAll(async () => {
    scene = await openScene()
    await scene.decide({ leader: 2 })
    await scene.partition.appendFromLeader(batchOf(4, { leaderEpoch: 5 }), 5)
    await scene.decide({ leaderEpoch: 6 })
  })

  afterAll(() => scene.close())

  test.each<[string, number, number, unknown[]]>([
    ['the latest', -1, 11, ['OFFSET_NOT_AVAILABLE', undefined, undefined]],
    ['the latest, in old versions', -1, 4, ['LEADER_NOT_AVAILABLE', undefined, undefined]],
    ['a record beyond what it knows', 0, 11, ['OFFSET_NOT_AVAILABLE', undefined, undefined]],
    ['the earliest', -2, 11, ['NONE', 0, -1]],
    ['a record that nobody has', Date.now(), 11, ['NONE', -1, -1]],
  ])('tells of %s what it can', async (_case, timestamp, version, expected) => {
    const replicas = { leader: () => scene.partition } as unknown as ReplicaManager
    expect(await ask(timestamp, { version, replicas })).toEqual(expected)
  })
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
