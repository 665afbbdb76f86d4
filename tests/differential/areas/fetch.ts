/** Fetch. */
import { Fetch } from '../../../broker/protocol/apis/fetch.ts'
import { CreateTopics } from '../../../broker/protocol/apis/create-topics.ts'
import { DeleteTopics } from '../../../broker/protocol/apis/delete-topics.ts'
import { Produce } from '../../../broker/protocol/apis/produce.ts'
import type { RequestToSend } from '../../../broker/protocol/schema.ts'
import { batchOfTexts } from '../../support/records.ts'
import { type Area, ask, eventually, type Step } from '../case.ts'

const T0 = 1_700_000_000_000
const UNKNOWN_ID = 'ABEiM0RVZneImaq7zN3u_w'

type Request = RequestToSend<typeof Fetch>
type Partition = Request['topics'][number]['partitions'][number]

function partition(index: number, fetchOffset: number, rest: Partial<Partition> = {}): Partition {
  return { partition: index, fetchOffset, partitionMaxBytes: 1_000_000, ...rest }
}

function fetchFrom(
  partitions: readonly Partition[],
  options: Partial<Request> & { readonly version?: number; readonly topic?: string } = {},
): Step {
  const { version = 12, topic = 'read', ...rest } = options
  return ask(Fetch, version, {
    maxWaitMs: 0,
    minBytes: 1,
    topics: [{ topic, partitions: [...partitions] }],
    ...rest,
  })
}

function byId(
  id: string | null,
  partitions: readonly Partition[],
  version = 13,
  more: Partial<Request> = {},
): Step {
  return ask(Fetch, version, (scene) => ({
    maxWaitMs: 0,
    minBytes: 1,
    topics: [{ topicId: id ?? scene.topicId('read'), partitions: [...partitions] }],
    ...more,
  }))
}

/** A request of the session that the last answer with a session was of. */
function goOn(
  sessionEpoch: number,
  partitions: readonly Partition[] = [],
  more: Partial<Request> & { readonly version?: number } = {},
): Step {
  const { version = 12, ...rest } = more
  return ask(Fetch, version, (scene) => ({
    maxWaitMs: 0,
    minBytes: 1,
    sessionId: scene.sessionId,
    sessionEpoch,
    topics: partitions.length === 0 ? [] : [{ topic: 'read', partitions: [...partitions] }],
    ...rest,
  }))
}

const begin = fetchFrom([partition(0, 0), partition(1, 0)], { sessionEpoch: 0 })

const write = ask(Produce, 9, {
  acks: -1,
  timeoutMs: 5000,
  topicData: [
    {
      name: 'read',
      partitionData: [{ index: 0, records: batchOfTexts(['a', 'b', 'c'], { timestamp: T0 }) }],
    },
  ],
})

