/**
 * The same log compacted twice, by Apache Kafka's server and by ours: what is left must be the same, batch for batch.
 * Kafka is kept from compacting until the log is copied.
 */
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'

import { jest } from '@jest/globals'
import { type Admin, CompressionTypes, ConfigResourceTypes, Kafka, logLevel, type Producer } from 'kafkajs'

import { loadConfig } from '../../broker/config/config.ts'
import type { BatchView } from '../../broker/protocol/record-batch.ts'
import { decodeRecords } from '../../broker/protocol/record-codec.ts'
import { systemClock } from '../../broker/runtime/clock.ts'
import { silentLogger } from '../../broker/runtime/logger.ts'
import { LogCleaner } from '../../broker/storage/cleaner/log-cleaner.ts'
import { kafkaTools } from '../setup/kafka-tools.ts'
import { batchesOf } from '../support/compacted-log.ts'
import { type KafkaServer, startKafkaServer } from '../support/kafka-server.ts'
import { openLogs } from '../support/log-scene.ts'
import { describeWith } from '../support/requires.ts'
import { randomFrom } from '../support/seeded-random.ts'
import { tempFolder } from '../support/temp-folder.ts'
import { waitUntil } from '../support/wait-until.ts'

const TOPIC = 'compacted'
const NAME = `${TOPIC}-0`
const KEYS = 12
const SENDS = 80
/** No share of dirty bytes is larger. */
const NEVER = '1'
const CONFIGS = {
  'cleanup.policy': 'compact',
  'segment.ms': '100',
  'min.cleanable.dirty.ratio': NEVER,
  'delete.retention.ms': '0',
}
const newPath = tempFolder()

