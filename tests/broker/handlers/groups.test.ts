/** The group APIs over the wire, in every version that is served. */
import { FindCoordinator } from '../../../broker/protocol/apis/find-coordinator.ts'
import { CreateTopics } from '../../../broker/protocol/apis/create-topics.ts'
import { Heartbeat } from '../../../broker/protocol/apis/heartbeat.ts'
import { JoinGroup } from '../../../broker/protocol/apis/join-group.ts'
import { LeaveGroup } from '../../../broker/protocol/apis/leave-group.ts'
import { OffsetCommit } from '../../../broker/protocol/apis/offset-commit.ts'
import { OffsetFetch } from '../../../broker/protocol/apis/offset-fetch.ts'
import { SyncGroup } from '../../../broker/protocol/apis/sync-group.ts'
import { errorName } from '../../../broker/protocol/errors.ts'
import type { AnyApi, DecodedResponse } from '../../../broker/protocol/schema.ts'
import { type BrokerProcess, startBroker } from '../../support/start-broker.ts'
import { TestClient } from '../../support/test-client.ts'
import { waitUntil } from '../../support/wait-until.ts'

const UNKNOWN_TOPIC_ID = 'unknown-topic-id-1234A'

let broker: BrokerProcess
let client: TestClient
let topicId: string

beforeAll(async () => {
  broker = await startBroker({
    overrides: { 'offsets.topic.replication.factor': '1', 'group.initial.rebalance.delay.ms': '0' },
  })
  client = await TestClient.connect(broker.address)
  const created = await client.request(CreateTopics, 7, {
    topics: [{ name: 'orders', numPartitions: 3, replicationFactor: 1, assignments: [], configs: [] }],
    timeoutMs: 5000,
  })
  topicId = created.topics[0]!.topicId
  await coordinate('warm-up')
})

afterAll(async () => {
  client.close()
  await broker.stop()
})

/** Waits until the broker serves the group. */
async function coordinate(groupId: string): Promise<void> {
  await waitUntil(async () => {
    const found = await client.request(FindCoordinator, 3, { key: groupId, keyType: 0 })
    if (found.errorCode !== 0) return false
    const fetched = await client.request(OffsetFetch, 7, { groupId, topics: null, requireStable: true })
    return fetched.errorCode === 0
  }, `${groupId} is coordinated`)
}

function versionsOf({ versions }: AnyApi): number[] {
  return Array.from({ length: versions.max - versions.min + 1 }, (_, index) => versions.min + index)
}

/** The version of `api` nearest to `version`. */
function nearest({ versions }: AnyApi, version: number): number {
  return Math.min(Math.max(version, versions.min), versions.max)
}

async function join(
  groupId: string,
  version: number,
  member: { memberId?: string; groupInstanceId?: string; connection?: TestClient } = {},
): Promise<DecodedResponse<typeof JoinGroup>> {
  const { memberId = '', groupInstanceId = null, connection = client } = member
  const response = await connection.request(JoinGroup, version, {
    groupId,
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 10_000,
    memberId,
    groupInstanceId,
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata: Buffer.from('subscription') }],
  })
  if (errorName(response.errorCode) !== 'MEMBER_ID_REQUIRED') return response
  return join(groupId, version, { ...member, memberId: response.memberId })
}

describe('FindCoordinator', () => {
  test.each(versionsOf(FindCoordinator))('v%d names the broker', async (version) => {
    const isBatch = version >= 4
    const response = await client.request(FindCoordinator, version, {
      ...(isBatch ? { coordinatorKeys: ['one', 'two'] } : { key: 'one' }),
      keyType: 0,
    })
    const found = isBatch ? response.coordinators : [response]
    expect(found).toHaveLength(isBatch ? 2 : 1)
    for (const { nodeId, host, port, errorCode } of found) {
      expect({ nodeId, address: `${host}:${port}`, errorCode }).toEqual({
        nodeId: broker.id,
        address: broker.address,
        errorCode: 0,
      })
    }
  })

  test('there is no coordinator of transactions, and no third kind', async () => {
    const transactional = await client.request(FindCoordinator, 4, { coordinatorKeys: ['tx'], keyType: 1 })
    expect(errorName(transactional.coordinators[0]!.errorCode)).toBe('UNSUPPORTED_VERSION')
    const shared = await client.request(FindCoordinator, 6, { coordinatorKeys: ['share'], keyType: 2 })
    expect(errorName(shared.coordinators[0]!.errorCode)).toBe('INVALID_REQUEST')
  })
})

