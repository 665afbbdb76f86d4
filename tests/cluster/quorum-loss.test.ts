/** The metadata quorum dies, all members at once: what goes on without it, what has to wait, and how brokers stop. */
import { etcd } from '../setup/etcd.ts'
import { type EtcdCluster, startEtcd } from '../support/etcd.ts'
import { describeWith } from '../support/requires.ts'
import { startCluster, type TestCluster } from '../support/start-cluster.ts'
import { WireClient } from '../support/wire-client.ts'

const TOPIC = 'orphaned'
const EXIT_WITHIN_MS = 10_000

await describeWith(etcd, 'when every member of the quorum is dead', (program) => {
  let quorum: EtcdCluster
  let cluster: TestCluster
  let client: WireClient

  beforeAll(async () => {
    quorum = await startEtcd(program)
    cluster = await startCluster({ brokers: 3, quorum: `${quorum.connect}/kafka` })
    client = new WireClient(cluster.bootstrap)
    await client.waitForBrokers(cluster.bootstrap)
    await client.createTopic(TOPIC, { configs: { 'min.insync.replicas': '2' } })
    await client.waitForIsr(TOPIC, 3)
    await client.write(TOPIC, 0, ['before'])
    await Promise.all(quorum.members.map((member) => member.kill()))
  }, 90_000)

  afterAll(async () => {
    await client.close()
    await cluster.stop()
    await quorum.stop()
  })

  test('records are written and read as before', async () => {
    expect(await client.produce(TOPIC, 0, ['after'])).toBe('NONE')
    expect(await client.readAll(TOPIC, 0)).toEqual(['before', 'after'])
  })

  test('the in-sync replicas are frozen: with one of them dead nothing is acknowledged until the quorum is back', async () => {
    const { leader } = (await client.partitions(TOPIC))[0]!
    const follower = [1, 2, 3].find((id) => id !== leader)!
    await cluster.kill(follower)
    expect(await client.produce(TOPIC, 0, ['in doubt'], { timeoutMs: 1000 })).toBe('REQUEST_TIMED_OUT')
    expect(await client.readAll(TOPIC, 0)).toEqual(['before', 'after'])

    for (const member of quorum.members) member.start()
    await client.waitForIsr(TOPIC, 2, 30_000)
    await client.write(TOPIC, 0, ['again'])
    expect(await client.readAll(TOPIC, 0)).toEqual(['before', 'after', 'in doubt', 'again'])
    await cluster.start(follower)
    await client.waitForIsr(TOPIC, 3)
  }, 60_000)

  test('SIGTERM ends every broker in time', async () => {
    await Promise.all(quorum.members.map((member) => member.kill()))
    const startedMs = performance.now()
    const exits = await Promise.all([1, 2, 3].map((id) => cluster.shutdown(id)))
    expect(performance.now() - startedMs).toBeLessThan(EXIT_WITHIN_MS)
    expect(exits.map(({ code }) => code)).toEqual([0, 0, 0])
  }, 30_000)
})
