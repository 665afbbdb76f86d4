/** Brokers on a quorum of etcd: a broker that is killed is found out by those that were connected to it. */
import { etcd } from '../setup/etcd.ts'
import { type EtcdCluster, startEtcd } from '../support/etcd.ts'
import { describeWith } from '../support/requires.ts'
import { startCluster, type TestCluster } from '../support/start-cluster.ts'
import { WireClient } from '../support/wire-client.ts'

const TOPIC = 'payments'
/** Well below quorum.session.timeout.ms, which is what a broker that is lost without a word takes. */
const NOTICED_WITHIN_MS = 3000

await describeWith(etcd, 'on a quorum of etcd', (program) => {
  let quorum: EtcdCluster
  let cluster: TestCluster
  let client: WireClient

  beforeAll(async () => {
    quorum = await startEtcd(program)
    cluster = await startCluster({
      brokers: 3,
      quorum: `${quorum.connect}/kafka`,
      overrides: { 'min.insync.replicas': '2' },
    })
    client = new WireClient(cluster.bootstrap)
    await client.waitForBrokers(cluster.bootstrap)
  }, 90_000)

  afterAll(async () => {
    await client.close()
    await cluster.stop()
    await quorum.stop()
  })

  test('kill -9 of any broker, the controller among them, is noticed long before its session ends', async () => {
    await client.createTopic(TOPIC, { partitions: 3 })
    await client.waitForIsr(TOPIC, 3)
    const written: string[][] = [[], [], []]
    const write = async (value: string): Promise<void> => {
      for (const partition of [0, 1, 2]) {
        await client.write(TOPIC, partition, [value])
        written[partition]!.push(value)
      }
    }
    await write('before')
    for (const id of [1, 2, 3]) {
      const killedAtMs = performance.now()
      await cluster.kill(id)
      await client.waitForIsr(TOPIC, 2)
      await write(`without ${id}`)
      const tookMs = Math.round(performance.now() - killedAtMs)
      console.log(`every partition written again ${tookMs} ms after kill -9 of broker ${id}`)
      expect(tookMs).toBeLessThan(NOTICED_WITHIN_MS)
      await cluster.start(id)
      await client.waitForIsr(TOPIC, 3)
    }
    for (const partition of [0, 1, 2]) {
      expect(await client.readAll(TOPIC, partition)).toEqual(written[partition])
    }
  }, 120_000)
})
