/** A topic that is deleted and created again while one broker is down. */
import { logBytes } from '../support/log-bytes.ts'
import { startCluster, type TestCluster } from '../support/start-cluster.ts'
import { waitUntil } from '../support/wait-until.ts'
import { WireClient } from '../support/wire-client.ts'

const TOPIC = 'reborn'

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

test('a topic that all brokers have is deleted everywhere and starts anew', async () => {
  const topic = 'phoenix'
  await client.createTopic(topic)
  await client.waitForIsr(topic, 3)
  await client.write(topic, 0, ['old'])
  await client.deleteTopic(topic)
  await waitUntil(async () => (await client.partitions(topic)).length === 0, 'the topic is gone')
  await client.createTopic(topic)
  await client.waitForIsr(topic, 3)
  await client.write(topic, 0, ['new'])
  expect(await client.readAll(topic, 0)).toEqual(['new'])
  const log = (id: number): Buffer => logBytes(cluster.broker(id).logDir, topic, 0)
  await waitUntil(() => [2, 3].every((id) => log(id).equals(log(1))), 'all logs are the same')
}, 60_000)

test('a broker that was down serves nothing of the topic that had the name before', async () => {
  await client.createTopic(TOPIC)
  await client.waitForIsr(TOPIC, 3)
  await client.write(TOPIC, 0, ['old 1', 'old 2'])
  await waitUntil(
    () => logBytes(cluster.broker(3).logDir, TOPIC, 0).length > 0,
    'broker 3 has the old records',
  )

  await cluster.kill(3)
  await client.waitForBrokers([cluster.address(1), cluster.address(2)])
  await client.deleteTopic(TOPIC)
  await waitUntil(async () => (await client.partitions(TOPIC)).length === 0, 'the topic is gone')
  await client.createTopic(TOPIC, { replicationFactor: 2 })
  await client.waitForIsr(TOPIC, 2)
  await client.write(TOPIC, 0, ['new 1'])

  await cluster.start(3)
  await waitUntil(
    () => logBytes(cluster.broker(3).logDir, TOPIC, 0).length === 0,
    'broker 3 has dropped the old log',
  )
  expect(await client.readAll(TOPIC, 0)).toEqual(['new 1'])
}, 60_000)
