/** Consumer groups: coordinators, the classic protocol, committed offsets. */
import { FindCoordinator } from '../../../broker/protocol/apis/find-coordinator.ts'
import { Heartbeat } from '../../../broker/protocol/apis/heartbeat.ts'
import { JoinGroup } from '../../../broker/protocol/apis/join-group.ts'
import { LeaveGroup } from '../../../broker/protocol/apis/leave-group.ts'
import { OffsetCommit } from '../../../broker/protocol/apis/offset-commit.ts'
import { OffsetFetch } from '../../../broker/protocol/apis/offset-fetch.ts'
import { SyncGroup } from '../../../broker/protocol/apis/sync-group.ts'
import type { RequestToSend } from '../../../broker/protocol/schema.ts'
import { type Area, ask, eventually, type Step } from '../case.ts'

const UNKNOWN_ID = 'ABEiM0RVZneImaq7zN3u_w'
const protocols = [{ name: 'range', metadata: Buffer.from('00', 'hex') }]

type Join = RequestToSend<typeof JoinGroup>
type Commit = RequestToSend<typeof OffsetCommit>

function join(groupId: string, rest: Partial<Join> = {}, version = 9): Step {
  return eventually(
    ask(JoinGroup, version, {
      groupId,
      sessionTimeoutMs: 10_000,
      rebalanceTimeoutMs: 10_000,
      memberId: '',
      protocolType: 'consumer',
      protocols,
      ...rest,
    }),
  )
}

/** Joins with the id that the last answer gave. */
function joinAgain(groupId: string, rest: Partial<Join> = {}, version = 9): Step {
  return eventually(
    ask(JoinGroup, version, ({ memberId }) => ({
      groupId,
      sessionTimeoutMs: 10_000,
      rebalanceTimeoutMs: 10_000,
      memberId,
      protocolType: 'consumer',
      protocols,
      ...rest,
    })),
  )
}

function joined(groupId: string): Step[] {
  return [
    join(groupId),
    joinAgain(groupId),
    ask(SyncGroup, 5, ({ memberId, generationId }) => ({
      groupId,
      memberId,
      generationId,
      protocolType: 'consumer',
      protocolName: 'range',
      assignments: [{ memberId, assignment: Buffer.from('01', 'hex') }],
    })),
  ]
}

function leave(groupId: string): Step {
  return ask(LeaveGroup, 5, ({ memberId }) => ({ groupId, members: [{ memberId }] }))
}

function commit(groupId: string, rest: Partial<Commit> = {}, version = 9): Step {
  return eventually(
    ask(OffsetCommit, version, {
      groupId,
      memberId: '',
      topics: [
        {
          name: 'committed',
          partitions: [{ partitionIndex: 0, committedOffset: 5, committedMetadata: 'm' }],
        },
      ],
      ...rest,
    }),
  )
}

function commitOf(name: string, partitionIndex: number, metadata: string | null = ''): Partial<Commit> {
  return {
    topics: [{ name, partitions: [{ partitionIndex, committedOffset: 1, committedMetadata: metadata }] }],
  }
}

function offsetsOf(groupId: string, topic = 'committed', partitionIndexes = [0], version = 7): Step {
  return eventually(ask(OffsetFetch, version, { groupId, topics: [{ name: topic, partitionIndexes }] }))
}

function find(key: string, keyType = 0, version = 3): Step {
  return eventually(ask(FindCoordinator, version, { key, keyType }))
}

