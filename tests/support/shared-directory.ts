/**
 * A log directory that Apache Kafka's server and our storage use in turn, with topics of every kind in it: each codec,
 * transactions, compaction; all of one partition, with many small segments.
 */
import { cpSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import path from 'node:path'

import { Kafka, logLevel, type Producer } from 'kafkajs'

import { CreateTopics } from '../../broker/protocol/apis/create-topics.ts'
import { InitProducerId } from '../../broker/protocol/apis/init-producer-id.ts'
import { Produce } from '../../broker/protocol/apis/produce.ts'
import { type Codec, CODECS } from '../../broker/protocol/compression.ts'
import { encodeBatch } from '../../broker/protocol/record-codec.ts'
import type { LogManager } from '../../broker/storage/log-manager.ts'
import type { PartitionLog } from '../../broker/storage/partition-log.ts'
import type { KafkaTools } from '../setup/kafka-tools.ts'
import { runKafkaTool } from './kafka-tools-runner.ts'
import { KAFKA_CLUSTER_ID, type KafkaServer, startKafkaServer } from './kafka-server.ts'
import { openLogs } from './log-scene.ts'
import { contentsAt, contentsOf, type PartitionContents } from './partition-contents.ts'
import { TestClient } from './test-client.ts'
import { marker } from './transactions.ts'
import { waitUntil } from './wait-until.ts'

export const COMPACTED = 'compacted'
export const TRANSACTIONS = 'transactions'
/** A few batches fill the indexes of a segment, so that the next one begins. */
const SMALL_SEGMENTS = { 'segment.index.bytes': '60', 'index.interval.bytes': '1' }
const TOPICS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  ...Object.fromEntries(CODECS.map((codec) => [`in-${codec}`, compressed(codec)])),
  [TRANSACTIONS]: SMALL_SEGMENTS,
  [COMPACTED]: { 'segment.ms': '5000', 'cleanup.policy': 'compact', 'min.cleanable.dirty.ratio': '0.01' },
}
const KAFKA_SETTINGS = {
  'log.cleaner.backoff.ms': '100',
  'log.segment.delete.delay.ms': '100',
  // How long a broker that was killed is waited for before it may come back.
  'broker.session.timeout.ms': '1000',
  'broker.heartbeat.interval.ms': '200',
}
const BATCHES = 20
const RECORDS_PER_BATCH = 3
const START_TIMEOUT_MS = 60_000

export type Contents = Readonly<Record<string, PartitionContents>>

function compressed(codec: Codec): Readonly<Record<string, string>> {
  return { ...SMALL_SEGMENTS, 'compression.type': codec === 'none' ? 'uncompressed' : codec }
}

interface BatchOptions {
  readonly codec?: Codec
  readonly producerId?: number
  readonly baseSequence?: number
  readonly isTransactional?: boolean
}

export class SharedDirectory {
  readonly topics = Object.keys(TOPICS)
  readonly #tools: KafkaTools
  readonly #folder: string
  #port: number | undefined
  #server: KafkaServer | undefined
  #client: TestClient | undefined
  #manager: LogManager | undefined
  #timestamp = Date.now() - 3_600_000

  constructor(tools: KafkaTools, folder: string) {
    this.#tools = tools
    this.#folder = folder
    mkdirSync(folder, { recursive: true })
  }

  get logDir(): string {
    return path.join(this.#folder, 'logs')
  }

  partitionDir(topic: string): string {
    return path.join(this.logDir, `${topic}-0`)
  }

  // Apache Kafka

  async startKafka(): Promise<void> {
    this.#server = await startKafkaServer(this.#tools, {
      folder: this.#folder,
      ...(this.#port === undefined ? {} : { port: this.#port }),
      jvm: ['-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'],
      overrides: KAFKA_SETTINGS,
    })
    this.#port = this.#server.port
    this.#client = await TestClient.connect(this.#server.address)
  }

  /** Ends it, if it runs. */
  async endKafka(how: 'stop' | 'kill'): Promise<void> {
    const server = this.#server
    this.#server = undefined
    this.#client?.close()
    await server?.[how]()
  }

