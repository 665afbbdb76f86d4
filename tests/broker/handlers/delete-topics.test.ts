import { CreateTopics } from '../../../broker/protocol/apis/create-topics.ts'
import { DeleteTopics } from '../../../broker/protocol/apis/delete-topics.ts'
import { Metadata } from '../../../broker/protocol/apis/metadata.ts'
import { errorName } from '../../../broker/protocol/errors.ts'
import { ZERO_UUID } from '../../../broker/protocol/schema.ts'
import { type BrokerProcess, startBroker } from '../../support/start-broker.ts'
import { TestClient } from '../../support/test-client.ts'

async function createTopic(client: TestClient, name: string): Promise<string> {
  const { topics } = await client.request(CreateTopics, 7, {
    topics: [{ name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }],
  })
  expect(topics[0]!.errorCode).toBe(0)
  return topics[0]!.topicId
}

async function topicNames(client: TestClient): Promise<(string | null)[]> {
  const { topics } = await client.request(Metadata, 12, { topics: null })
  return topics.map(({ name }) => name)
}

describe('DeleteTopics', () => {
  let broker: BrokerProcess
  let client: TestClient

  beforeAll(async () => {
    broker = await startBroker()
    client = await TestClient.connect(broker.address)
  }, 30_000)

  afterAll(async () => {
    client.close()
    await broker.stop()
  })

  test.each([1, 2, 3, 4, 5])('v%i deletes by name', async (version) => {
    await createTopic(client, 'gone')
    const { responses } = await client.request(DeleteTopics, version, {
      topicNames: ['gone'],
      timeoutMs: 5000,
    })
    expect(responses).toEqual([{ name: 'gone', topicId: ZERO_UUID, errorCode: 0, errorMessage: null }])
    expect(await topicNames(client)).not.toContain('gone')
  })

  test('v6 deletes by name or by id, and answers with both', async () => {
    const first = await createTopic(client, 'first')
    const second = await createTopic(client, 'second')
    const { responses } = await client.request(DeleteTopics, 6, {
      topics: [{ name: 'first', topicId: ZERO_UUID }, { topicId: second }],
      timeoutMs: 5000,
    })
    expect(responses).toEqual([
      { name: 'first', topicId: first, errorCode: 0, errorMessage: null },
      { name: 'second', topicId: second, errorCode: 0, errorMessage: null },
    ])
    expect(await topicNames(client)).toEqual([])
  })

  test('a topic may be created again under the name of a deleted one, with another id', async () => {
    const before = await createTopic(client, 'again')
    await client.request(DeleteTopics, 5, { topicNames: ['again'], timeoutMs: 5000 })
    const after = await createTopic(client, 'again')
    expect(after).not.toBe(before)
  })

  test('what cannot be deleted is refused, each with its own error', async () => {
    const id = await createTopic(client, 'named')
    const { responses } = await client.request(DeleteTopics, 6, {
      topics: [
        { name: 'unknown', topicId: ZERO_UUID },
        { topicId: 'ABCDEFGHIJKLMNOPQRSTUQ' },
        { topicId: ZERO_UUID },
        { name: 'named', topicId: id },
      ],
      timeoutMs: 5000,
    })
    expect(responses.map(({ errorCode }) => errorName(errorCode))).toEqual([
      'UNKNOWN_TOPIC_OR_PARTITION',
      'UNKNOWN_TOPIC_ID',
      'INVALID_REQUEST',
      'INVALID_REQUEST',
    ])
    expect(await topicNames(client)).toContain('named')
  })

  test('a topic that is named twice, also once by its id, is left alone', async () => {
    const id = await createTopic(client, 'doubled')
    const { responses } = await client.request(DeleteTopics, 6, {
      topics: [{ name: 'doubled', topicId: ZERO_UUID }, { topicId: id }],
      timeoutMs: 5000,
    })
    expect(responses.map(({ errorCode }) => errorName(errorCode))).toEqual(['INVALID_REQUEST'])
    expect(responses[0]).toMatchObject({ name: 'doubled', topicId: id })
    expect(await topicNames(client)).toContain('doubled')
  })
})

test('a topic that is named the same way twice is refused once; a timeout of 0 leaves no time', async () => {
  const broker = await startBroker()
  const client = await TestClient.connect(broker.address)
  await createTopic(client, 'kept')
  const errors = async (topicNames: string[], timeoutMs: number) => {
    const { responses } = await client.request(DeleteTopics, 5, { topicNames, timeoutMs })
    return responses.map(({ errorCode }) => errorName(errorCode))
  }
  expect(await errors(['kept', 'kept'], 5000)).toEqual(['INVALID_REQUEST'])
  expect(await errors(['kept'], 0)).toEqual(['REQUEST_TIMED_OUT'])
  expect(await topicNames(client)).toEqual(['kept'])
  client.close()
  await broker.stop()
}, 30_000)

test('with delete.topic.enable=false nothing is deleted', async () => {
  const broker = await startBroker({ overrides: { 'delete.topic.enable': 'false' } })
  const client = await TestClient.connect(broker.address)
  await createTopic(client, 'kept')
  const request = { topicNames: ['kept'], timeoutMs: 5000 }
  const old = await client.request(DeleteTopics, 2, request)
  const recent = await client.request(DeleteTopics, 5, request)
  expect(errorName(old.responses[0]!.errorCode)).toBe('INVALID_REQUEST')
  expect(errorName(recent.responses[0]!.errorCode)).toBe('TOPIC_DELETION_DISABLED')
  expect(await topicNames(client)).toEqual(['kept'])
  client.close()
  await broker.stop()
}, 30_000)
