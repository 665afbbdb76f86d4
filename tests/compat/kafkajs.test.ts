/** kafkajs 2.2: old versions of every API, no flexible ones, and its own record decoder. */
import { jest } from '@jest/globals'
import { CompressionTypes, Kafka, logLevel } from 'kafkajs'
import type { Consumer, IHeaders, KafkaMessage } from 'kafkajs'

import { againstOneAndThreeBrokers } from '../support/compat-target.ts'
import { waitUntil } from '../support/wait-until.ts'

const CODECS = { none: CompressionTypes.None, gzip: CompressionTypes.GZIP }

describe('kafkajs', () => {
  jest.setTimeout(60_000)

  againstOneAndThreeBrokers((target) => {
    const client = (): Kafka =>
      new Kafka({
        clientId: 'kafkajs-test',
        brokers: target.bootstrap.split(','),
        logLevel: logLevel.NOTHING,
        retry: { initialRetryTime: 50, retries: 8 },
      })
    const create = async (what: string, numPartitions: number): Promise<string> => {
      const topic = target.topic(what)
      const admin = client().admin()
      try {
        const created = await admin.createTopics({
          waitForLeaders: true,
          topics: [{ topic, numPartitions, replicationFactor: target.brokers }],
        })
        expect(created).toBe(true)
      } finally {
        await admin.disconnect()
      }
      return topic
    }
    const produce = async (
      topic: string,
      messages: readonly { key: string; value: string; headers?: IHeaders; partition?: number }[],
      options: { compression?: CompressionTypes; idempotent?: boolean } = {},
    ): Promise<void> => {
      const producer = client().producer({ idempotent: options.idempotent === true })
      await producer.connect()
      try {
        await producer.send({
          topic,
          acks: -1,
          messages: [...messages],
          ...(options.compression === undefined ? {} : { compression: options.compression }),
        })
      } finally {
        await producer.disconnect()
      }
    }

    test('creates, describes and deletes a topic', async () => {
      const topic = await create('kafkajs-topic', 3)
      const admin = client().admin()
      try {
        const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
        expect(topics[0]!.partitions.map(({ replicas, isr }) => [replicas.length, isr.length])).toEqual(
          Array.from({ length: 3 }, () => [target.brokers, target.brokers]),
        )
        expect((await admin.describeCluster()).brokers).toHaveLength(target.brokers)
        await admin.deleteTopics({ topics: [topic] })
        // It asks any broker, which may hear of the deletion after the one that was asked for it.
        await waitUntil(
          async () => !(await admin.listTopics()).includes(topic),
          'the topic is gone everywhere',
        )
      } finally {
        await admin.disconnect()
      }
    })

    test.each(Object.entries(CODECS))(
      'writes with compression %s, keys and headers, and reads the same',
      async (_name, compression) => {
        const topic = await create('kafkajs-records', 3)
        const messages = Array.from({ length: 200 }, (_unused, index) => ({
          key: `key-${index}`,
          value: `value ${index} ${'x'.repeat(100)}`,
          headers: { trace: `trace-${index}` },
        }))
        await produce(topic, messages, { compression })
        const records = await consume(client().consumer(groupOptions(`group-${topic}`)), topic, 200)
        const seen = records.map(({ key, value, headers }) => ({
          key: String(key),
          value: String(value),
          headers: { trace: String(headers!['trace']) },
        }))
        expect(byKey(seen)).toEqual(byKey(messages))
      },
    )

    test('writes idempotently, and offsets follow one another', async () => {
      const topic = await create('kafkajs-idempotent', 1)
      await produce(topic, [{ key: 'a', value: '1' }], { idempotent: true })
      await produce(topic, [{ key: 'b', value: '2' }], { idempotent: true })
      const admin = client().admin()
      const offsets = await admin.fetchTopicOffsets(topic)
      await admin.disconnect()
      expect(offsets).toEqual([expect.objectContaining({ partition: 0, low: '0', high: '2' })])
    })

    test('a group goes on where it stopped', async () => {
      const topic = await create('kafkajs-group', 2)
      const options = groupOptions(`group-${topic}`)
      await produce(topic, [
        { key: 'a', value: '1', partition: 0 },
        { key: 'b', value: '2', partition: 1 },
      ])
      const first = await consume(client().consumer(options), topic, 2)
      expect(first.map(({ value }) => String(value)).toSorted()).toEqual(['1', '2'])
      await produce(topic, [{ key: 'c', value: '3', partition: 1 }])
      const second = await consume(client().consumer(options), topic, 1)
      expect(second.map(({ value }) => String(value))).toEqual(['3'])
    })
  })
})

function groupOptions(groupId: string): { groupId: string; maxWaitTimeInMs: number } {
  return { groupId, maxWaitTimeInMs: 100 }
}

/** Reads `count` records as a member of the consumer's group and leaves it; what was read is committed then. */
async function consume(consumer: Consumer, topic: string, count: number): Promise<KafkaMessage[]> {
  const records: KafkaMessage[] = []
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  try {
    await new Promise<void>((resolve, reject) => {
      // It restarts by itself after what it knows to be passing, as a coordinator that is still loading.
      consumer.on(consumer.events.CRASH, ({ payload }) => payload.restart || reject(payload.error))
      consumer
        .run({
          eachMessage: async ({ message }) => {
            records.push(message)
            if (records.length >= count) resolve()
          },
        })
        .catch(reject)
    })
  } finally {
    await consumer.disconnect()
  }
  return records
}

function byKey<T extends { key: string }>(records: readonly T[]): T[] {
  return records.toSorted((a, b) => a.key.localeCompare(b.key))
}
