/** A leader that dies with records that nobody else has: they were not acknowledged to the in-sync set, and must go. */
import { logBytes } from '../support/log-bytes.ts'
import { startCluster, type TestCluster } from '../support/start-cluster.ts'
import { waitUntil } from '../support/wait-until.ts'
import { WireClient } from '../support/wire-client.ts'

const TOPIC = 'diverging'

let cluster: TestCluster
let client: WireClient

beforeAll(async () => {
  cluster = await startCluster({ brokers: 3 })
  client = new WireClient(cluster.bootstrap)
  await client.waitForBrokers(cluster.bootstrap)
}, 60_000)

afterAll(async () => {
  await client.close()
  await cluster.stop()
})

test('a leader that comes back truncates what the new leader never had', async () => {
  await client.createTopic(TOPIC)
  await client.waitForIsr(TOPIC, 3)
  await client.write(TOPIC, 0, ['shared 1', 'shared 2'])
  const former = (await client.partitions(TOPIC))[0]!.leader
  const followers = [1, 2, 3].filter((id) => id !== former)

  for (const id of followers) cluster.pause(id)
  // The fetches that are under way take the first batch along; nobody asks for the second one.
  for (const values of [['on its way'], ['lonely 1', 'lonely 2']]) {
    expect(await client.produceTo(cluster.address(former), TOPIC, 0, values, { acks: 1 })).toBe('NONE')
  }
  await cluster.kill(former)
  for (const id of followers) cluster.resume(id)

  await waitUntil(async () => {
    const [partition] = await client.partitions(TOPIC)
    return partition !== undefined && followers.includes(partition.leader)
  }, 'a follower leads')
  await client.write(TOPIC, 0, ['after 1'])

  await cluster.start(former)
  await client.waitForIsr(TOPIC, 3)
  const values = await client.readAll(TOPIC, 0)
  expect(values.slice(0, 2)).toEqual(['shared 1', 'shared 2'])
  expect(values).not.toContain('lonely 1')
  expect(values.at(-1)).toBe('after 1')
  const log = (id: number): Buffer => logBytes(cluster.broker(id).logDir, TOPIC, 0)
  await waitUntil(() => [2, 3].every((id) => log(id).equals(log(1))), 'all logs are the same')
}, 60_000)
