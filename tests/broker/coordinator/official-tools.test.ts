/** Apache Kafka's console consumer in a group, and its view of what the broker keeps of it. */
import { jest } from '@jest/globals'
import { partitionOfKey } from '../../../broker/coordinator/java-hash.ts'
import { kafkaTools } from '../../setup/kafka-tools.ts'
import { runKafkaTool } from '../../support/kafka-tools-runner.ts'
import { describeWith } from '../../support/requires.ts'
import { type BrokerProcess, startBroker } from '../../support/start-broker.ts'
import { WireClient } from '../../support/wire-client.ts'

const TOPIC = 'orders'
const GROUP = 'console'
/** Of `__consumer_offsets`. */
const PARTITIONS = 5
/** What a member that comes, reads and leaves makes: its group, its offset, and the group without it; and that twice. */
const RECORDS = 6

/** A record of `__consumer_offsets` as the tools print it. */
interface Printed {
  readonly key: { readonly type: number; readonly data: Readonly<Record<string, unknown>> }
  readonly value: { readonly version: number; readonly data: Readonly<Record<string, unknown>> } | null
}

await describeWith(kafkaTools, 'the console consumer', (tools) => {
  jest.setTimeout(90_000)
  let broker: BrokerProcess
  let wire: WireClient

  beforeAll(async () => {
    // The replication factor is not set: a lone broker serves groups although the default is three.
    broker = await startBroker({
      overrides: {
        'group.initial.rebalance.delay.ms': '0',
        'offsets.topic.num.partitions': String(PARTITIONS),
      },
    })
    wire = new WireClient([broker.address])
    await wire.createTopic(TOPIC, { replicationFactor: 1 })
  })

  afterAll(async () => {
    await wire.close()
    await broker.stop()
  })

  async function consume(...options: string[]): Promise<string[]> {
    const said = await runKafkaTool(tools, 'kafka-console-consumer', [
      '--bootstrap-server',
      broker.address,
      '--timeout-ms',
      '20000',
      ...options,
    ])
    return said.split('\n').filter((line) => line !== '')
  }

  /** Of all records that the group has left behind, those that this formatter understands. */
  async function readState(formatter: string): Promise<Printed[]> {
    const [line = ''] = await consume(
      '--topic',
      '__consumer_offsets',
      '--partition',
      String(partitionOfKey(GROUP, PARTITIONS)),
      '--offset',
      'earliest',
      '--max-messages',
      String(RECORDS),
      '--formatter',
      `org.apache.kafka.tools.consumer.${formatter}`,
    )
    // The tool prints one object after the other.
    return line.split(/(?<=\})(?=\{"key")/).map((text) => JSON.parse(text) as Printed)
  }

  test('goes on where its group was', async () => {
    await wire.write(TOPIC, 0, ['a', 'b', 'c'])
    const read = ['--topic', TOPIC, '--group', GROUP, '--from-beginning', '--max-messages']
    expect(await consume(...read, '2')).toEqual(['a', 'b'])
    expect(await consume(...read, '1')).toEqual(['c'])
  })

  test('reads the offsets that the group has committed', async () => {
    const records = await readState('OffsetsMessageFormatter')
    expect(records.map(({ key }) => key.data)).toEqual([
      { group: GROUP, topic: TOPIC, partition: 0 },
      { group: GROUP, topic: TOPIC, partition: 0 },
    ])
    expect(records.map(({ value }) => value?.data['offset'])).toEqual([2, 3])
  })

  test('reads the members that the group had', async () => {
    const records = await readState('GroupMetadataMessageFormatter')
    expect(records).toHaveLength(4)
    const [stable, empty] = records
    expect(stable).toMatchObject({
      key: { data: { group: GROUP } },
      value: {
        data: {
          protocolType: 'consumer',
          generation: 1,
          members: [{ clientId: 'console-consumer', clientHost: '/127.0.0.1' }],
        },
      },
    })
    expect(empty!.value!.data).toMatchObject({ generation: 2, protocol: null, members: [] })
  })
})
