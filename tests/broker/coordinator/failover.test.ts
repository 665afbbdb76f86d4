/** Groups of real clients on a cluster of three brokers, whose coordinator goes away. */
import { FindCoordinator } from '../../../broker/protocol/apis/find-coordinator.ts'
import { OffsetFetch } from '../../../broker/protocol/apis/offset-fetch.ts'
import { READERS } from '../../support/group-readers.ts'
import { startCluster, type TestCluster } from '../../support/start-cluster.ts'
import { waitUntil } from '../../support/wait-until.ts'
import { WireClient } from '../../support/wire-client.ts'

const PARTITIONS = 2
/** Longer than the coordinator takes to be gone, so that members have not spoken to it since; a client's default is 3 s. */
const HEARTBEAT_INTERVAL_MS = 1_500

let cluster: TestCluster
let wire: WireClient

beforeAll(async () => {
  cluster = await startCluster({
    overrides: { 'min.insync.replicas': '2', 'group.initial.rebalance.delay.ms': '0' },
  })
  wire = new WireClient(cluster.bootstrap)
}, 60_000)

afterAll(async () => {
  await wire.close()
  await cluster.stop()
})

/** Id of the broker that coordinates the group; -1 while there is none. */
async function coordinatorOf(groupId: string): Promise<number> {
  const { errorCode, nodeId } = await wire.sendToAny(FindCoordinator, 3, { key: groupId, keyType: 0 })
  return errorCode === 0 ? nodeId : -1
}

/** How many records the group has committed in all; -1 while nobody can say. */
async function committed(groupId: string): Promise<number> {
  try {
    const address = cluster.address(await coordinatorOf(groupId))
    const { errorCode, topics } = await wire.send(address, OffsetFetch, 7, { groupId, topics: null })
    const offsets = topics.flatMap(({ partitions }) =>
      partitions.map(({ committedOffset }) => committedOffset),
    )
    return errorCode === 0 ? offsets.reduce((sum, offset) => sum + offset, 0) : -1
  } catch {
    return -1
  }
}

async function write(topic: string, from: number, count: number): Promise<string[]> {
  const values = Array.from({ length: count }, (_, index) => String(from + index))
  for (let index = 0; index < PARTITIONS; index++) {
    await wire.write(
      topic,
      index,
      values.filter((value) => Number(value) % PARTITIONS === index),
    )
  }
  return values
}

const ends = Object.entries(READERS).flatMap(([library, startReader]) =>
  (['killed', 'shut down'] as const).map((end) => ({ library, startReader, end })),
)

test.each(ends)(
  'a group of $library goes on where it was when its coordinator is $end',
  async ({ library, startReader, end }) => {
    const topic = `${library}-${end}`.replaceAll(/\W/g, '')
    const groupId = `readers-of-${topic}`
    await wire.createTopic(topic, { partitions: PARTITIONS, replicationFactor: 3 })
    await wire.waitForIsr(topic, 3)
    const early = await write(topic, 0, 20)
    const reader = await startReader({
      bootstrap: cluster.bootstrap,
      groupId,
      topic,
      heartbeatIntervalMs: HEARTBEAT_INTERVAL_MS,
    })
    await waitUntil(async () => (await committed(groupId)) === 20, 'the first records are committed', 30_000)
    await wire.waitForIsr('__consumer_offsets', 3)

    const gone = await coordinatorOf(groupId)
    await (end === 'killed' ? cluster.kill(gone) : cluster.shutdown(gone))
    await waitUntil(
      async () => ![-1, gone].includes(await coordinatorOf(groupId)),
      'another broker coordinates the group',
      20_000,
    )
    await waitUntil(async () => (await committed(groupId)) === 20, 'it knows what was committed')
    const late = await write(topic, 20, 20)
    await waitUntil(async () => (await committed(groupId)) === 40, 'the rest is committed', 30_000)
    expect(new Set(reader.values)).toEqual(new Set([...early, ...late]))
    await reader.stop()
    await cluster.start(gone)
    await wire.waitForBrokers(cluster.bootstrap)
  },
  120_000,
)
