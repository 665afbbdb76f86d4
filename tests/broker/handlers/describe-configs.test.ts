import { CreateTopics } from '../../../broker/protocol/apis/create-topics.ts'
import { DescribeConfigs } from '../../../broker/protocol/apis/describe-configs.ts'
import { IncrementalAlterConfigs } from '../../../broker/protocol/apis/incremental-alter-configs.ts'
import { errorName } from '../../../broker/protocol/errors.ts'
import type { DecodedResponse } from '../../../broker/protocol/schema.ts'
import { type BrokerProcess, startBroker } from '../../support/start-broker.ts'
import { TestClient } from '../../support/test-client.ts'

type Result = DecodedResponse<typeof DescribeConfigs>['results'][number]
type Entry = Result['configs'][number]

const TOPIC = 2
const BROKER = 4

describe('DescribeConfigs', () => {
  let broker: BrokerProcess
  let client: TestClient

  beforeAll(async () => {
    broker = await startBroker({ overrides: { 'log.retention.hours': '2', 'message.max.bytes': '2000000' } })
    client = await TestClient.connect(broker.address)
    const configs = [{ name: 'retention.ms', value: '5000' }]
    await client.request(CreateTopics, 7, {
      topics: [{ name: 'configured', numPartitions: 1, replicationFactor: 1, assignments: [], configs }],
    })
  }, 30_000)

  afterAll(async () => {
    client.close()
    await broker.stop()
  })

  async function describeResource(
    resourceType: number,
    resourceName: string,
    keys: string[] | null = null,
    version = 4,
  ): Promise<Result> {
    const { results } = await client.request(DescribeConfigs, version, {
      resources: [{ resourceType, resourceName, configurationKeys: keys }],
      includeSynonyms: true,
      includeDocumentation: true,
    })
    expect(results).toHaveLength(1)
    return results[0]!
  }

  async function entry(resourceType: number, resourceName: string, key: string): Promise<Entry> {
    const { configs } = await describeResource(resourceType, resourceName, [key])
    expect(configs.map(({ name }) => name)).toEqual([key])
    return configs[0]!
  }

  test('a setting of a topic has its value, its source and what it would be without', async () => {
    expect(await entry(TOPIC, 'configured', 'retention.ms')).toEqual({
      name: 'retention.ms',
      value: '5000',
      readOnly: false,
      configSource: 1,
      isSensitive: false,
      synonyms: [
        { name: 'retention.ms', value: '5000', source: 1 },
        { name: 'log.retention.hours', value: '2', source: 4 },
        { name: 'log.retention.hours', value: '168', source: 5 },
      ],
      configType: 5,
      documentation: 'How long records are kept; -1 for ever.',
    })
  })

  test('a setting that the topic does not override comes from the broker, or is the default', async () => {
    expect(await entry(TOPIC, 'configured', 'max.message.bytes')).toMatchObject({
      value: '2000000',
      configSource: 4,
      synonyms: [
        { name: 'message.max.bytes', value: '2000000', source: 4 },
        { name: 'message.max.bytes', value: '1048588', source: 5 },
      ],
    })
    expect(await entry(TOPIC, 'configured', 'cleanup.policy')).toMatchObject({
      value: 'delete',
      configSource: 5,
      configType: 7,
    })
    expect((await entry(TOPIC, 'configured', 'flush.messages')).value).toBe('9223372036854775807')
  })

  test('a setting of the broker', async () => {
    expect(await entry(BROKER, '1', 'message.max.bytes')).toMatchObject({
      value: '2000000',
      readOnly: false,
      configSource: 4,
      configType: 3,
    })
    expect((await entry(BROKER, '1', 'log.retention.hours')).readOnly).toBe(true)
    expect(await entry(BROKER, '1', 'num.partitions')).toMatchObject({ value: '1', configSource: 5 })
    expect((await entry(BROKER, '1', 'broker.rack')).value).toBeNull()
  })

  test.each([1, 2, 3, 4])('v%i gives every setting when no key is named', async (version) => {
    const { errorCode, configs } = await describeResource(TOPIC, 'configured', null, version)
    expect(errorCode).toBe(0)
    expect(configs.length).toBeGreaterThan(20)
  })

  test('synonyms and documentation are left out unless asked for', async () => {
    const { results } = await client.request(DescribeConfigs, 4, {
      resources: [{ resourceType: TOPIC, resourceName: 'configured', configurationKeys: ['retention.ms'] }],
    })
    expect(results[0]!.configs[0]).toMatchObject({ value: '5000', synonyms: [], documentation: null })
  })

  test('settings that were made while the broker runs are told apart by for whom they were made', async () => {
    const alter = async (resourceName: string, settings: Record<string, string>) => {
      const configs = Object.entries(settings).map(([name, value]) => ({ name, configOperation: 0, value }))
      const resources = [{ resourceType: BROKER, resourceName, configs }]
      const { responses } = await client.request(IncrementalAlterConfigs, 1, {
        resources,
        validateOnly: false,
      })
      expect(responses[0]!.errorMessage).toBeNull()
    }
    expect(await describeResource(BROKER, '')).toMatchObject({ errorCode: 0, configs: [] })
    await alter('', { 'log.segment.bytes': '2000000', 'my.secret': 'abc' })
    await alter('1', { 'log.segment.bytes': '3000000' })
    const synonyms = [
      { name: 'log.segment.bytes', value: '3000000', source: 2 },
      { name: 'log.segment.bytes', value: '2000000', source: 3 },
      { name: 'log.segment.bytes', value: '1073741824', source: 5 },
    ]
    const ofBroker = { value: '3000000', readOnly: false, configSource: 2, synonyms }
    expect(await entry(BROKER, '1', 'log.segment.bytes')).toMatchObject(ofBroker)
    const ofTopic = { value: '3000000', configSource: 2, synonyms }
    expect(await entry(TOPIC, 'configured', 'segment.bytes')).toMatchObject(ofTopic)
    const ofAll = { value: '2000000', configSource: 3, synonyms: [synonyms[1]] }
    expect(await entry(BROKER, '', 'log.segment.bytes')).toMatchObject(ofAll)
    // Nobody here knows what it is for.
    expect(await entry(BROKER, '1', 'my.secret')).toMatchObject({
      value: null,
      isSensitive: true,
      configSource: 3,
    })
  })

  test('no keys stand for all keys', async () => {
    expect((await describeResource(TOPIC, 'configured', [])).configs.length).toBeGreaterThan(20)
  })

  test.each([
    [TOPIC, 'unknown', 'UNKNOWN_TOPIC_OR_PARTITION', 'there is no topic "unknown"'],
    [TOPIC, 'a/b', 'INVALID_TOPIC_EXCEPTION', '"a/b" cannot be a topic'],
    [BROKER, '2', 'INVALID_REQUEST', 'this is broker 1'],
    [99, 'x', 'INVALID_REQUEST', 'resource type 99'],
  ])('resource type %i "%s" is refused: %s', async (type, name, error, message) => {
    const { errorCode, errorMessage, configs } = await describeResource(type, name)
    expect([errorName(errorCode), errorMessage]).toEqual([error, expect.stringContaining(message)])
    expect(configs).toEqual([])
  })
})
