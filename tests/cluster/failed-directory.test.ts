/** Three brokers with two log directories each, of which one fails under load: others lead what it held. */
import { rmSync } from 'node:fs'
import path from 'node:path'
import { DescribeLogDirs } from '../../broker/protocol/apis/describe-log-dirs.ts'
import { Metadata } from '../../broker/protocol/apis/metadata.ts'
import { Ledger } from '../support/ledger.ts'
import { TestCluster } from '../support/start-cluster.ts'
import { waitUntil } from '../support/wait-until.ts'
import { WireClient } from '../support/wire-client.ts'

const TOPIC = 'ledger'
const PARTITIONS = 4
const cluster = new TestCluster({
  brokers: 3,
  overrides: { 'min.insync.replicas': '2', 'replica.high.watermark.checkpoint.interval.ms': '100' },
})
let client: WireClient

const dirsOf = (id: number): string[] =>
  ['a', 'b'].map((name) => path.join(cluster.folder, `broker-${id}`, name))

const start = (id: number): Promise<unknown> => cluster.start(id, { 'log.dirs': dirsOf(id).join(',') })

beforeAll(async () => {
  await Promise.all([1, 2, 3].map(start))
  client = new WireClient(cluster.bootstrap)
  await client.waitForBrokers(cluster.bootstrap)
}, 60_000)

afterAll(async () => {
  await client.close()
  await cluster.stop()
})

async function held(id: number): Promise<{ dir: string; partitions: number[] }[]> {
  const { results } = await client.send(cluster.address(id), DescribeLogDirs, 4, { topics: null })
  return results.map(({ logDir, topics }) => ({
    dir: logDir,
    partitions: topics
      .filter(({ name }) => name === TOPIC)
      .flatMap(({ partitions }) => partitions.map(({ partitionIndex }) => partitionIndex)),
  }))
}

/** The partitions of which `id` has an offline replica, as Metadata tells. */
async function offlineOn(id: number): Promise<number[]> {
  const { topics } = await client.sendToAny(Metadata, 12, {
    topics: [{ name: TOPIC }],
    allowAutoTopicCreation: false,
  })
  return topics[0]!.partitions
    .filter(({ offlineReplicas }) => offlineReplicas.includes(id))
    .map(({ partitionIndex }) => partitionIndex)
    .toSorted((a, b) => a - b)
}

test('a directory that fails on the leader moves its leaderships and loses nothing', async () => {
  await client.createTopic(TOPIC, { partitions: PARTITIONS })
  await client.waitForIsr(TOPIC, 3)
  const ledger = await Ledger.open(cluster.bootstrap, TOPIC)
  await ledger.write(1000)
  const { leader } = (await client.partitions(TOPIC))[0]!
  const dirs = await held(leader)
  const failed = dirs.find(({ partitions }) => partitions.includes(0))!
  const kept = dirs.find(({ dir }) => dir !== failed.dir)!
  expect([failed.partitions.length, kept.partitions.length]).toEqual([2, 2])
  ledger.startWriting()
  rmSync(failed.dir, { recursive: true })

  const lost = failed.partitions.toSorted((a, b) => a - b)
  await waitUntil(async () => {
    const partitions = await client.partitions(TOPIC)
    return lost.every((index) => partitions[index]!.leader !== leader && partitions[index]!.isr.length === 2)
  }, 'others lead what was lost, and are in sync without it')
  expect(await offlineOn(leader)).toEqual(lost)
  const partitions = await client.partitions(TOPIC)
  for (const index of kept.partitions) expect(partitions[index]!.isr).toHaveLength(3)
  const before = ledger.acknowledged.length
  await waitUntil(() => ledger.acknowledged.length > before + 1000, 'writes go on')

  await cluster.kill(leader)
  await start(leader)
  await client.waitForIsr(TOPIC, 3)
  expect(await offlineOn(leader)).toEqual([])
  await ledger.close()
  expect(ledger.failedSends).toBe(0)
  expect(await client.readAll(TOPIC, 0)).toEqual(ledger.acknowledged)
}, 60_000)