export const groups: Area = {
  name: 'groups',
  topics: { committed: { partitions: 2 } },
  prepare: [find('any'), eventually(commit('any'))],
  cases: {
    'the coordinator of a group': find('g'),
    'the coordinator of an empty group': find(''),
    'a coordinator in version 0': eventually(ask(FindCoordinator, 0, { key: 'g' })),
    'a coordinator in version 1': find('g', 0, 1),
    'coordinators of two groups': eventually(ask(FindCoordinator, 4, { coordinatorKeys: ['g', 'h'] })),
    'coordinators of no groups': ask(FindCoordinator, 4, { coordinatorKeys: [] }),
    'coordinators of one group twice': ask(FindCoordinator, 4, { coordinatorKeys: ['g', 'g'] }),
    'the coordinator of something unknown': ask(FindCoordinator, 3, { key: 'g', keyType: 9 }),
    'coordinators of something unknown': ask(FindCoordinator, 4, { coordinatorKeys: ['g'], keyType: 9 }),
    'the coordinator of a share group in version 5': ask(FindCoordinator, 5, {
      coordinatorKeys: ['g'],
      keyType: 2,
    }),
    'joining without an id': [join('new'), joinAgain('new'), leave('new')],
    'joining in version 3 without an id': [
      join('old', {}, 3),
      ask(LeaveGroup, 2, ({ memberId }) => ({ groupId: 'old', memberId })),
    ],
    'joining in version 0': [join('oldest', {}, 0)],
    'joining a group without a name': join(''),
    'joining with an id that is not known': join('g1', { memberId: 'somebody' }),
    'joining with a session that is too short': join('g2', { sessionTimeoutMs: 1 }),
    'joining with a session that is too long': join('g2', { sessionTimeoutMs: 100_000_000 }),
    'joining without protocols': join('g3', { protocols: [] }),
    'joining without a protocol type': join('g3', { protocolType: '' }),
    'joining with another protocol type': [
      ...joined('typed'),
      join('typed', { protocolType: 'connect' }, 3),
      ask(Heartbeat, 4, ({ generationId, memberId }) => ({ groupId: 'typed', generationId, memberId })),
      leave('typed'),
    ],
    'joining with protocols that nobody else has': [
      ...joined('spoken'),
      join('spoken', { protocols: [{ name: 'other', metadata: Buffer.alloc(0) }] }, 3),
    ],
    'joining as a static member': [
      join('static', { groupInstanceId: 'i-1' }),
      ask(LeaveGroup, 5, { groupId: 'static', members: [{ memberId: '', groupInstanceId: 'i-1' }] }),
    ],
    'a whole round': [
      ...joined('round'),
      ask(Heartbeat, 4, ({ generationId, memberId }) => ({ groupId: 'round', generationId, memberId })),
      leave('round'),
    ],
    'a heartbeat of an unknown group': ask(Heartbeat, 4, { groupId: 'none', generationId: 1, memberId: 'm' }),
    'a heartbeat of a group without a name': ask(Heartbeat, 4, {
      groupId: '',
      generationId: 1,
      memberId: 'm',
    }),
    'a heartbeat of an unknown member': [
      ...joined('beat'),
      ask(Heartbeat, 4, { groupId: 'beat', generationId: 1, memberId: 'm' }),
      ask(Heartbeat, 4, ({ memberId }) => ({ groupId: 'beat', generationId: 99, memberId })),
      leave('beat'),
    ],
    'a sync of an unknown group': ask(SyncGroup, 5, {
      groupId: 'none',
      generationId: 1,
      memberId: 'm',
      assignments: [],
      protocolType: 'consumer',
      protocolName: 'range',
    }),
    'a sync of another protocol': [
      ...joined('synced'),
      ask(SyncGroup, 5, ({ generationId, memberId }) => ({
        groupId: 'synced',
        generationId,
        memberId,
        protocolType: 'connect',
        protocolName: 'range',
        assignments: [],
      })),
      ask(SyncGroup, 5, ({ memberId }) => ({
        groupId: 'synced',
        generationId: 77,
        memberId,
        protocolType: 'consumer',
        protocolName: 'range',
        assignments: [],
      })),
      leave('synced'),
    ],
    'a sync without a protocol': ask(SyncGroup, 5, {
      groupId: 'none',
      generationId: 1,
      memberId: 'm',
      assignments: [],
    }),
    'leaving an unknown group': ask(LeaveGroup, 5, { groupId: 'none', members: [{ memberId: 'm' }] }),
    'leaving a group without a name': ask(LeaveGroup, 5, { groupId: '', members: [{ memberId: 'm' }] }),
    'leaving an unknown group in version 2': ask(LeaveGroup, 2, { groupId: 'none', memberId: 'm' }),
    'leaving with nobody': ask(LeaveGroup, 5, { groupId: 'none', members: [] }),
    'leaving as a known and an unknown member': [
      ...joined('left'),
      ask(LeaveGroup, 5, ({ memberId }) => ({
        groupId: 'left',
        members: [{ memberId }, { memberId: 'm' }, { memberId: '', groupInstanceId: 'i' }],
      })),
    ],
    'committing without members': [commit('simple'), offsetsOf('simple')],
    'committing in version 2': [commit('simple-2', {}, 2), offsetsOf('simple-2', 'committed', [0], 1)],
    'committing in version 5': [commit('simple-5', {}, 5), offsetsOf('simple-5', 'committed', [0], 5)],
    'committing by topic id': ask(OffsetCommit, 10, (scene) => ({
      groupId: 'simple',
      memberId: '',
      topics: [
        {
          topicId: scene.topicId('committed'),
          partitions: [{ partitionIndex: 0, committedOffset: 5, committedMetadata: '' }],
        },
      ],
    })),
    'committing by an unknown topic id': ask(OffsetCommit, 10, {
      groupId: 'simple',
      memberId: '',
      topics: [
        {
          topicId: UNKNOWN_ID,
          partitions: [{ partitionIndex: 0, committedOffset: 5, committedMetadata: '' }],
        },
      ],
    }),
    'committing to a group without a name': commit('', {}),
    'committing as an unknown member': commit('simple', { memberId: 'm', generationIdOrMemberEpoch: 3 }),
    'committing to a generation of an unknown group': commit('none', {
      memberId: 'm',
      generationIdOrMemberEpoch: 3,
    }),
    'committing with a generation that is over': [
      ...joined('over'),
      ask(OffsetCommit, 9, ({ memberId }) => ({
        groupId: 'over',
        memberId,
        generationIdOrMemberEpoch: 99,
        ...commitOf('committed', 0),
        topics: commitOf('committed', 0).topics!,
      })),
      leave('over'),
    ],
    'committing without a member to a group with members': [...joined('busy'), commit('busy'), leave('busy')],
    'committing for an unknown topic': { ...commit('simple', commitOf('nowhere', 0)), eventually: false },
    'committing for an unknown partition': {
      ...commit('simple', commitOf('committed', 9)),
      eventually: false,
    },
    'committing for a negative partition': {
      ...commit('simple', commitOf('committed', -1)),
      eventually: false,
    },
    'committing long metadata': commit('simple', commitOf('committed', 0, 'm'.repeat(5000))),
    'committing null metadata': [commit('nulls', commitOf('committed', 0, null)), offsetsOf('nulls')],
    'committing a negative offset': commit('simple', {
      topics: [
        {
          name: 'committed',
          partitions: [{ partitionIndex: 1, committedOffset: -5, committedMetadata: '' }],
        },
      ],
    }),
    'committing nothing': commit('simple', { topics: [] }),
    'the offsets of an unknown group': offsetsOf('none'),
    'the offsets of a group without a name': offsetsOf(''),
    'offsets of a partition without one': offsetsOf('simple', 'committed', [1]),
    'offsets of an unknown topic': offsetsOf('simple', 'nowhere'),
    'offsets of an unknown partition': offsetsOf('simple', 'committed', [9, -1]),
    'offsets of one partition twice': offsetsOf('simple', 'committed', [0, 0]),
    'all offsets of a group': eventually(ask(OffsetFetch, 7, { groupId: 'simple', topics: null })),
    'all offsets of an unknown group': eventually(ask(OffsetFetch, 7, { groupId: 'none', topics: null })),
    'no offsets of a group': ask(OffsetFetch, 7, { groupId: 'simple', topics: [] }),
    'offsets of two groups': ask(OffsetFetch, 8, {
      groups: [
        { groupId: 'simple', topics: null },
        { groupId: 'none', topics: [{ name: 'committed', partitionIndexes: [0] }] },
      ],
    }),
    'offsets of one group twice': ask(OffsetFetch, 8, {
      groups: [
        { groupId: 'simple', topics: null },
        { groupId: 'simple', topics: null },
      ],
    }),
    'offsets of no groups': ask(OffsetFetch, 8, { groups: [] }),
    'offsets for an unknown member': ask(OffsetFetch, 9, {
      groups: [{ groupId: 'simple', memberId: 'm', memberEpoch: 5, topics: null }],
    }),
    'offsets by topic id': ask(OffsetFetch, 10, (scene) => ({
      groups: [
        { groupId: 'simple', topics: [{ topicId: scene.topicId('committed'), partitionIndexes: [0] }] },
      ],
    })),
    'offsets by an unknown topic id': ask(OffsetFetch, 10, {
      groups: [{ groupId: 'simple', topics: [{ topicId: UNKNOWN_ID, partitionIndexes: [0] }] }],
    }),
  },
}
