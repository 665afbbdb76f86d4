/** A topic that is deleted and created again while one broker is down. */
import { logBytes } from '../support/log-bytes.ts'
import { useCluster } from '../support/use-cluster.ts'
import { waitUntil } from '../support/wait-until.ts'

const TOPIC = 'reborn'

const used = useCluster()

test('a topic that all brokers have is deleted everywhere and starts anew', async () => {
  const topic = 'phoenix'
  await used.client.createTopic(topic)
  await used.client.waitForIsr(topic, 3)
  await used.client.write(topic, 0, ['old'])
  await used.client.deleteTopic(topic)
  await waitUntil(async () => (await used.client.partitions(topic)).length === 0, 'the topic is gone')
  await used.client.createTopic(topic)
  await used.client.waitForIsr(topic, 3)
  await used.client.write(topic, 0, ['new'])
  expect(await used.client.readAll(topic, 0)).toEqual(['new'])
  const log = (id: number): Buffer => logBytes(used.cluster.broker(id).logDir, topic, 0)
  await waitUntil(() => [2, 3].every((id) => log(id).equals(log(1))), 'all logs are the same')
}, 60_000)

test('a broker that was down serves nothing of the topic that had the name before', async () => {
  await used.client.createTopic(TOPIC)
  await used.client.waitForIsr(TOPIC, 3)
  await used.client.write(TOPIC, 0, ['old 1', 'old 2'])
  await waitUntil(
    () => logBytes(used.cluster.broker(3).logDir, TOPIC, 0).length > 0,
    'broker 3 has the old records',
  )

  await used.cluster.kill(3)
  await used.client.waitForBrokers([used.cluster.address(1), used.cluster.address(2)])
  await used.client.deleteTopic(TOPIC)
  await waitUntil(async () => (await used.client.partitions(TOPIC)).length === 0, 'the topic is gone')
  await used.client.createTopic(TOPIC, { replicationFactor: 2 })
  await used.client.waitForIsr(TOPIC, 2)
  await used.client.write(TOPIC, 0, ['new 1'])

  await used.cluster.start(3)
  await waitUntil(
    () => logBytes(used.cluster.broker(3).logDir, TOPIC, 0).length === 0,
    'broker 3 has dropped the old log',
  )
  expect(await used.client.readAll(TOPIC, 0)).toEqual(['new 1'])
}, 60_000)
