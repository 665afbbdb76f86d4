/** SIGTERM under load by `@platformatic/kafka` with its default retries: three, a second apart. */
import { Producer, stringSerializers } from '@platformatic/kafka'
import { startCluster, type TestCluster } from '../support/start-cluster.ts'
import { waitUntil } from '../support/wait-until.ts'
import { WireClient } from '../support/wire-client.ts'

const TOPIC = 'rolling'
const PARTITIONS = [0, 1, 2]

let cluster: TestCluster
let client: WireClient

beforeAll(async () => {
  cluster = await startCluster({ overrides: { 'min.insync.replicas': '2' } })
  client = new WireClient(cluster.bootstrap)
  await client.waitForBrokers(cluster.bootstrap)
  await client.createTopic(TOPIC, { partitions: PARTITIONS.length, replicationFactor: 3 })
}, 60_000)

afterAll(async () => {
  await client.close()
  await cluster.stop()
})

test('a planned stop of each broker in turn fails no send with acks=all, and loses nothing', async () => {
  await client.waitForIsr(TOPIC, 3)
  const producer = new Producer({
    clientId: 'rolling-writer',
    bootstrapBrokers: [...cluster.bootstrap],
    serializers: stringSerializers,
  })
  const acknowledged: string[] = []
  const failures: unknown[] = []
  const stop = new AbortController()
  const load = (async () => {
    for (let count = 0; !stop.signal.aborted; count += 1) {
      const value = `record ${count}`
      const messages = [{ topic: TOPIC, partition: count % PARTITIONS.length, value }]
      try {
        await producer.send({ acks: -1, messages })
        acknowledged.push(value)
      } catch (error) {
        failures.push(error)
      }
    }
  })()
  for (const id of cluster.ids) {
    expect(await cluster.shutdown(id)).toMatchObject({ code: 0 })
    const before = acknowledged.length
    await waitUntil(() => acknowledged.length > before, 'records go to the other brokers')
    await cluster.start(id)
    await client.waitForIsr(TOPIC, 3)
  }
  stop.abort()
  await load
  await producer.close()
  expect(failures).toEqual([])
  expect(acknowledged.length).toBeGreaterThan(100)
  const stored = await Promise.all(PARTITIONS.map((index) => client.readAll(TOPIC, index)))
  expect(new Set(stored.flat())).toEqual(new Set(acknowledged))
}, 120_000)
