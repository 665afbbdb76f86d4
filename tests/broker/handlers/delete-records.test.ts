import { deleteRecords } from '../../../broker/handlers/delete-records.ts'
import type { RequestContext } from '../../../broker/handlers/context.ts'
import { errorName } from '../../../broker/protocol/errors.ts'
import type { ReplicaManager } from '../../../broker/replication/replica-manager.ts'
import { batchOf, openScene, type ReplicationScene, settle } from '../../support/replication-scene.ts'
import { useBroker } from '../../support/use-broker.ts'
import { waitUntil } from '../../support/wait-until.ts'

const broker = useBroker({ topics: { orders: 2 }, perTest: true })

interface Asked {
  readonly topic?: string
  readonly partitionIndex?: number
  readonly timeoutMs?: number
}

/** Error name and low watermark. */
async function drop(
  offset: number,
  { topic = 'orders', partitionIndex = 0, timeoutMs = 1000 }: Asked = {},
  more: Partial<RequestContext> = {},
): Promise<unknown[]> {
  const response = await deleteRecords(
    { topics: [{ name: topic, partitions: [{ partitionIndex, offset }] }], timeoutMs },
    broker.context(2, more),
  )
  const { errorCode, lowWatermark } = response!.topics[0]!.partitions[0]!
  return [errorName(errorCode), lowWatermark]
}

test('moves the start of the log, never back, and not beyond the high watermark', async () => {
  await broker.append('orders', ['a', 'b', 'c', 'd'])
  expect(await drop(2)).toEqual(['NONE', 2])
  expect(await drop(1)).toEqual(['NONE', 2])
  expect(await drop(5)).toEqual(['OFFSET_OUT_OF_RANGE', -1])
  expect(await drop(-2)).toEqual(['OFFSET_OUT_OF_RANGE', -1])
  expect(broker.partition('orders').log.logStartOffset).toBe(2)
  expect(await drop(-1)).toEqual(['NONE', 4])
})

test('leaves topics alone that are compacted only, and the brokers own', async () => {
  await broker.createTopic('latest', 1, { 'cleanup.policy': 'compact' })
  await broker.createTopic('both', 1, { 'cleanup.policy': 'compact,delete' })
  await broker.createTopic('__consumer_offsets')
  expect(await drop(0, { topic: 'latest' })).toEqual(['POLICY_VIOLATION', -1])
  expect(await drop(0, { topic: 'both' })).toEqual(['NONE', 0])
  expect(await drop(0, { topic: '__consumer_offsets' })).toEqual(['INVALID_TOPIC_EXCEPTION', -1])
  expect(await drop(0, { partitionIndex: 9 })).toEqual(['UNKNOWN_TOPIC_OR_PARTITION', -1])
})

describe('with followers', () => {
  let scene: ReplicationScene

  beforeEach(async () => {
    scene = await openScene()
    await scene.decide()
    await scene.partition.append(batchOf(10), { acks: 1, timeoutMs: 1000 })
    for (const id of [2, 3]) scene.fetchAs(id, 10)
    expect(scene.partition.highWatermark).toBe(10)
  })

  afterEach(() => scene.close())

  function start(offset: number, timeoutMs = 1000): () => Promise<unknown> {
    let answer: unknown = 'waits'
    const replicas = { leader: () => scene.partition } as unknown as ReplicaManager
    void drop(offset, { timeoutMs }, { replicas }).then((result) => {
      answer = result
    })
    return async () => {
      await settle()
      return answer
    }
  }

  /** Waits until the leader itself has dropped the records, and waits for the others. */
  async function droppedHere(answer: () => Promise<unknown>, offset: number): Promise<void> {
    await waitUntil(() => scene.clock.pending === 1, 'the leader has dropped the records')
    expect(scene.partition.log.logStartOffset).toBe(offset)
    expect(await answer()).toBe('waits')
  }

  test('is answered when each of them has dropped the records too', async () => {
    const answer = start(4)
    await droppedHere(answer, 4)
    scene.fetchAs(2, 10, { logStartOffset: 4 })
    expect(await answer()).toBe('waits')
    scene.fetchAs(3, 10, { logStartOffset: 4 })
    expect(await answer()).toEqual(['NONE', 4])
  })

  test('does not wait for a broker that is gone', async () => {
    const answer = start(4)
    await droppedHere(answer, 4)
    scene.quorum.brokers.delete(3)
    scene.fetchAs(2, 10, { logStartOffset: 4 })
    expect(await answer()).toEqual(['NONE', 4])
  })

  test('gives up in time', async () => {
    const answer = start(4, 500)
    await droppedHere(answer, 4)
    scene.clock.advance(500)
    expect(await answer()).toEqual(['REQUEST_TIMED_OUT', -1])
    expect(scene.clock.pending).toBe(0)
  })

  test('gives up when the leadership moves', async () => {
    const answer = start(4)
    await droppedHere(answer, 4)
    const moved = scene.decide({ leader: 2, leaderEpoch: 6 })
    expect(await answer()).toEqual(['NOT_LEADER_OR_FOLLOWER', -1])
    await moved
  })
})
