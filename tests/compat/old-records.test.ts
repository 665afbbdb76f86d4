/**
 * Topics whose old records go, by age, by size or by compaction: what clients and Apache Kafka's kafka-dump-log find of
 * them, and a group whose committed offsets were compacted.
 */
import { mkdirSync, readdirSync } from 'node:fs'
import path from 'node:path'

import { jest } from '@jest/globals'
import { type Admin, CompressionTypes, Kafka, logLevel, type Producer } from 'kafkajs'

import { partitionOfKey } from '../../broker/coordinator/java-hash.ts'
import { OffsetCommit } from '../../broker/protocol/apis/offset-commit.ts'
import { kafkaTools } from '../setup/kafka-tools.ts'
import { runKafkaTool } from '../support/kafka-tools-runner.ts'
import { describeWith } from '../support/requires.ts'
import { type BrokerProcess, type LogLine, startBroker } from '../support/start-broker.ts'
import { tempFolder } from '../support/temp-folder.ts'
import { TestClient } from '../support/test-client.ts'
import { waitUntil } from '../support/wait-until.ts'

const GROUP = 'committers'
const OFFSETS_PARTITIONS = 2
const COMMITS = 60
const SENDS = 40
const KEYS = 7
const newPath = tempFolder()

/** Everything happens soon, and a few batches fill a segment. */
const OVERRIDES = {
  'log.initial.task.delay.ms': '0',
  'log.retention.check.interval.ms': '100',
  'log.cleaner.backoff.ms': '100',
  'log.cleaner.min.cleanable.ratio': '0.01',
  'log.index.size.max.bytes': '60',
  'log.index.interval.bytes': '1',
  'group.initial.rebalance.delay.ms': '0',
  'offsets.topic.num.partitions': String(OFFSETS_PARTITIONS),
}

