/** SIGTERM: leadership goes to the others before the process does. */
import { Kafka, logLevel } from 'kafkajs'
import { startCluster, type TestCluster } from '../support/start-cluster.ts'
import { WireClient } from '../support/wire-client.ts'

const EXIT_WITHIN_MS = 10_000

describe('a planned stop', () => {
  let cluster: TestCluster
  let client: WireClient

  beforeAll(async () => {
    cluster = await startCluster({ brokers: 3, overrides: { 'min.insync.replicas': '2' } })
    client = new WireClient(cluster.bootstrap)
    await client.waitForBrokers(cluster.bootstrap)
  }, 60_000)

  afterAll(async () => {
    await client.close()
    await cluster.stop()
  })

  test('of each broker in turn, under acks=all load, fails no send and loses nothing', async () => {
    await client.createTopic('rolling', { partitions: 3 })
    await client.waitForIsr('rolling', 3)
    const kafka = new Kafka({
      clientId: 'rolling-writer',
      brokers: [...cluster.bootstrap],
      logLevel: logLevel.NOTHING,
      retry: { initialRetryTime: 20, maxRetryTime: 200, retries: 30 },
    })
    const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 })
    await producer.connect()
    const acknowledged: string[][] = [[], [], []]
    let failed = 0
    const stop = new AbortController()
    const load = (async () => {
      for (let count = 0; !stop.signal.aborted; count += 1) {
        const partition = count % 3
        const value = `record ${count}`
        try {
          await producer.send({ topic: 'rolling', acks: -1, messages: [{ value, partition }] })
          acknowledged[partition]!.push(value)
        } catch {
          failed += 1
        }
      }
    })()
    for (const id of [1, 2, 3]) {
      const startedMs = performance.now()
      expect(await cluster.shutdown(id)).toMatchObject({ code: 0 })
      expect(performance.now() - startedMs).toBeLessThan(EXIT_WITHIN_MS)
      await cluster.start(id)
      await client.waitForIsr('rolling', 3).catch((error: unknown) => {
        const troubles = cluster.ids.flatMap((broker) =>
          cluster.broker(broker).logs.filter(({ level }) => level === 'warn' || level === 'error'),
        )
        throw new Error(`${String(error)}\n${troubles.map((line) => JSON.stringify(line)).join('\n')}`)
      })
    }
    stop.abort()
    await load
    await producer.disconnect()
    expect(failed).toBe(0)
    expect(acknowledged.flat().length).toBeGreaterThan(100)
    for (const partition of [0, 1, 2]) {
      expect(await client.readAll('rolling', partition)).toEqual(acknowledged[partition])
    }
  }, 120_000)
})