export const fetch: Area = {
  name: 'fetch',
  topics: { read: { partitions: 2 }, replaced: {} },
  prepare: [write, write, write],
  cases: {
    'from the start': fetchFrom([partition(0, 0)]),
    'from within a batch': fetchFrom([partition(0, 4)]),
    'from the end': fetchFrom([partition(0, 9)]),
    'beyond the end': fetchFrom([partition(0, 10)]),
    'from a negative offset': fetchFrom([partition(0, -1)]),
    'an empty partition': fetchFrom([partition(1, 0)]),
    'an unknown partition': fetchFrom([partition(7, 0)]),
    'a negative partition': fetchFrom([partition(-1, 0)]),
    'an unknown topic': fetchFrom([partition(0, 0)], { topic: 'nowhere' }),
    'a topic name that is not valid': fetchFrom([partition(0, 0)], { topic: 'a b' }),
    'good and bad partitions': fetchFrom([partition(0, 0), partition(7, 0), partition(1, 50)]),
    'the same partition twice': fetchFrom([partition(0, 0), partition(0, 3)]),
    'no topics': fetchFrom([], { topics: [] }),
    'no partitions': fetchFrom([]),
    'one byte of a partition': fetchFrom([partition(0, 0, { partitionMaxBytes: 1 })]),
    'no byte of a partition': fetchFrom([partition(0, 0, { partitionMaxBytes: 0 })]),
    'a negative number of bytes of a partition': fetchFrom([partition(0, 0, { partitionMaxBytes: -1 })]),
    'one byte in all': fetchFrom([partition(0, 0)], { maxBytes: 1 }),
    'no byte in all': fetchFrom([partition(0, 0)], { maxBytes: 0 }),
    'two batches of three': fetchFrom([partition(0, 0, { partitionMaxBytes: 180 })]),
    read_committed: fetchFrom([partition(0, 0)], { isolationLevel: 1 }),
    'an isolation level that does not exist': fetchFrom([partition(0, 0)], { isolationLevel: 9 }),
    'an older leader epoch': fetchFrom([partition(0, 0, { currentLeaderEpoch: -2 })]),
    'the present leader epoch': fetchFrom([partition(0, 0, { currentLeaderEpoch: 0 })]),
    'a leader epoch to come': fetchFrom([partition(0, 0, { currentLeaderEpoch: 99 })]),
    'a last fetched epoch to come': fetchFrom([
      partition(0, 3, { currentLeaderEpoch: 0, lastFetchedEpoch: 5 }),
    ]),
    'a last fetched epoch that is right': fetchFrom([
      partition(0, 3, { currentLeaderEpoch: 0, lastFetchedEpoch: 0 }),
    ]),
    'a last fetched epoch beyond the end': fetchFrom([
      partition(0, 50, { currentLeaderEpoch: 0, lastFetchedEpoch: 0 }),
    ]),
    'version 4': fetchFrom([partition(0, 0)], { version: 4 }),
    'version 5': fetchFrom([partition(0, 0)], { version: 5 }),
    'version 7': fetchFrom([partition(0, 0)], { version: 7 }),
    'version 10': fetchFrom([partition(0, 0)], { version: 10 }),
    'version 11': fetchFrom([partition(0, 0)], { version: 11 }),
    'a topic by id': byId(null, [partition(0, 0)]),
    'an unknown partition by id': byId(null, [partition(7, 0)]),
    'an unknown id': byId(UNKNOWN_ID, [partition(0, 0)]),
    'no id': byId('AAAAAAAAAAAAAAAAAAAAAA', [partition(0, 0)]),
    'version 18': ask(Fetch, 18, (scene) => ({
      maxWaitMs: 0,
      minBytes: 1,
      topics: [{ topicId: scene.topicId('read'), partitions: [partition(0, 0)] }],
    })),
    'another cluster': fetchFrom([partition(0, 0)], { clusterId: 'another' }),
    'a rack': fetchFrom([partition(0, 0)], { rackId: 'somewhere' }),
    'a negative wait': fetchFrom([partition(1, 0)], { maxWaitMs: -1 }),
    'no byte to wait for': fetchFrom([partition(1, 0)], { maxWaitMs: 5000, minBytes: 0 }),
    'fewer than no bytes to wait for': fetchFrom([partition(1, 0)], { maxWaitMs: 5000, minBytes: -7 }),
    'more bytes to wait for than may be sent': fetchFrom([partition(0, 0)], {
      maxWaitMs: 5000,
      minBytes: 1_000_000,
      maxBytes: 100,
    }),
    'more bytes to wait for than there are': fetchFrom([partition(0, 0)], {
      maxWaitMs: 100,
      minBytes: 100_000,
    }),
    'a wait for nothing': fetchFrom([partition(0, 9)], { maxWaitMs: 50 }),
    'a wait with an error': fetchFrom([partition(0, 9), partition(1, 5)], { maxWaitMs: 5000 }),
    'a wait for no partition': fetchFrom([], { topics: [], maxWaitMs: 5000 }),
    'a negative number of bytes in all': fetchFrom([partition(0, 0)], { maxBytes: -1 }),
    'a partition led in another epoch, in version 16': byId(
      null,
      [partition(0, 0, { currentLeaderEpoch: 7 })],
      16,
    ),
    'a replica that is none, in version 16': byId(null, [partition(0, 0)], 16, {
      replicaState: { replicaId: 77, replicaEpoch: -1 },
    }),
    'a replica that is none, in version 14': byId(null, [partition(0, 0)], 14, { replicaId: 77 }),
    'a directory of a replica': byId(null, [partition(0, 0, { replicaDirectoryId: UNKNOWN_ID })], 17),
    'a session that does not exist': fetchFrom([partition(0, 0)], { sessionId: 12345, sessionEpoch: 1 }),
    'an epoch without a session': fetchFrom([partition(0, 0)], { sessionId: 0, sessionEpoch: 5 }),
    'the end of a session that does not exist': fetchFrom([partition(0, 0)], {
      sessionId: 12345,
      sessionEpoch: -1,
    }),
    'a session of which nothing changes': [begin, goOn(1, [partition(0, 9)]), goOn(2)],
    'a session with records to read': [
      begin,
      goOn(1, [partition(0, 3)]),
      goOn(2),
      goOn(3, [partition(0, 9)]),
      goOn(4),
    ],
    'a session in small answers': [
      fetchFrom([partition(0, 0), partition(1, 0)], { sessionEpoch: 0, maxBytes: 1 }),
      goOn(1, [partition(0, 3)], { maxBytes: 1 }),
      goOn(2, [partition(0, 6)], { maxBytes: 1 }),
    ],
    'a session with an error in it': [
      fetchFrom([partition(0, 50), partition(1, 0)], { sessionEpoch: 0 }),
      goOn(1),
      goOn(2),
      goOn(3, [partition(0, 9)]),
      goOn(4),
    ],
    'a session with an unknown partition': [
      fetchFrom([partition(0, 9), partition(7, 0)], { sessionEpoch: 0 }),
      goOn(1),
      goOn(2),
    ],
    'a session with an unknown topic': [
      fetchFrom([partition(0, 0)], { sessionEpoch: 0, topic: 'nowhere' }),
      goOn(1),
    ],
    'a session to which a partition is added': [
      fetchFrom([partition(0, 9)], { sessionEpoch: 0 }),
      goOn(1, [partition(1, 0)]),
      goOn(2),
    ],
    'a session that forgets a partition': [
      begin,
      goOn(1, [partition(0, 0)], { forgottenTopicsData: [{ topic: 'read', partitions: [0] }] }),
      goOn(2),
    ],
    'a session that forgets what it does not have': [
      begin,
      goOn(1, [partition(0, 9)], { forgottenTopicsData: [{ topic: 'nowhere', partitions: [3] }] }),
    ],
    'a session that forgets everything': [
      begin,
      goOn(1, [], { forgottenTopicsData: [{ topic: 'read', partitions: [0, 1] }] }),
      goOn(2),
    ],
    'a session without partitions': [fetchFrom([], { sessionEpoch: 0, topics: [] })],
    'an epoch that a session has used': [begin, goOn(1), goOn(1)],
    'an epoch that a session has not reached': [begin, goOn(2), goOn(1)],
    'a negative epoch of a session': [begin, goOn(-5)],
    'a session that begins anew': [begin, goOn(0, [partition(1, 0)]), goOn(1)],
    'a session that ends': [begin, goOn(-1, [partition(0, 3)]), goOn(1)],
    'a session by name that goes on by id': [begin, goOn(1, [], { version: 13 })],
    'a session by id': [
      ask(Fetch, 15, (scene) => ({
        maxWaitMs: 0,
        minBytes: 1,
        sessionEpoch: 0,
        topics: [
          { topicId: scene.topicId('read'), partitions: [partition(0, 9)] },
          { topicId: UNKNOWN_ID, partitions: [partition(0, 0)] },
        ],
      })),
      goOn(1, [], { version: 15 }),
      goOn(2, [], { version: 15 }),
      goOn(3, [], { version: 12 }),
    ],
    'a session whose topic is made anew': [
      eventually(fetchFrom([partition(0, 0)], { version: 9, topic: 'replaced' })),
      ask(Fetch, 15, (scene) => ({
        maxWaitMs: 0,
        minBytes: 1,
        sessionEpoch: 0,
        topics: [{ topicId: scene.topicId('replaced'), partitions: [partition(0, 0)] }],
      })),
      ask(DeleteTopics, 5, { topicNames: ['replaced'], timeoutMs: 5000 }),
      ask(CreateTopics, 4, {
        topics: [{ name: 'replaced', numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] }],
      }),
      eventually(fetchFrom([partition(0, 0)], { version: 9, topic: 'replaced' })),
      goOn(1, [], { version: 15 }),
    ],
    'a replica that is none': fetchFrom([partition(0, 0)], { replicaId: 77 }),
    'a replica below -1': fetchFrom([partition(0, 0)], { replicaId: -2 }),
  },
}
