import { CreateTopics } from '../../../broker/protocol/apis/create-topics.ts'
import { Metadata } from '../../../broker/protocol/apis/metadata.ts'
import { errorName } from '../../../broker/protocol/errors.ts'
import { type DecodedResponse, type RequestToSend, ZERO_UUID } from '../../../broker/protocol/schema.ts'
import { type BrokerProcess, startBroker } from '../../support/start-broker.ts'
import { TestClient } from '../../support/test-client.ts'

type Topic = RequestToSend<typeof CreateTopics>['topics'][number]
type Created = DecodedResponse<typeof CreateTopics>['topics'][number]

describe('CreateTopics', () => {
  let broker: BrokerProcess
  let client: TestClient

  beforeAll(async () => {
    broker = await startBroker({ overrides: { 'num.partitions': '4', 'log.retention.hours': '1' } })
    client = await TestClient.connect(broker.address)
  }, 30_000)

  afterAll(async () => {
    client.close()
    await broker.stop()
  })

  function topic(name: string, more: Partial<Topic> = {}): Topic {
    return { name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [], ...more }
  }

  async function create(
    one: Topic,
    options: { version?: number; validateOnly?: boolean } = {},
  ): Promise<Created> {
    const { version = 7, validateOnly = false } = options
    const { topics } = await client.request(CreateTopics, version, { topics: [one], validateOnly })
    expect(topics).toHaveLength(1)
    return topics[0]!
  }

  async function partitionCount(name: string): Promise<number> {
    const request = { topics: [{ name }], allowAutoTopicCreation: false }
    const { topics } = await client.request(Metadata, 12, request)
    return topics[0]!.partitions.length
  }

  test.each([2, 3, 4, 5, 6, 7])(
    'v%i creates a topic that has its leaders when the answer comes',
    async (version) => {
      const name = `version-${version}`
      const created = await create(topic(name, { numPartitions: 3 }), { version })
      expect(created).toMatchObject({ name, errorCode: 0, errorMessage: null })
      const { topics } = await client.request(Metadata, 12, {
        topics: [{ name }],
        allowAutoTopicCreation: false,
      })
      expect(topics[0]!.partitions.map(({ leaderId }) => leaderId)).toEqual([1, 1, 1])
      expect(created.topicId).toBe(version === 7 ? topics[0]!.topicId : ZERO_UUID)
    },
  )

  test('-1 stands for what the broker has set', async () => {
    const created = await create(topic('defaults', { numPartitions: -1, replicationFactor: -1 }))
    expect(created).toMatchObject({ errorCode: 0, numPartitions: 4, replicationFactor: 1 })
    expect(await partitionCount('defaults')).toBe(4)
  })

  test('the answer has every setting with where it comes from', async () => {
    const created = await create(
      topic('settings', { configs: [{ name: 'segment.bytes', value: '2097152' }] }),
    )
    const byName = new Map(created.configs?.map((entry) => [entry.name, entry]))
    expect(byName.get('segment.bytes')).toMatchObject({ value: '2097152', configSource: 1 })
    expect(byName.get('retention.ms')).toMatchObject({ value: '3600000', configSource: 4 })
    expect(byName.get('cleanup.policy')).toMatchObject({ value: 'delete', configSource: 5 })
  })

  test('validateOnly checks everything and creates nothing', async () => {
    const created = await create(topic('checked', { numPartitions: 2 }), { validateOnly: true })
    expect(created).toMatchObject({
      errorCode: 0,
      numPartitions: 2,
      replicationFactor: 1,
    })
    expect(await partitionCount('checked')).toBe(0)
    const wrong = await create(topic('checked', { replicationFactor: 3 }), { validateOnly: true })
    expect(errorName(wrong.errorCode)).toBe('INVALID_REPLICATION_FACTOR')
  })

  test('replicas may be chosen by the client', async () => {
    const assignments = [1, 0].map((partitionIndex) => ({ partitionIndex, brokerIds: [1] }))
    const created = await create(topic('manual', { numPartitions: -1, replicationFactor: -1, assignments }))
    expect(created).toMatchObject({ errorCode: 0, numPartitions: 2, replicationFactor: 1 })
  })

  const manual = { numPartitions: -1, replicationFactor: -1 }
  test.each<[string, Topic, string, string]>([
    ['a name that is too long', topic('x'.repeat(250)), 'INVALID_TOPIC_EXCEPTION', '1 to 249'],
    ['a name with a slash', topic('a/b'), 'INVALID_TOPIC_EXCEPTION', '"a/b" cannot be a topic'],
    ['no partition', topic('x', { numPartitions: 0 }), 'INVALID_PARTITIONS', 'at least 1'],
    ['no replica', topic('x', { replicationFactor: 0 }), 'INVALID_REPLICATION_FACTOR', ''],
    [
      'more replicas than brokers',
      topic('x', { replicationFactor: 2 }),
      'INVALID_REPLICATION_FACTOR',
      '1 brokers',
    ],
    [
      'an unknown setting',
      topic('x', { configs: [{ name: 'retention', value: '1' }] }),
      'INVALID_CONFIG',
      'retention is not a setting of topics',
    ],
    [
      'a setting without a value',
      topic('x', { configs: [{ name: 'retention.ms', value: null }] }),
      'INVALID_CONFIG',
      'retention.ms has no value',
    ],
    [
      'a setting out of bounds',
      topic('x', { configs: [{ name: 'segment.bytes', value: '12' }] }),
      'INVALID_CONFIG',
      'segment.bytes=12: must be at least 1048576',
    ],
    [
      'numbers beside chosen replicas',
      topic('x', { assignments: [{ partitionIndex: 0, brokerIds: [1] }] }),
      'INVALID_REQUEST',
      'either assignments or the numbers',
    ],
    [
      'a gap in the partitions',
      topic('x', { ...manual, assignments: [{ partitionIndex: 1, brokerIds: [1] }] }),
      'INVALID_REPLICA_ASSIGNMENT',
      '0 is missing',
    ],
    [
      'a broker that is not there',
      topic('x', { ...manual, assignments: [{ partitionIndex: 0, brokerIds: [9] }] }),
      'INVALID_REPLICA_ASSIGNMENT',
      'no live broker 9',
    ],
    [
      'a broker named twice',
      topic('x', { ...manual, assignments: [{ partitionIndex: 0, brokerIds: [1, 1] }] }),
      'INVALID_REPLICA_ASSIGNMENT',
      'a broker twice',
    ],
    [
      'too many partitions',
      topic('x', { numPartitions: 10_001 }),
      'POLICY_VIOLATION',
      '10001 partitions in one request',
    ],
  ])('%s is refused', async (_what, wrong, error, message) => {
    const refused = await create(wrong)
    expect([errorName(refused.errorCode), refused.errorMessage]).toEqual([
      error,
      expect.stringContaining(message),
    ])
    expect(await partitionCount('x')).toBe(0)
  })

  test('a topic that exists is not created again, nor one whose name collides', async () => {
    await create(topic('one.two'))
    expect(errorName((await create(topic('one.two'))).errorCode)).toBe('TOPIC_ALREADY_EXISTS')
    const collides = await create(topic('one_two'))
    expect(errorName(collides.errorCode)).toBe('INVALID_TOPIC_EXCEPTION')
    expect(collides.errorMessage).toContain('collides with "one.two"')
  })

  test('a name that a request has twice is refused once, the others are created', async () => {
    const { topics } = await client.request(CreateTopics, 7, {
      topics: [topic('twice'), topic('fine'), topic('twice')],
    })
    expect(Object.fromEntries(topics.map(({ name, errorCode }) => [name, errorName(errorCode)]))).toEqual({
      twice: 'INVALID_REQUEST',
      fine: 'NONE',
    })
    expect(topics).toHaveLength(2)
    expect(await partitionCount('twice')).toBe(0)
  })
})