  async createTopics(): Promise<void> {
    for (const [name, configs] of Object.entries(TOPICS)) {
      const entries = Object.entries(configs).map(([key, value]) => ({ name: key, value }))
      const topic = { name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: entries }
      const { topics } = await this.#client!.request(CreateTopics, 5, { topics: [topic], timeoutMs: 10_000 })
      if (topics[0]!.errorCode !== 0) throw new Error(`${name}: ${topics[0]!.errorMessage}`)
    }
  }

  /** Batches of an idempotent producer in every topic, which Kafka compresses as the topic asks. */
  async writeByKafka(round: string): Promise<void> {
    for (const topic of this.topics) {
      const request = { transactionalId: null, transactionTimeoutMs: 60_000 }
      const { producerId } = await this.#client!.request(InitProducerId, 3, request)
      for (let index = 0; index < BATCHES; index++) {
        const baseSequence = index * RECORDS_PER_BATCH
        await this.#produce(topic, this.#batch(`${round}-${index}`, { producerId, baseSequence }))
      }
    }
  }

  async #produce(topic: string, records: Buffer): Promise<void> {
    const { errorCode } = await this.produceToKafka(topic, records)
    if (errorCode !== 0) throw new Error(`${topic}: produce answered with error ${errorCode}`)
  }

  /** What Kafka answers to one batch. */
  async produceToKafka(topic: string, records: Buffer): Promise<{ errorCode: number; baseOffset: number }> {
    const topicData = [{ name: topic, partitionData: [{ index: 0, records }] }]
    const { responses } = await this.#client!.request(Produce, 9, { acks: -1, timeoutMs: 10_000, topicData })
    return responses[0]!.partitionResponses[0]!
  }

  /** Transactions of kafkajs: committed, aborted, and one that stays open. */
  async runTransactionsInKafka(): Promise<void> {
    const kafka = new Kafka({ brokers: [this.#server!.address], logLevel: logLevel.NOTHING })
    const producers = ['ended', 'open'].map((transactionalId) =>
      kafka.producer({
        transactionalId,
        idempotent: true,
        maxInFlightRequests: 1,
        transactionTimeout: 600_000,
      }),
    )
    const [ended, open] = producers as [Producer, Producer]
    for (const producer of producers) await producer.connect()
    for (const outcome of ['commit', 'abort', 'commit', 'abort'] as const) {
      const transaction = await ended.transaction()
      for (const index of [1, 2, 3]) {
        const messages = [{ partition: 0, key: outcome, value: `${outcome} ${index}` }]
        await transaction.send({ topic: TRANSACTIONS, messages })
        await this.#produce(TRANSACTIONS, this.#batch(`between-${outcome}-${index}`))
      }
      await transaction[outcome]()
    }
    const left = await open.transaction()
    await left.send({ topic: TRANSACTIONS, messages: [{ partition: 0, key: 'open', value: 'open' }] })
    await this.#produce(TRANSACTIONS, this.#batch('after'))
    for (const producer of producers) await producer.disconnect()
    await this.#runRaisedEpochsInKafka()
  }

  /** Transactions of the Java client, whose every marker raises the producer's epoch (KIP-890). */
  async #runRaisedEpochsInKafka(): Promise<void> {
    const producer = ['--bootstrap-server', this.#server!.address, '--transactional-id', 'raised']
    const load = ['--num-records', '40', '--record-size', '50', '--throughput', '200']
    const args = ['--topic', TRANSACTIONS, ...producer, ...load, '--transaction-duration-ms', '50']
    await runKafkaTool(this.#tools, 'kafka-producer-perf-test', args)
    const openTransactions = async (): Promise<number> => {
      const { producers } = await contentsAt(this.#client!, TRANSACTIONS)
      return producers.filter(({ currentTxnStartOffset }) => currentTxnStartOffset >= 0).length
    }
    await waitUntil(async () => (await openTransactions()) === 1, 'Kafka has written the last marker')
  }

  /** Resolves when Kafka has compacted all but the last segment. */
  async compactedByKafka(): Promise<void> {
    const isDone = (): boolean => {
      const names = readdirSync(this.partitionDir(COMPACTED)).filter((name) => name.endsWith('.log'))
      const lastBase = Number.parseInt(names.sort().at(-1)!, 10)
      const checkpoint = readFileSync(path.join(this.logDir, 'cleaner-offset-checkpoint'), 'utf8')
      return checkpoint.includes(`${COMPACTED} 0 ${lastBase}\n`)
    }
    await waitUntil(() => isDone(), 'Kafka has compacted the log', START_TIMEOUT_MS)
  }

  /** `expected`: how far each log goes, which Kafka knows some time after it has started. */
  async asKafkaSays(expected: Contents = {}): Promise<Contents> {
    const contents: Record<string, PartitionContents> = {}
    for (const topic of this.topics) {
      const isThere = async (): Promise<boolean> => {
        const found = await contentsAt(this.#client!, topic).catch(() => undefined)
        if (found === undefined || found.logEndOffset < (expected[topic]?.logEndOffset ?? 0)) return false
        contents[topic] = found
        return true
      }
      await waitUntil(isThere, `Kafka serves ${topic}`, START_TIMEOUT_MS)
    }
    return contents
  }

  // Our storage

  async open(): Promise<void> {
    const overridesOf = (topic: string): Map<string, string> => new Map(Object.entries(TOPICS[topic] ?? {}))
    this.#manager = await openLogs(this.logDir, undefined, { clusterId: KAFKA_CLUSTER_ID, overridesOf })
  }

  log(topic: string): PartitionLog {
    return this.#manager!.get(topic, 0)!
  }

  asWeSay(): Contents {
    return Object.fromEntries(this.topics.map((topic) => [topic, contentsOf(this.log(topic))]))
  }

  /** Batches of an idempotent producer in every topic, in every codec; transactions with both ends. */
  async writeByUs(round: string, producerId: number): Promise<void> {
    for (const topic of this.topics) {
      const log = this.log(topic)
      for (let index = 0; index < BATCHES; index++) {
        const codec = CODECS[index % CODECS.length]!
        const options = { codec, producerId, baseSequence: index * RECORDS_PER_BATCH }
        await log.appendAsLeader(this.#batch(`${round}-${index}`, options), log.latestEpoch)
      }
    }
    const log = this.log(TRANSACTIONS)
    for (const [index, outcome] of (['commit', 'abort', 'abort', 'commit'] as const).entries()) {
      await this.#runTransaction(log, producerId + 1 + index, outcome)
    }
  }

  async #runTransaction(log: PartitionLog, producerId: number, outcome: 'commit' | 'abort'): Promise<void> {
    for (const baseSequence of [0, RECORDS_PER_BATCH]) {
      const records = this.#batch(`${outcome}-${producerId}`, {
        producerId,
        baseSequence,
        isTransactional: true,
      })
      await log.appendAsLeader(records, log.latestEpoch)
      await log.appendAsLeader(this.#batch('between'), log.latestEpoch)
    }
    const end = marker(outcome, { producerId, timestamp: this.#timestamp })
    await log.appendAsLeader(end, log.latestEpoch, { origin: 'coordinator' })
  }

  /** The first key returns in every batch. */
  #batch(name: string, options: BatchOptions = {}): Buffer {
    this.#timestamp += 1000
    const records = ['same', name, `${name}-2`].map((key, index) => ({
      timestamp: this.#timestamp + index,
      key: Buffer.from(key),
      value: Buffer.from(`value of ${name} ${'x'.repeat(100)}`),
    }))
    return encodeBatch(records, {
      ...options,
      ...(options.producerId === undefined ? {} : { producerEpoch: 0 }),
    })
  }

  async close(): Promise<void> {
    await this.#manager?.close()
    this.#manager = undefined
  }

  /** Ends our use of the directory as a crash would: what is in the files now is what stays. */
  async crash(): Promise<void> {
    const copy = path.join(this.#folder, 'copy')
    cpSync(this.logDir, copy, { recursive: true })
    await this.close()
    rmSync(this.logDir, { recursive: true })
    renameSync(copy, this.logDir)
  }
}