test.each(versionsOf(JoinGroup))('a member of v%d joins, works, commits and leaves', async (version) => {
  const groupId = `member-v${version}`
  const joined = await join(groupId, version)
  const { memberId, generationId } = joined
  expect(errorName(joined.errorCode)).toBe('NONE')
  expect(joined).toMatchObject({ generationId: 1, protocolName: 'range', leader: memberId })
  expect(joined.members.map(({ metadata }) => metadata.toString())).toEqual(['subscription'])
  expect(joined.protocolType).toBe(version >= 7 ? 'consumer' : null)

  const synced = await client.request(SyncGroup, nearest(SyncGroup, version), {
    groupId,
    generationId,
    memberId,
    protocolType: 'consumer',
    protocolName: 'range',
    assignments: [{ memberId, assignment: Buffer.from('all') }],
  })
  expect([errorName(synced.errorCode), synced.assignment.toString()]).toEqual(['NONE', 'all'])

  const beat = await client.request(Heartbeat, nearest(Heartbeat, version), {
    groupId,
    generationId,
    memberId,
  })
  expect(errorName(beat.errorCode)).toBe('NONE')

  const commitVersion = nearest(OffsetCommit, version)
  const committed = await client.request(OffsetCommit, commitVersion, {
    groupId,
    generationIdOrMemberEpoch: generationId,
    memberId,
    topics: [
      {
        name: 'orders',
        topicId,
        partitions: [{ partitionIndex: 0, committedOffset: 5, committedMetadata: null }],
      },
    ],
  })
  expect(committed.topics[0]!.partitions).toEqual([{ partitionIndex: 0, errorCode: 0 }])

  const left = await client.request(LeaveGroup, nearest(LeaveGroup, version), {
    groupId,
    memberId,
    members: [{ memberId }],
  })
  expect(errorName(left.errorCode)).toBe('NONE')
  const after = await client.request(Heartbeat, nearest(Heartbeat, version), {
    groupId,
    generationId,
    memberId,
  })
  expect(errorName(after.errorCode)).toBe('UNKNOWN_MEMBER_ID')
})

