import { CreateTopics } from '../../../broker/protocol/apis/create-topics.ts'
import { Metadata } from '../../../broker/protocol/apis/metadata.ts'
import { type ErrorName, errorName } from '../../../broker/protocol/errors.ts'
import type { DecodedResponse, RequestToSend } from '../../../broker/protocol/schema.ts'
import { startCluster, type TestCluster } from '../../support/start-cluster.ts'
import { TestClient } from '../../support/test-client.ts'
import { waitUntil } from '../../support/wait-until.ts'

type Answer = DecodedResponse<typeof Metadata>

describe('Metadata of two brokers', () => {
  let cluster: TestCluster
  let client: TestClient

  beforeAll(async () => {
    cluster = await startCluster({ brokers: 2, overrides: { 'broker.rack': 'a', 'num.partitions': '2' } })
    client = await TestClient.connect(cluster.address(1))
    await client.request(CreateTopics, 7, {
      topics: [{ name: 'kept', numPartitions: 3, replicationFactor: 2, assignments: [], configs: [] }],
    })
  }, 30_000)

  afterAll(async () => {
    client.close()
    await cluster.stop()
  })

  const ask = (version: number, request: RequestToSend<typeof Metadata>): Promise<Answer> =>
    client.request(Metadata, version, request)
  const errorOf = (answer: Answer): ErrorName => errorName(answer.topics[0]!.errorCode)

  test('names the brokers in order, at the addresses of the listener, with rack, cluster and controller', async () => {
    const answer = await ask(12, { topics: [] })
    expect(answer.brokers).toEqual(
      [1, 2].map((id) => ({
        nodeId: id,
        host: '127.0.0.1',
        port: cluster.broker(id).port,
        rack: 'a',
      })),
    )
    expect(answer.clusterId).toMatch(/^[\w-]{22}$/)
    expect([1, 2]).toContain(answer.controllerId)
    expect(answer.topics).toEqual([])
  })

  test('v0 asks for all topics with an empty list, later versions with null', async () => {
    expect((await ask(0, { topics: [] })).topics.map(({ name }) => name)).toContain('kept')
    expect((await ask(1, { topics: null })).topics.map(({ name }) => name)).toContain('kept')
    expect((await ask(1, { topics: [] })).topics).toEqual([])
  })

  test.each([0, 4, 9, 12])('v%i describes every partition of a topic', async (version) => {
    const answer = await ask(version, { topics: [{ name: 'kept' }], allowAutoTopicCreation: false })
    expect(errorOf(answer)).toBe('NONE')
    expect(answer.topics[0]!.isInternal).toBe(false)
    expect(answer.topics[0]!.partitions).toHaveLength(3)
    for (const [index, partition] of answer.topics[0]!.partitions.entries()) {
      expect(partition).toMatchObject({ errorCode: 0, partitionIndex: index, offlineReplicas: [] })
      expect(new Set(partition.replicaNodes)).toEqual(new Set([1, 2]))
      expect(partition.replicaNodes).toContain(partition.leaderId)
    }
  })

  test('v12 finds a topic by its id', async () => {
    const byName = await ask(12, { topics: [{ name: 'kept' }] })
    const { topicId } = byName.topics[0]!
    const byId = await ask(12, { topics: [{ topicId, name: null }] })
    expect(byId.topics).toEqual(byName.topics)
  })

  test('v12 answers an unknown id with UNKNOWN_TOPIC_ID', async () => {
    const answer = await ask(12, { topics: [{ topicId: 'ABCDEFGHIJKLMNOPQRSTUQ', name: null }] })
    expect(errorOf(answer)).toBe('UNKNOWN_TOPIC_ID')
    expect(answer.topics[0]).toMatchObject({ topicId: 'ABCDEFGHIJKLMNOPQRSTUQ', name: null })
  })

  test('v10 cannot look up an id, nor do without a name', async () => {
    const byId = await ask(10, { topics: [{ topicId: 'ABCDEFGHIJKLMNOPQRSTUQ', name: 'x' }] })
    expect(errorOf(byId)).toBe('INVALID_REQUEST')
    expect(errorOf(await ask(10, { topics: [{ name: null }] }))).toBe('INVALID_REQUEST')
  })

  test.each(['', '.', '..', 'no/slash', 'x'.repeat(250)])('"%s" cannot be a topic', async (name) => {
    expect(errorOf(await ask(9, { topics: [{ name }] }))).toBe('INVALID_TOPIC_EXCEPTION')
  })

  test('a topic that does not exist is created unless the client forbids it; it asks again', async () => {
    const quiet = { topics: [{ name: 'wanted' }], allowAutoTopicCreation: false }
    expect(errorOf(await ask(9, quiet))).toBe('UNKNOWN_TOPIC_OR_PARTITION')
    expect(errorOf(await ask(9, quiet))).toBe('UNKNOWN_TOPIC_OR_PARTITION')
    expect(errorOf(await ask(9, { topics: [{ name: 'wanted' }] }))).toBe('UNKNOWN_TOPIC_OR_PARTITION')
    await waitUntil(async () => errorOf(await ask(9, quiet)) === 'NONE', 'the topic is there')
    const { partitions } = (await ask(9, quiet)).topics[0]!
    expect(partitions.map(({ replicaNodes }) => replicaNodes.length)).toEqual([2, 2])
  })

  test('topics of the brokers are not created for whoever asks', async () => {
    const request = { topics: [{ name: '__transaction_state' }] }
    expect(errorOf(await ask(9, request))).toBe('UNKNOWN_TOPIC_OR_PARTITION')
    expect((await ask(9, request)).topics[0]!.isInternal).toBe(true)
    expect((await ask(9, { topics: null })).topics.map(({ name }) => name)).not.toContain(
      '__transaction_state',
    )
  })

  test('operations are told to those who ask', async () => {
    const silent = await ask(8, { topics: [{ name: 'kept' }] })
    expect(silent.clusterAuthorizedOperations).toBe(-(2 ** 31))
    expect(silent.topics[0]!.topicAuthorizedOperations).toBe(-(2 ** 31))
    const told = await ask(8, {
      topics: [{ name: 'kept' }],
      includeClusterAuthorizedOperations: true,
      includeTopicAuthorizedOperations: true,
    })
    expect(told.clusterAuthorizedOperations).toBe(0b1_1111_1010_0000)
    expect(told.topics[0]!.topicAuthorizedOperations).toBe(0b1101_1111_1000)
  })

  test('a partition without a living leader has none, and its replicas are offline', async () => {
    await client.request(CreateTopics, 7, {
      topics: [
        {
          name: 'alone',
          numPartitions: -1,
          replicationFactor: -1,
          assignments: [{ partitionIndex: 0, brokerIds: [2] }],
          configs: [],
        },
      ],
    })
    await cluster.kill(2)
    let answer: Answer | undefined
    await waitUntil(async () => {
      answer = await ask(12, { topics: [{ name: 'alone' }] })
      return answer.topics[0]!.partitions[0]!.leaderId === -1
    }, 'the leader is gone')
    const partition = answer!.topics[0]!.partitions[0]!
    expect(errorName(partition.errorCode)).toBe('LEADER_NOT_AVAILABLE')
    expect(partition).toMatchObject({ replicaNodes: [2], offlineReplicas: [2] })
  })

  test('a broker that has just gone is listed for clients at work, who name topics, and for nobody else', async () => {
    const ids = ({ brokers }: Answer): number[] => brokers.map(({ nodeId }) => nodeId)
    await waitUntil(async () => ids(await ask(12, { topics: null })).join() === '1', 'broker 2 is gone')
    const atWork = await ask(12, { topics: [{ name: 'alone' }] })
    expect(atWork.brokers.map(({ nodeId, port }) => [nodeId, port])).toEqual([
      [1, cluster.broker(1).port],
      [2, cluster.broker(2).port],
    ])
    expect(atWork.controllerId).toBe(1)
    expect(ids(await ask(12, { topics: [] }))).toEqual([1])
  })
})

test('with auto.create.topics.enable=false nobody creates a topic by asking', async () => {
  const cluster = await startCluster({ brokers: 1, overrides: { 'auto.create.topics.enable': 'false' } })
  const client = await TestClient.connect(cluster.address(1))
  await client.request(Metadata, 9, { topics: [{ name: 'wanted' }] })
  await client.request(CreateTopics, 7, {
    topics: [{ name: 'later', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }],
  })
  const { topics } = await client.request(Metadata, 9, { topics: null })
  expect(topics.map(({ name }) => name)).toEqual(['later'])
  client.close()
  await cluster.stop()
}, 30_000)
