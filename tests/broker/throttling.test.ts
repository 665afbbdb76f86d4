/** Clients with quotas against a whole broker: told and kept from asking for as long as the arithmetic says. */
import { AlterClientQuotas } from '../../broker/protocol/apis/alter-client-quotas.ts'
import { CreateTopics } from '../../broker/protocol/apis/create-topics.ts'
import { Fetch } from '../../broker/protocol/apis/fetch.ts'
import { Metadata } from '../../broker/protocol/apis/metadata.ts'
import { Produce } from '../../broker/protocol/apis/produce.ts'
import { errorName } from '../../broker/protocol/errors.ts'
import { batchOfTexts } from '../support/records.ts'
import { type BrokerProcess, startBroker } from '../support/start-broker.ts'
import { TestClient } from '../support/test-client.ts'
import { waitUntil } from '../support/wait-until.ts'

/** The client id of TestClient. */
const CLIENT = 'test-client'

describe('a client with quotas', () => {
  let broker: BrokerProcess
  let admin: TestClient
  let client: TestClient

  beforeEach(async () => {
    // Windows of 10 s: what is beyond a quota takes long to be forgotten, whatever the machine's pace.
    broker = await startBroker({
      overrides: { 'quota.window.num': '2', 'quota.window.size.seconds': '10', 'num.partitions': '1' },
    })
    admin = await TestClient.connect(broker.address)
    client = await TestClient.connect(broker.address)
    const topic = { name: 't', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }
    await admin.request(CreateTopics, 5, { topics: [topic] })
    await waitUntil(
      async () => (await produce(admin)).responses[0]!.partitionResponses[0]!.errorCode === 0,
      'the topic is led',
    )
  }, 30_000)

  afterEach(async () => {
    client.close()
    admin.close()
    await broker.stop()
  })

  async function limit(quotas: Record<string, number>): Promise<void> {
    const ops = Object.entries(quotas).map(([key, value]) => ({ key, value, remove: false }))
    const entity = [{ entityType: 'client-id', entityName: CLIENT }]
    const answer = await admin.request(AlterClientQuotas, 1, {
      entries: [{ entity, ops }],
      validateOnly: false,
    })
    expect(answer.entries[0]!.errorMessage).toBeNull()
  }

  const records = batchOfTexts(Array.from({ length: 10 }, () => 'x'.repeat(1000)))

  const produceRequest = (acks: number) => ({
    acks,
    timeoutMs: 5000,
    topicData: [{ name: 't', partitionData: [{ index: 0, records }] }],
  })

  const produce = (by: TestClient) => by.request(Produce, 9, produceRequest(-1))

  const fetchRequest = () => ({
    maxWaitMs: 0,
    minBytes: 1,
    maxBytes: 1_000_000,
    topics: [{ topic: 't', partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1_000_000 }] }],
  })

  test('a producer is told how long to keep quiet, and is not served meanwhile; others are', async () => {
    await limit({ producer_byte_rate: 1_100 })
    // One window of 10 s is the least that the rate is taken over: 11 kB may come at once, and some 10 kB come.
    const first = await produce(client)
    expect(first.throttleTimeMs).toBe(0)
    const second = await produce(client)
    expect(second.responses[0]!.partitionResponses[0]!.errorCode).toBe(0)
    expect(second.throttleTimeMs).toBeGreaterThan(1000)
    expect(second.throttleTimeMs).toBeLessThan(10_000)
    client.send(Metadata, 9, { topics: [] })
    const other = await TestClient.connect(broker.address)
    await other.request(Metadata, 9, { topics: [] })
    other.close()
    let served = false
    void client.nextFrame().then(
      () => (served = true),
      () => {},
    )
    await admin.request(Metadata, 9, { topics: [] })
    expect(served).toBe(false)
  }, 30_000)

  test('a producer without acknowledgements is kept from sending', async () => {
    await limit({ producer_byte_rate: 1_000 })
    client.send(Produce, 9, produceRequest(0))
    client.send(Produce, 9, produceRequest(0))
    const asked = client.request(Metadata, 9, { topics: [] }).catch(() => 'closed')
    const answer = await Promise.race([
      asked,
      admin.request(Metadata, 9, { topics: null }).then(() => 'muted'),
    ])
    expect(answer).toBe('muted')
    client.close()
    await asked
  }, 30_000)

  test('a consumer gets nothing while it is beyond its quota, and then what it has asked for', async () => {
    await limit({ consumer_byte_rate: 1_100 })
    const first = await client.request(Fetch, 11, fetchRequest())
    expect(first.throttleTimeMs).toBe(0)
    expect(first.responses[0]!.partitions[0]!.records!.length).toBeGreaterThan(10_000)
    const second = await client.request(Fetch, 11, fetchRequest())
    expect(second.throttleTimeMs).toBeGreaterThan(0)
    expect(second.errorCode).toBe(0)
    expect(second.responses).toEqual([])
  }, 30_000)

  test('one that creates topics too fast is refused, and told when to come again', async () => {
    await limit({ controller_mutation_rate: 1 })
    const create = async (name: string, numPartitions: number) => {
      const topic = { name, numPartitions, replicationFactor: 1, assignments: [], configs: [] }
      const other = await TestClient.connect(broker.address)
      const { throttleTimeMs, topics } = await other.request(CreateTopics, 7, { topics: [topic] })
      other.close()
      return { throttleTimeMs, error: errorName(topics[0]!.errorCode) }
    }
    const many = await create('many', 20)
    expect(many.error).toBe('NONE')
    expect(many.throttleTimeMs).toBeGreaterThan(5000)
    expect(await create('more', 1)).toMatchObject({ error: 'THROTTLING_QUOTA_EXCEEDED' })
  }, 30_000)

  test('one whose requests take too much time is slowed down', async () => {
    await limit({ request_percentage: 0.001 })
    const times: number[] = []
    for (let index = 0; index < 3; index += 1) {
      const other = await TestClient.connect(broker.address)
      times.push((await other.request(Metadata, 9, { topics: null })).throttleTimeMs)
      other.close()
    }
    expect(Math.max(...times)).toBeGreaterThan(0)
    expect(Math.max(...times)).toBeLessThanOrEqual(10_000)
  }, 30_000)
})
