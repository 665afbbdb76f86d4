/** SIGTERM: leadership goes to the others before the process does. */
import { Kafka, logLevel } from 'kafkajs'
import { useCluster } from '../support/use-cluster.ts'

const EXIT_WITHIN_MS = 10_000

describe('a planned stop', () => {
  const used = useCluster({ 'min.insync.replicas': '2' })

  test('of each broker in turn, under acks=all load, fails no send and loses nothing', async () => {
    await used.client.createTopic('rolling', { partitions: 3 })
    await used.client.waitForIsr('rolling', 3)
    const kafka = new Kafka({
      clientId: 'rolling-writer',
      brokers: [...used.cluster.bootstrap],
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
      expect(await used.cluster.shutdown(id)).toMatchObject({ code: 0 })
      expect(performance.now() - startedMs).toBeLessThan(EXIT_WITHIN_MS)
      await used.cluster.start(id)
      await used.client.waitForIsr('rolling', 3).catch((error: unknown) => {
        const troubles = used.cluster.ids.flatMap((broker) =>
          used.cluster.broker(broker).logs.filter(({ level }) => level === 'warn' || level === 'error'),
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
      expect(await used.client.readAll('rolling', partition)).toEqual(acknowledged[partition])
    }
  }, 120_000)
})
