/** @platformatic/kafka 2: recent, flexible versions of every API, topic ids, and fetch sessions. */
import { jest } from '@jest/globals'
import { Admin, Consumer, Producer, stringDeserializers, stringSerializers } from '@platformatic/kafka'
import type { Message, MessageToProduce } from '@platformatic/kafka'

import { againstOneAndThreeBrokers } from '../support/compat-target.ts'

const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const

type StringMessage = Message<string, string, string, string>

describe('@platformatic/kafka', () => {
  jest.setTimeout(60_000)

  againstOneAndThreeBrokers((target) => {
    const base = (): {
      clientId: string
      bootstrapBrokers: string[]
      retryDelay: number
      retries: number
    } => ({
      clientId: 'platformatic-test',
      bootstrapBrokers: target.bootstrap.split(','),
      retryDelay: 50,
      retries: 20,
    })
    const create = async (what: string, partitions: number): Promise<string> => {
      const topic = target.topic(what)
      const admin = new Admin(base())
      try {
        await admin.createTopics({ topics: [topic], partitions, replicas: target.brokers })
      } finally {
        await admin.close()
      }
      return topic
    }
    /** Idempotently, as this client's own retry would otherwise write a record twice, also to Apache Kafka. */
    const produce = async (
      messages: MessageToProduce<string, string, string, string>[],
      compression: (typeof CODECS)[number] = 'none',
    ): Promise<void> => {
      const producer = new Producer({ ...base(), serializers: stringSerializers })
      try {
        await producer.send({ acks: -1, idempotent: true, messages, compression })
      } finally {
        await producer.close()
      }
    }
    const consume = async (groupId: string, topic: string, count: number): Promise<StringMessage[]> => {
      const consumer = new Consumer({
        ...base(),
        groupId,
        deserializers: stringDeserializers,
        maxWaitTime: 100,
        autocommit: false,
      })
      // By place: while it joins, this client may hand out a record twice, also with Apache Kafka.
      const records = new Map<string, StringMessage>()
      try {
        const stream = await consumer.consume({
          topics: [topic],
          mode: 'committed',
          fallbackMode: 'earliest',
        })
        for await (const record of stream) {
          records.set(`${record.partition}:${record.offset}`, record)
          await record.commit()
          if (records.size >= count) break
        }
      } finally {
        await consumer.close(true)
      }
      return [...records.values()]
    }

    test('creates, describes and deletes a topic', async () => {
      const topic = await create('platformatic-topic', 3)
      const admin = new Admin(base())
      try {
        const metadata = await admin.metadata({ topics: [topic] })
        expect(metadata.brokers.size).toBe(target.brokers)
        expect(metadata.topics.get(topic)!.partitions.map(({ replicas }) => replicas.length)).toEqual(
          Array.from({ length: 3 }, () => target.brokers),
        )
        await admin.deleteTopics({ topics: [topic] })
        expect(await admin.listTopics()).not.toContain(topic)
      } finally {
        await admin.close()
      }
    })

    test.each(CODECS)(
      'writes with compression %s, keys and headers, and reads the same',
      async (compression) => {
        const topic = await create(`platformatic-${compression}`, 3)
        const messages = Array.from({ length: 200 }, (_unused, index) => ({
          topic,
          key: `key-${index}`,
          value: `value ${index} ${'x'.repeat(20)}`,
          headers: { trace: `trace-${index}` },
        }))
        await produce(messages, compression)
        const records = await consume(`group-${topic}`, topic, 200)
        const seen = records.map(({ key, value, headers }) => `${key}: ${value} (${headers.get('trace')})`)
        const written = messages.map(({ key, value, headers }) => `${key}: ${value} (${headers.trace})`)
        expect(seen.toSorted()).toEqual(written.toSorted())
      },
    )

    test('a group goes on where it stopped', async () => {
      const topic = await create('platformatic-group', 2)
      await produce([
        { topic, key: 'a', value: '1', partition: 0 },
        { topic, key: 'b', value: '2', partition: 1 },
      ])
      const first = await consume(`group-${topic}`, topic, 2)
      expect(first.map(({ value }) => value).toSorted()).toEqual(['1', '2'])
      await produce([{ topic, key: 'c', value: '3', partition: 1 }])
      expect((await consume(`group-${topic}`, topic, 1)).map(({ value }) => value)).toEqual(['3'])
    })
  })
})
