/** ListOffsets and OffsetForLeaderEpoch. */
import { ListOffsets } from '../../../broker/protocol/apis/list-offsets.ts'
import { OffsetForLeaderEpoch } from '../../../broker/protocol/apis/offset-for-leader-epoch.ts'
import { Produce } from '../../../broker/protocol/apis/produce.ts'
import { batchOfTexts } from '../../support/records.ts'
import { type Area, ask, type Step } from '../case.ts'

const T0 = 1_700_000_000_000

function write(...timestamps: number[]): Step {
  return ask(Produce, 9, {
    acks: -1,
    timeoutMs: 5000,
    topicData: [
      {
        name: 'timed',
        partitionData: timestamps.map((timestamp) => ({
          index: 0,
          records: batchOfTexts(['a', 'b'], { timestamp }),
        })),
      },
    ],
  })
}

interface Options {
  readonly topic?: string
  readonly partitionIndex?: number
  readonly version?: number
  readonly currentLeaderEpoch?: number
  readonly isolationLevel?: number
  readonly replicaId?: number
}

function list(timestamp: number, options: Options = {}): Step {
  const { topic = 'timed', partitionIndex = 0, version = 10, currentLeaderEpoch = -1 } = options
  return ask(ListOffsets, version, {
    replicaId: options.replicaId ?? -1,
    isolationLevel: options.isolationLevel ?? 0,
    topics: [{ name: topic, partitions: [{ partitionIndex, timestamp, currentLeaderEpoch }] }],
    timeoutMs: 1000,
  })
}

function epochEnd(leaderEpoch: number, options: Options = {}): Step {
  const { topic = 'timed', partitionIndex = 0, version = 4, currentLeaderEpoch = -1 } = options
  return ask(OffsetForLeaderEpoch, version, {
    replicaId: options.replicaId ?? -2,
    topics: [{ topic, partitions: [{ partition: partitionIndex, leaderEpoch, currentLeaderEpoch }] }],
  })
}

const timed = [{ partitionIndex: 0, timestamp: -1 }]

export const offsets: Area = {
  name: 'offsets',
  topics: { timed: { partitions: 2 } },
  prepare: [write(T0), write(T0 + 5000), write(T0 + 1000), write(T0 + 9000)],
  cases: {
    'the latest': list(-1),
    'the earliest': list(-2),
    'the largest timestamp': list(-3),
    'the largest timestamp of an empty partition': list(-3, { partitionIndex: 1 }),
    'the earliest kept here': list(-4),
    'the latest in another tier': list(-5),
    'the earliest that is not yet in another tier': list(-6),
    'a special timestamp that does not exist': list(-7),
    'a special timestamp far below': list(-1000),
    'the largest timestamp in version 6': list(-3, { version: 6 }),
    'the earliest kept here in version 7': list(-4, { version: 7 }),
    'the latest in another tier in version 8': list(-5, { version: 8 }),
    'the latest in version 11': list(-1, { version: 11 }),
    'the earliest in version 11': list(-2, { version: 11 }),
    'the earliest that is not yet in another tier, in version 11': list(-6, { version: 11 }),
    'the same of an empty partition': list(-6, { version: 11, partitionIndex: 1 }),
    'a special timestamp that does not exist in version 11': list(-7, { version: 11 }),
    'a special timestamp of an unknown topic': list(-9, { topic: 'nowhere' }),
    'a time that a record has': list(T0 + 5000),
    'a time between records': list(T0 + 1),
    'a time before all': list(1),
    'the time 0': list(0),
    'a time after all': list(T0 + 10_000),
    'a time in an empty partition': list(T0, { partitionIndex: 1 }),
    'version 1': list(-1, { version: 1 }),
    'version 1 by time': list(T0 + 1, { version: 1 }),
    'version 2': list(-1, { version: 2, isolationLevel: 1 }),
    'version 4': list(-2, { version: 4 }),
    'version 5': list(-1, { version: 5 }),
    'version 8': list(-1, { version: 8 }),
    read_committed: list(-1, { isolationLevel: 1 }),
    'an isolation level that does not exist': list(-1, { isolationLevel: 9 }),
    'an unknown topic': list(-1, { topic: 'nowhere' }),
    'a topic name that is not valid': list(-1, { topic: 'a b' }),
    'an unknown partition': list(-1, { partitionIndex: 9 }),
    'a negative partition': list(-1, { partitionIndex: -1 }),
    'the present leader epoch': list(-1, { currentLeaderEpoch: 0 }),
    'a leader epoch to come': list(-1, { currentLeaderEpoch: 9 }),
    'a replica that is none': list(-1, { replicaId: 77 }),
    'the replica for debugging': list(-1, { replicaId: -2 }),
    'the same partition twice': ask(ListOffsets, 7, {
      replicaId: -1,
      isolationLevel: 0,
      topics: [{ name: 'timed', partitions: [...timed, ...timed] }],
    }),
    'the same partition twice and another': ask(ListOffsets, 7, {
      replicaId: -1,
      isolationLevel: 0,
      topics: [{ name: 'timed', partitions: [...timed, { partitionIndex: 1, timestamp: -1 }, ...timed] }],
    }),
    'the same topic twice': ask(ListOffsets, 7, {
      replicaId: -1,
      isolationLevel: 0,
      topics: [
        { name: 'timed', partitions: timed },
        { name: 'timed', partitions: timed },
      ],
    }),
    'no topics': ask(ListOffsets, 7, { replicaId: -1, isolationLevel: 0, topics: [] }),
    'no partitions': ask(ListOffsets, 7, {
      replicaId: -1,
      isolationLevel: 0,
      topics: [{ name: 'timed', partitions: [] }],
    }),
    'the end of an epoch': epochEnd(0),
    'the end of an epoch in version 2': epochEnd(0, { version: 2 }),
    'the end of an epoch in version 3': epochEnd(0, { version: 3 }),
    'the end of an epoch to come': epochEnd(9),
    'the end of a negative epoch': epochEnd(-1),
    'the end of an epoch of an empty partition': epochEnd(0, { partitionIndex: 1 }),
    'the end of an epoch of an unknown topic': epochEnd(0, { topic: 'nowhere' }),
    'the end of an epoch of an unknown partition': epochEnd(0, { partitionIndex: 9 }),
    'the end of an epoch for a leader to come': epochEnd(0, { currentLeaderEpoch: 9 }),
    'the end of an epoch for a replica that is none': epochEnd(0, { replicaId: 77 }),
  },
}
