/** Members of consumer groups, of two client libraries, behind one small interface. */
import {
  Consumer as PlatformaticConsumer,
  MessagesStreamModes,
  stringDeserializers,
} from '@platformatic/kafka'
import { Kafka, logLevel } from 'kafkajs'

/** A member that reads one topic from the group's committed offsets, or from the start. */
export interface GroupReader {
  /** Partitions that it has been assigned last. */
  assigned(): number[]
  /** The values that it has read, in the order in which they came. */
  readonly values: readonly string[]
  /** Leaves the group. */
  stop(): Promise<void>
}

export interface ReaderOptions {
  readonly bootstrap: readonly string[]
  readonly groupId: string
  readonly topic: string
  /** Often, unless given, so that rebalances take no time. */
  readonly heartbeatIntervalMs?: number
}

export type StartReader = (options: ReaderOptions) => Promise<GroupReader>

const SESSION_TIMEOUT_MS = 6000
const FAST_HEARTBEAT_MS = 200

async function startKafkaJs({
  bootstrap,
  groupId,
  topic,
  heartbeatIntervalMs = FAST_HEARTBEAT_MS,
}: ReaderOptions): Promise<GroupReader> {
  const kafka = new Kafka({
    brokers: [...bootstrap],
    logLevel: logLevel.NOTHING,
    retry: { initialRetryTime: 50, retries: 50, maxRetryTime: 1000 },
  })
  const consumer = kafka.consumer({
    groupId,
    heartbeatInterval: heartbeatIntervalMs,
    sessionTimeout: SESSION_TIMEOUT_MS,
    maxWaitTimeInMs: 100,
  })
  let assigned: number[] = []
  const values: string[] = []
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    assigned = payload.memberAssignment[topic] ?? []
  })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({
    eachMessage: async ({ message }) => {
      values.push(String(message.value))
    },
  })
  return { assigned: () => assigned, values, stop: () => consumer.disconnect() }
}

async function startPlatformatic({
  bootstrap,
  groupId,
  topic,
  heartbeatIntervalMs = FAST_HEARTBEAT_MS,
}: ReaderOptions): Promise<GroupReader> {
  const consumer = new PlatformaticConsumer({
    clientId: 'reader',
    groupId,
    bootstrapBrokers: [...bootstrap],
    deserializers: stringDeserializers,
    retries: 50,
    retryDelay: 100,
  })
  const values: string[] = []
  const stream = await consumer.consume({
    topics: [topic],
    mode: MessagesStreamModes.COMMITTED,
    fallbackMode: MessagesStreamModes.EARLIEST,
    autocommit: 100,
    sessionTimeout: SESSION_TIMEOUT_MS,
    heartbeatInterval: heartbeatIntervalMs,
    rebalanceTimeout: SESSION_TIMEOUT_MS,
    maxWaitTime: 100,
  })
  stream.on('data', ({ value }) => values.push(value))
  return {
    assigned: () => consumer.assignments?.find((each) => each.topic === topic)?.partitions ?? [],
    values,
    async stop() {
      await stream.close()
      await consumer.close()
    },
  }
}

/** By the name of the client library. */
export const READERS: Readonly<Record<string, StartReader>> = {
  kafkajs: startKafkaJs,
  '@platformatic/kafka': startPlatformatic,
}