await describeWith(kafkaTools, 'compaction', (tools) => {
  jest.setTimeout(90_000)

  const random = randomFrom(42)
  const pick = (count: number): number => Math.floor(random() * count)
  const folder = newPath('kafka')
  let server: KafkaServer
  let kafka: Kafka
  let admin: Admin

  beforeAll(async () => {
    mkdirSync(folder)
    server = await startKafkaServer(tools, {
      folder,
      jvm: ['-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'],
      overrides: { 'log.cleaner.backoff.ms': '100' },
    })
    kafka = new Kafka({ brokers: [server.address], logLevel: logLevel.NOTHING })
    admin = kafka.admin()
    await admin.connect()
    const configEntries = Object.entries(CONFIGS).map(([name, value]) => ({ name, value }))
    await admin.createTopics({ topics: [{ topic: TOPIC, configEntries }], waitForLeaders: true })
  })

  afterAll(async () => {
    await admin.disconnect()
    await server.stop()
  })

  function messages(isTransactional: boolean) {
    return Array.from({ length: 1 + pick(4) }, (_, index) => ({
      partition: 0,
      key: `key-${pick(KEYS)}`,
      value: pick(4) === 0 ? null : `${isTransactional ? 'in' : 'out'} ${index} ${'x'.repeat(pick(80))}`,
    }))
  }

  /** Plain, idempotent and transactional batches, of which some are aborted, with tombstones in between. */
  async function write(): Promise<void> {
    const plain = kafka.producer()
    const idempotent = kafka.producer({ idempotent: true, maxInFlightRequests: 1 })
    const transactional = [0, 1].map((index) =>
      kafka.producer({ transactionalId: `t-${index}`, idempotent: true, maxInFlightRequests: 1 }),
    )
    const producers = [plain, idempotent, ...transactional]
    for (const producer of producers) await producer.connect()
    for (let send = 0; send < SENDS; send++) {
      const kind = pick(6)
      if (kind < 2) await runTransaction(transactional[kind]!, plain)
      else {
        const compression = pick(2) === 0 ? CompressionTypes.GZIP : CompressionTypes.None
        await (kind === 2 ? idempotent : plain).send({ topic: TOPIC, messages: messages(false), compression })
      }
    }
    for (const producer of producers) await producer.disconnect()
  }

  async function runTransaction(producer: Producer, other: Producer): Promise<void> {
    const transaction = await producer.transaction()
    for (let send = 0; send <= pick(3); send++) {
      await transaction.send({ topic: TOPIC, messages: messages(true) })
      if (pick(2) === 0) await other.send({ topic: TOPIC, messages: messages(false) })
    }
    await (pick(2) === 0 ? transaction.commit() : transaction.abort())
  }

  function activeBase(): number {
    const names = readdirSync(path.join(server.logDir, NAME)).filter((name) => name.endsWith('.log'))
    return Number.parseInt(names.sort().at(-1)!, 10)
  }

  /** Resolves when Kafka has compacted all but the active segment. */
  async function compactedByKafka(): Promise<void> {
    const checkpoint = path.join(server.logDir, 'cleaner-offset-checkpoint')
    const isDone = (): boolean => readFileSync(checkpoint, 'utf8').includes(`${TOPIC} 0 ${activeBase()}\n`)
    await waitUntil(isDone, 'Kafka has compacted the log', 30_000)
  }

  /** The batches in a copy of Kafka's files, compacted by us if asked. */
  async function batchesInCopy(o: { compacts: boolean }): Promise<string[]> {
    const directory = newPath('copy')
    cpSync(path.join(server.logDir, NAME), path.join(directory, NAME), { recursive: true })
    const compactionEnds = 'cleaner-offset-checkpoint'
    cpSync(path.join(server.logDir, compactionEnds), path.join(directory, compactionEnds))
    writeFileSync(
      path.join(directory, 'recovery-point-offset-checkpoint'),
      `0\n1\n${TOPIC} 0 ${activeBase()}\n`,
    )
    const config = loadConfig({
      'node.id': '1',
      'quorum.connect': 'embedded:/unused',
      'disk.reserve.percent': '0',
      'disk.reserve.min.bytes': '0',
    })
    const manager = await openLogs(directory, undefined, { config })
    const log = manager.get(TOPIC, 0)!
    log.updateConfig(config.topic(new Map(Object.entries({ ...CONFIGS, 'min.cleanable.dirty.ratio': '0' }))))
    log.updateHighWatermark(log.logEndOffset)
    await log.flush()
    if (o.compacts) {
      const logs = (): Iterable<typeof log> => [log]
      const cleaner = new LogCleaner({ logs, config, clock: systemClock, logger: silentLogger })
      while (await cleaner.round());
      expect(log.compactedUpTo).toBe(log.segments().at(-1)!.baseOffset)
    }
    const found = batchesOf(log).map(described)
    await manager.close()
    return found
  }

  async function setDirtyRatio(ratio: string): Promise<void> {
    const configEntries = Object.entries({ ...CONFIGS, 'min.cleanable.dirty.ratio': ratio }).map(
      ([name, value]) => ({ name, value }),
    )
    const resources = [{ type: ConfigResourceTypes.TOPIC, name: TOPIC, configEntries }]
    await admin.alterConfigs({ validateOnly: false, resources })
  }

  test.each(['first', 'second'])('leaves what that of Apache Kafka leaves, the %s time', async () => {
    await setDirtyRatio(NEVER)
    await write()
    const whole = await batchesInCopy({ compacts: false })
    const ours = await batchesInCopy({ compacts: true })
    await setDirtyRatio('0.001')
    await compactedByKafka()
    const theirs = await batchesInCopy({ compacts: false })
    expect(theirs.length).toBeLessThan(whole.length / 2)
    expect(ours).toEqual(theirs)
  })

  test('has dropped tombstones and markers whose time was over', async () => {
    const theirs = await batchesInCopy({ compacts: false })
    const compacted = theirs.filter((batch) => Number(batch.split(' ')[1]) < activeBase())
    expect(compacted.filter((batch) => batch.endsWith('=undefined')).length).toBeLessThan(KEYS)
  })
})

/** All but what may differ: the time of the horizon, and how well the records were compressed. */
function described(batch: BatchView): string {
  const { baseOffset, lastOffset, leaderEpoch, attributes, producerId, producerEpoch, baseSequence } = batch
  const header = [baseOffset, lastOffset, leaderEpoch, attributes, producerId, producerEpoch, baseSequence]
  const records = decodeRecords(batch).map(
    ({ offset, timestamp, key, value }) =>
      `${offset} ${timestamp} ${String(key?.toString('hex'))}=${String(value?.toString('hex'))}`,
  )
  return [...header, batch.maxTimestamp, ...records].join(' | ')
}