describe('offsets', () => {
  test.each(versionsOf(OffsetCommit))('OffsetCommit v%d stores what OffsetFetch reads', async (version) => {
    const groupId = `commit-v${version}`
    const response = await client.request(OffsetCommit, version, {
      groupId,
      memberId: '',
      retentionTimeMs: 60_000,
      topics: [
        {
          name: 'orders',
          topicId,
          partitions: [
            { partitionIndex: 1, committedOffset: 2 ** 40, committedLeaderEpoch: 3, committedMetadata: 'ü' },
            { partitionIndex: 2, committedOffset: 1, committedMetadata: 'x'.repeat(4097) },
            { partitionIndex: 3, committedOffset: 1, committedMetadata: null },
          ],
        },
        {
          name: 'nothing',
          topicId: UNKNOWN_TOPIC_ID,
          partitions: [{ partitionIndex: 0, committedOffset: 1, committedMetadata: null }],
        },
      ],
    })
    const errors = response.topics.map(({ partitions }) =>
      partitions.map(({ errorCode }) => errorName(errorCode)),
    )
    expect(errors).toEqual([
      ['NONE', 'OFFSET_METADATA_TOO_LARGE', 'UNKNOWN_TOPIC_OR_PARTITION'],
      [version >= 10 ? 'UNKNOWN_TOPIC_ID' : 'UNKNOWN_TOPIC_OR_PARTITION'],
    ])
    const fetched = await client.request(OffsetFetch, 7, { groupId, topics: null })
    expect(fetched.topics).toEqual([
      {
        name: 'orders',
        partitions: [
          {
            partitionIndex: 1,
            committedOffset: 2 ** 40,
            committedLeaderEpoch: version >= 6 ? 3 : -1,
            metadata: 'ü',
            errorCode: 0,
          },
        ],
      },
    ])
  })

  test.each(versionsOf(OffsetFetch))('OffsetFetch v%d', async (version) => {
    const groupId = `fetch-v${version}`
    await client.request(OffsetCommit, 9, {
      groupId,
      memberId: '',
      topics: [
        {
          name: 'orders',
          partitions: [
            { partitionIndex: 0, committedOffset: 7, committedLeaderEpoch: 2, committedMetadata: 'm' },
          ],
        },
      ],
    })
    const asked = [{ name: 'orders', topicId, partitionIndexes: [0, 1] }]
    const response = await client.request(
      OffsetFetch,
      version,
      version >= 8
        ? {
            groups: [
              { groupId, topics: asked },
              { groupId, topics: null },
              { groupId: 'nobody', topics: null },
            ],
          }
        : { groupId, topics: asked },
    )
    const committed = {
      partitionIndex: 0,
      committedOffset: 7,
      committedLeaderEpoch: version >= 5 ? 2 : -1,
      metadata: 'm',
      errorCode: 0,
    }
    const none = {
      partitionIndex: 1,
      committedOffset: -1,
      committedLeaderEpoch: -1,
      metadata: '',
      errorCode: 0,
    }
    if (version < 8) {
      expect(response.topics).toEqual([{ name: 'orders', partitions: [committed, none] }])
      return
    }
    const [some, all, nobody] = response.groups
    expect(some).toMatchObject({ groupId, errorCode: 0, topics: [{ partitions: [committed, none] }] })
    expect(all).toMatchObject({ groupId, errorCode: 0, topics: [{ partitions: [committed] }] })
    expect(nobody).toMatchObject({ groupId: 'nobody', errorCode: 0, topics: [] })
    expect(some!.topics[0]).toMatchObject(version >= 10 ? { topicId } : { name: 'orders' })
  })

  test('a topic id that no topic has', async () => {
    const topics = [{ topicId: UNKNOWN_TOPIC_ID, name: '', partitionIndexes: [0] }]
    const { groups } = await client.request(OffsetFetch, 10, { groups: [{ groupId: 'g', topics }] })
    expect(errorName(groups[0]!.topics[0]!.partitions[0]!.errorCode)).toBe('UNKNOWN_TOPIC_ID')
  })

  test.each([
    [8, 'ILLEGAL_GENERATION'],
    [9, 'GROUP_ID_NOT_FOUND'],
  ])('v%d: a member of a group that does not exist hears %s', async (version, error) => {
    const { topics } = await client.request(OffsetCommit, version, {
      groupId: 'never-was',
      generationIdOrMemberEpoch: 3,
      memberId: 'somebody',
      topics: [
        { name: 'orders', partitions: [{ partitionIndex: 0, committedOffset: 1, committedMetadata: null }] },
      ],
    })
    expect(errorName(topics[0]!.partitions[0]!.errorCode)).toBe(error)
  })
})

test('requests without a group id are refused', async () => {
  expect(errorName((await join('', 9)).errorCode)).toBe('INVALID_GROUP_ID')
})

test('static members leave by their instance, each with its own answer', async () => {
  const groupId = 'static'
  const { memberId, errorCode } = await join(groupId, 9, { groupInstanceId: 'i1' })
  expect([errorName(errorCode), memberId.startsWith('i1-')]).toEqual(['NONE', true])
  const { members } = await client.request(LeaveGroup, 5, {
    groupId,
    members: [
      { memberId: '', groupInstanceId: 'i1' },
      { memberId: '', groupInstanceId: 'i2' },
    ],
  })
  expect(members.map((each) => [each.groupInstanceId, errorName(each.errorCode)])).toEqual([
    ['i1', 'NONE'],
    ['i2', 'UNKNOWN_MEMBER_ID'],
  ])
})

test('a connection that is lost while its member waits does not hold up the others for long', async () => {
  const groupId = 'lossy'
  const first = await join(groupId, 3)
  expect(errorName(first.errorCode)).toBe('NONE')
  const lost = await TestClient.connect(broker.address)
  lost.send(JoinGroup, 3, {
    groupId,
    sessionTimeoutMs: 6000,
    rebalanceTimeoutMs: 10_000,
    memberId: '',
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata: Buffer.alloc(0) }],
  })
  const beat = { groupId, generationId: 1, memberId: first.memberId }
  await waitUntil(async () => {
    const { errorCode } = await client.request(Heartbeat, 3, beat)
    return errorName(errorCode) === 'REBALANCE_IN_PROGRESS'
  }, 'the second member starts a rebalance')
  lost.close()
  const again = await join(groupId, 3, { memberId: first.memberId })
  expect([errorName(again.errorCode), again.generationId]).toEqual(['NONE', 2])
})