await describeWith(kafkaTools, 'old records', (tools) => {
  jest.setTimeout(60_000)

  const folder = newPath('broker')
  let broker: BrokerProcess
  let kafka: Kafka
  let admin: Admin
  let producer: Producer

  async function start(): Promise<void> {
    broker = await startBroker({ folder, port: broker?.port ?? 0, overrides: OVERRIDES })
    kafka = new Kafka({ brokers: [broker.address], logLevel: logLevel.NOTHING })
    admin = kafka.admin()
    producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 })
    await admin.connect()
    await producer.connect()
  }

  async function stop(): Promise<void> {
    await producer.disconnect()
    await admin.disconnect()
    await broker.end('SIGTERM')
  }

  beforeAll(async () => {
    mkdirSync(folder)
    await start()
  })

  afterAll(() => broker.end('SIGKILL'))

  async function createTopic(topic: string, configs: Record<string, string>): Promise<void> {
    const configEntries = Object.entries(configs).map(([name, value]) => ({ name, value }))
    await admin.createTopics({ topics: [{ topic, configEntries }], waitForLeaders: true })
  }

  async function low(topic: string): Promise<number> {
    return Number((await admin.fetchTopicOffsets(topic))[0]!.low)
  }

  /** All that a consumer is given from the beginning up to the end of now: 'key=value'. */
  async function readAll(topic: string): Promise<string[]> {
    const end = Number((await admin.fetchTopicOffsets(topic))[0]!.high)
    const consumer = kafka.consumer({ groupId: `reader-${topic}-${Date.now()}` })
    await consumer.connect()
    await consumer.subscribe({ topic, fromBeginning: true })
    const read: string[] = []
    const done = Promise.withResolvers<void>()
    await consumer.run({
      eachMessage: async ({ message }) => {
        read.push(`${String(message.key)}=${message.value?.toString() ?? ''}`)
        if (Number(message.offset) === end - 1) done.resolve()
      },
    })
    await done.promise
    await consumer.disconnect()
    return read
  }

  async function commit(client: TestClient, committedOffset: number): Promise<void> {
    const partitions = [{ partitionIndex: 0, committedOffset, committedMetadata: '' }]
    const topics = [{ name: 'committed', partitions }]
    const response = await client.request(OffsetCommit, 8, { groupId: GROUP, memberId: '', topics })
    expect(response.topics[0]!.partitions).toEqual([{ partitionIndex: 0, errorCode: 0 }])
  }

  const compactions = (topic: string, partition = 0): LogLine[] =>
    broker
      .logged('log compacted')
      .filter((line) => line['topic'] === topic && line['partition'] === partition)

  test('records older than retention.ms go, and reading begins after them', async () => {
    await createTopic('aged', { 'retention.ms': '3600000' })
    const old = String(Date.now() - 7_200_000)
    for (let send = 0; send < SENDS; send++) {
      await producer.send({ topic: 'aged', messages: [{ value: `old ${send}`, timestamp: old }] })
    }
    await waitUntil(async () => (await low('aged')) === SENDS, 'all old records are gone')
    await producer.send({ topic: 'aged', messages: [{ key: 'k', value: 'young' }] })
    expect(await readAll('aged')).toEqual(['k=young'])
  })

  test('a topic of retention.bytes keeps its newest records', async () => {
    await createTopic('sized', { 'retention.bytes': '1500' })
    for (let send = 0; send < SENDS; send++) {
      await producer.send({ topic: 'sized', messages: [{ key: 'k', value: `${send}`.padStart(50, '0') }] })
    }
    await waitUntil(async () => (await low('sized')) > SENDS / 4, 'the first records are gone')
    const read = await readAll('sized')
    expect(read.length).toBeLessThan(SENDS)
    expect(read.at(-1)).toBe(`k=${String(SENDS - 1).padStart(50, '0')}`)
  })

  test('a compacted topic keeps the last value of each key', async () => {
    await createTopic('compacted', { 'cleanup.policy': 'compact', 'delete.retention.ms': '0' })
    const last = new Map<string, string>()
    for (let send = 0; send < SENDS; send++) {
      const messages = Array.from({ length: 5 }, (_, index) => ({
        key: `key-${(send * 5 + index) % KEYS}`,
        value: index === 4 && send % 3 === 0 ? null : `${send}-${index} ${'x'.repeat(100)}`,
      }))
      for (const { key, value } of messages) last.set(key, value ?? '')
      const compression = send % 2 === 0 ? CompressionTypes.GZIP : CompressionTypes.None
      await producer.send({ topic: 'compacted', messages, compression })
    }
    await waitUntil(() => compactions('compacted').length > 0, 'the topic is compacted')
    await waitUntil(async () => (await readAll('compacted')).length < SENDS, 'most records are gone')
    const read = await readAll('compacted')
    const found = new Map(read.map((text) => text.split('=') as [string, string]))
    for (const [key, value] of last) expect(found.get(key) ?? '').toBe(value)
    expect(found.size).toBeLessThanOrEqual(KEYS)
  })

  test('a tombstone stays for delete.retention.ms after what it deletes has gone', async () => {
    await createTopic('tombstones', { 'cleanup.policy': 'compact', 'delete.retention.ms': '3600000' })
    for (const value of ['value', null]) {
      await producer.send({ topic: 'tombstones', messages: [{ key: 'gone', value }] })
    }
    for (let send = 0; send < SENDS; send++) {
      await producer.send({ topic: 'tombstones', messages: [{ key: `key-${send}`, value: 'x' }] })
    }
    await waitUntil(
      () => compactions('tombstones').some((line) => Number(line['toOffset']) > 2),
      'the tombstone was met by the cleaner',
    )
    const read = await readAll('tombstones')
    expect(read.filter((text) => text.startsWith('gone='))).toEqual(['gone='])
  })

  test('committed offsets are known after their log was compacted and the broker started again', async () => {
    await createTopic('committed', {})
    // Which makes the topic of the offsets; the commits come from a group without members, as tools write them.
    await readAll('sized')
    const client = await TestClient.connect(broker.address)
    for (let offset = 1; offset <= COMMITS; offset++) await commit(client, offset)
    client.close()
    const partition = partitionOfKey(GROUP, OFFSETS_PARTITIONS)
    await waitUntil(
      () =>
        compactions('__consumer_offsets', partition).some((line) => Number(line['toOffset']) > COMMITS / 2),
      'most of the commits are compacted',
    )
    await stop()
    await start()
    const [fetched] = await admin.fetchOffsets({ groupId: GROUP, topics: ['committed'] })
    expect(fetched!.partitions).toMatchObject([{ partition: 0, offset: String(COMMITS) }])
    const [loaded] = broker.logged('loaded state').filter((line) => line['partition'] === partition)
    const { records } = loaded as { records?: number }
    expect(records).toBeLessThan(COMMITS)
  })

  test('kafka-dump-log reads what is left without a complaint', async () => {
    await stop()
    const partition = partitionOfKey(GROUP, OFFSETS_PARTITIONS)
    const logs = ['aged-0', 'sized-0', 'compacted-0', 'tombstones-0', `__consumer_offsets-${partition}`]
    const files = logs.flatMap((name) => {
      const directory = path.join(broker.logDir, name)
      const wanted = readdirSync(directory).filter((file) => /\.(log|index|timeindex|snapshot)$/.test(file))
      return wanted.map((file) => path.join(directory, file))
    })
    const args = ['--files', files.join(','), '--deep-iteration', '--print-data-log']
    const said = await runKafkaTool(tools, 'kafka-dump-log', args, { withErrors: true })
    const complaint = /isvalid: false|mismatch|^Found|out of order|exception|error|corrupt/i
    expect(said.split('\n').filter((line) => complaint.test(line))).toEqual([])
    expect(said).toMatch(/^baseOffset: .* compresscodec: gzip .* isvalid: true/m)
    expect(said).toMatch(/deleteHorizonMs: OptionalLong\[\d+\]/)
  })
})
