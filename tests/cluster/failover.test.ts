/** Three real broker processes, of which the one that leads is killed while a client writes. */
import { Kafka, logLevel, type Producer } from 'kafkajs'
import { logBytes } from '../support/log-bytes.ts'
import { useCluster } from '../support/use-cluster.ts'
import { waitUntil } from '../support/wait-until.ts'

const RECORDS = 10_000
const RECORDS_PER_SEND = 50
const TOPIC = 'ledger'

const used = useCluster({ 'min.insync.replicas': '2' })

/** One producer without a limit to its retries, as a careful application would have it. */
async function connectProducer(): Promise<Producer> {
  const kafka = new Kafka({
    clientId: 'ledger-writer',
    brokers: [...used.cluster.bootstrap],
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 50, maxRetryTime: 500, retries: 100 },
  })
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 })
  await producer.connect()
  return producer
}

test('nothing that was acknowledged with acks=all is lost by kill -9 of the leader, and its order is kept', async () => {
  await used.client.createTopic(TOPIC)
  await used.client.waitForIsr(TOPIC, 3)
  const producer = await connectProducer()
  const acknowledged: string[] = []
  let killed: number | undefined
  let killedAtMs = 0
  let outageMs = 0
  for (let first = 0; first < RECORDS; first += RECORDS_PER_SEND) {
    const values = Array.from({ length: RECORDS_PER_SEND }, (_, at) => `record ${first + at}`)
    const sent = producer.send({
      topic: TOPIC,
      acks: -1,
      messages: values.map((value) => ({ value, partition: 0 })),
    })
    if (killed === undefined && first >= RECORDS / 2) {
      killed = (await used.client.partitions(TOPIC))[0]!.leader
      killedAtMs = performance.now()
      await used.cluster.kill(killed)
    }
    await sent
    if (killed !== undefined && outageMs === 0) outageMs = performance.now() - killedAtMs
    acknowledged.push(...values)
  }
  await producer.disconnect()
  console.log(`acknowledged again ${Math.round(outageMs)} ms after kill -9 of broker ${killed}`)

  expect(acknowledged).toHaveLength(RECORDS)
  expect(await used.client.readAll(TOPIC, 0)).toEqual(acknowledged)
  const [partition] = await used.client.partitions(TOPIC)
  expect(partition!.leader).not.toBe(killed)
  expect(partition!.isr).not.toContain(killed)

  await used.cluster.start(killed!)
  await used.client.waitForIsr(TOPIC, 3)
  expect(await used.client.readAll(TOPIC, 0)).toEqual(acknowledged)
}, 120_000)

test('the logs of the followers are the leader’s, byte for byte', async () => {
  const [one, two, three] = [1, 2, 3].map((id) => () => logBytes(used.cluster.broker(id).logDir, TOPIC, 0))
  await waitUntil(() => one!().equals(two!()) && one!().equals(three!()), 'all logs are the same')
  expect(one!().length).toBeGreaterThan(RECORDS * 10)
})
