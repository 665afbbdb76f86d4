/** Apache Kafka's own tools change topics, settings and quotas of one broker, and show what they have changed. */
import { jest } from '@jest/globals'
import { CreateTopics } from '../../broker/protocol/apis/create-topics.ts'
import { Metadata } from '../../broker/protocol/apis/metadata.ts'
import { kafkaTools } from '../setup/kafka-tools.ts'
import { type KafkaTool, runKafkaTool } from '../support/kafka-tools-runner.ts'
import { describeWith } from '../support/requires.ts'
import { type BrokerProcess, startBroker } from '../support/start-broker.ts'
import { TestClient } from '../support/test-client.ts'

await describeWith(kafkaTools, 'the tools of an administrator', (tools) => {
  jest.setTimeout(120_000)
  let broker: BrokerProcess
  let client: TestClient

  beforeAll(async () => {
    broker = await startBroker()
    client = await TestClient.connect(broker.address)
    const configs = [{ name: 'flush.ms', value: '7' }]
    await client.request(CreateTopics, 5, {
      topics: [{ name: 'set', numPartitions: 1, replicationFactor: 1, assignments: [], configs }],
    })
  })

  afterAll(async () => {
    client.close()
    await broker.stop()
  })

  async function topicNames(): Promise<string[]> {
    const { topics } = await client.request(Metadata, 1, { topics: null })
    return topics.map(({ name }) => name ?? '')
  }

  const run = (tool: KafkaTool, ...args: string[]): Promise<string> =>
    runKafkaTool(tools, tool, ['--bootstrap-server', broker.address, ...args])

  const fails = (tool: KafkaTool, ...args: string[]): Promise<string> =>
    run(tool, ...args).then(
      (output) => `succeeded: ${output}`,
      (error: unknown) => String(error),
    )

  test('kafka-topics creates, grows, describes and deletes a topic', async () => {
    const topic = ['--topic', 'grown']
    await run('kafka-topics', '--create', ...topic, '--partitions', '2', '--config', 'retention.ms=5000')
    await run('kafka-topics', '--alter', ...topic, '--partitions', '4')
    const described = await run('kafka-topics', '--describe', ...topic)
    expect(described).toMatch(/PartitionCount: 4\s+ReplicationFactor: 1\s+Configs: .*retention\.ms=5000/)
    expect(described).toMatch(/Partition: 3\s+Leader: 1\s+Replicas: 1\s+Isr: 1/)
    await run('kafka-topics', '--delete', ...topic)
    expect(await topicNames()).toEqual(['set'])
  })

  test('kafka-configs changes and shows settings of topics and of brokers', async () => {
    const topic = ['--entity-type', 'topics', '--entity-name', 'set']
    const all = ['--entity-type', 'brokers', '--entity-default']
    const one = ['--entity-type', 'brokers', '--entity-name', '1']
    const policies = 'cleanup.policy=[compact,delete]'
    await run('kafka-configs', '--alter', ...topic, '--add-config', policies, '--delete-config', 'flush.ms')
    await run('kafka-configs', '--alter', ...all, '--add-config', 'log.cleaner.backoff.ms=30000')
    const ofTopic = await run('kafka-configs', '--describe', ...topic)
    const ofBroker = await run('kafka-configs', '--describe', '--all', ...one)
    const wrong = await fails('kafka-configs', '--alter', ...one, '--add-config', 'num.partitions=3')
    expect(ofTopic).toContain(
      'cleanup.policy=compact,delete sensitive=false synonyms={DYNAMIC_TOPIC_CONFIG:cleanup.policy=compact,delete, DEFAULT_CONFIG:log.cleanup.policy=delete}',
    )
    expect(ofTopic).not.toContain('flush.ms')
    expect(ofBroker).toContain(
      'log.cleaner.backoff.ms=30000 sensitive=false synonyms={DYNAMIC_DEFAULT_BROKER_CONFIG:log.cleaner.backoff.ms=30000, DEFAULT_CONFIG:log.cleaner.backoff.ms=15000}',
    )
    expect(wrong).toContain('is read once, when a broker starts')
  })

  test('kafka-configs changes and shows quotas of clients and addresses', async () => {
    const client = ['--entity-type', 'clients', '--entity-name', 'slow']
    const address = ['--entity-type', 'ips', '--entity-name', '10.1.2.3']
    await run('kafka-configs', '--alter', ...client, '--add-config', 'producer_byte_rate=1024')
    await run('kafka-configs', '--alter', ...address, '--add-config', 'connection_creation_rate=5')
    const ofClient = await run('kafka-configs', '--describe', ...client)
    expect(ofClient).toContain("Quota configs for client-id 'slow' are producer_byte_rate=1024.0")
    const ofAddress = await run('kafka-configs', '--describe', ...address)
    expect(ofAddress).toContain("Quota configs for ip '10.1.2.3' are connection_creation_rate=5.0")
  })
})
