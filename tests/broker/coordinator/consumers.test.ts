/** Consumer groups of real clients against one running broker. */
import { mkdirSync } from 'node:fs'
import { Kafka, logLevel } from 'kafkajs'
import { OffsetFetch } from '../../../broker/protocol/apis/offset-fetch.ts'
import { type GroupReader, READERS } from '../../support/group-readers.ts'
import { type BrokerProcess, startBroker } from '../../support/start-broker.ts'
import { tempFolder } from '../../support/temp-folder.ts'
import { TestClient } from '../../support/test-client.ts'
import { waitUntil } from '../../support/wait-until.ts'

const PARTITIONS = 4
const overrides = { 'offsets.topic.replication.factor': '1', 'group.initial.rebalance.delay.ms': '0' }

const newPath = tempFolder()

async function createTopic(broker: BrokerProcess, topic: string): Promise<void> {
  const admin = new Kafka({ brokers: [broker.address], logLevel: logLevel.NOTHING }).admin()
  await admin.connect()
  await admin.createTopics({ topics: [{ topic, numPartitions: PARTITIONS }] })
  await admin.disconnect()
}

/** Writes the numbers from `from` on, spread over the partitions. */
async function send(broker: BrokerProcess, topic: string, from: number, count: number): Promise<void> {
  const producer = new Kafka({ brokers: [broker.address], logLevel: logLevel.NOTHING }).producer()
  await producer.connect()
  const messages = numbers(from, count).map((value, index) => ({ value, partition: index % PARTITIONS }))
  await producer.send({ topic, messages })
  await producer.disconnect()
}

function numbers(from: number, count: number): string[] {
  return Array.from({ length: count }, (_, index) => String(from + index))
}

function sorted(values: readonly string[]): string[] {
  return values.toSorted((a, b) => Number(a) - Number(b))
}

function ordered(partitions: readonly number[]): number[] {
  return partitions.toSorted((a, b) => a - b)
}

/** Waits until the group has committed `count` records in all. */
async function committed(broker: BrokerProcess, groupId: string, count: number): Promise<void> {
  const client = await TestClient.connect(broker.address)
  await waitUntil(async () => {
    const { topics } = await client.request(OffsetFetch, 7, { groupId, topics: null })
    const offsets = topics.flatMap(({ partitions }) =>
      partitions.map(({ committedOffset }) => committedOffset),
    )
    return offsets.reduce((sum, offset) => sum + offset, 0) === count
  }, `${groupId} has committed ${count} records`)
  client.close()
}

function readAll(readers: readonly GroupReader[]): string[] {
  return sorted(readers.flatMap(({ values }) => values))
}

describe.each(Object.entries(READERS))('%s', (library, startReader) => {
  const topic = `topic-${library.replace(/\W/g, '')}`
  const groupId = `group-${library}`
  const bootstrap = (broker: BrokerProcess) => ({ bootstrap: [broker.address], groupId, topic })

  test('partitions move when members come and go, and nothing committed is read twice', async () => {
    const broker = await startBroker({ overrides })
    await createTopic(broker, topic)
    await send(broker, topic, 0, 40)
    const first = await startReader(bootstrap(broker))
    await waitUntil(() => first.values.length === 40, 'the first member reads everything')
    expect(ordered(first.assigned())).toEqual([0, 1, 2, 3])
    await committed(broker, groupId, 40)

    const second = await startReader(bootstrap(broker))
    await waitUntil(() => first.assigned().length === 2, 'the first has let go of two partitions')
    await waitUntil(() => second.assigned().length === 2, 'the second has them')
    expect(ordered([...first.assigned(), ...second.assigned()])).toEqual([0, 1, 2, 3])
    await send(broker, topic, 40, 40)
    await committed(broker, groupId, 80)
    expect(readAll([first, second])).toEqual(numbers(0, 80))
    expect(second.values).toHaveLength(20)

    await first.stop()
    await waitUntil(() => second.assigned().length === PARTITIONS, 'the second has all partitions')
    await send(broker, topic, 80, 40)
    await committed(broker, groupId, 120)
    expect(readAll([first, second])).toEqual(numbers(0, 120))
    await second.stop()
    await broker.stop()
  }, 60_000)

  test.each(['SIGTERM', 'SIGKILL'] as const)(
    'a member goes on where it was when the broker is ended by %s and started again',
    async (signal) => {
      const folder = newPath('broker')
      mkdirSync(folder)
      const broker = await startBroker({ folder, overrides })
      await createTopic(broker, topic)
      await send(broker, topic, 0, 20)
      const reader = await startReader(bootstrap(broker))
      await waitUntil(() => reader.values.length === 20, 'it reads everything')
      await committed(broker, groupId, 20)

      await broker.end(signal)
      const again = await startBroker({ folder, port: broker.port, overrides })
      await send(again, topic, 20, 20)
      await waitUntil(() => reader.values.length >= 40, 'it reads on', 30_000)
      await committed(again, groupId, 40)
      expect(readAll([reader])).toEqual(numbers(0, 40))

      await reader.stop()
      // A new member of the same group finds nothing left to read.
      await send(again, topic, 40, 4)
      const late = await startReader(bootstrap(again))
      await committed(again, groupId, 44)
      expect(readAll([late])).toEqual(numbers(40, 4))
      await late.stop()
      await again.stop()
    },
    90_000,
  )
})
