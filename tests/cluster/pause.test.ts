/** A leader that stands still for longer than its session (a long pause of its machine) and then goes on. */
import { logBytes } from '../support/log-bytes.ts'
import { startCluster, type TestCluster } from '../support/start-cluster.ts'
import { waitUntil } from '../support/wait-until.ts'
import { WireClient } from '../support/wire-client.ts'

const TOPIC = 'frozen'

let cluster: TestCluster
let client: WireClient

beforeAll(async () => {
  cluster = await startCluster({
    brokers: 3,
    overrides: { 'min.insync.replicas': '2', 'quorum.session.timeout.ms': '2000' },
  })
  client = new WireClient(cluster.bootstrap)
  await client.waitForBrokers(cluster.bootstrap)
}, 60_000)

afterAll(async () => {
  await client.close()
  await cluster.stop()
})

test('a deposed leader that does not know it yet acknowledges nothing, and drops what it appended', async () => {
  await client.createTopic(TOPIC)
  await client.waitForIsr(TOPIC, 3)
  await client.write(TOPIC, 0, ['before'])
  const former = (await client.partitions(TOPIC))[0]!.leader
  const others = [1, 2, 3].filter((id) => id !== former)

  cluster.pause(former)
  const stale = client.produceTo(cluster.address(former), TOPIC, 0, ['stale'])
  const survivor = new WireClient(others.map((id) => cluster.address(id)))
  await waitUntil(
    async () => others.includes((await survivor.partitions(TOPIC))[0]?.leader ?? -1),
    'another broker leads',
  )
  await survivor.write(TOPIC, 0, ['during'])
  cluster.resume(former)

  expect(await stale).toBe('NOT_LEADER_OR_FOLLOWER')
  await client.waitForIsr(TOPIC, 3)
  await client.write(TOPIC, 0, ['after'])
  expect(await client.readAll(TOPIC, 0)).toEqual(['before', 'during', 'after'])
  const log = (id: number): Buffer => logBytes(cluster.broker(id).logDir, TOPIC, 0)
  await waitUntil(() => [2, 3].every((id) => log(id).equals(log(1))), 'all logs are the same')
  await survivor.close()
}, 60_000)
