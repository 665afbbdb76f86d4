/** ListOffsets: offsets by timestamp; -1 is the latest, -2 the earliest, -3 the one of the largest timestamp (KIP-734). */
import { defineApi, t } from '../schema.ts'

export const ListOffsets = defineApi({
  key: 2,
  name: 'ListOffsets',
  versions: '1-11',
  flexible: '6+',
  request: {
    replicaId: t.int32,
    isolationLevel: t.int8.versions('2+'),
    topics: t.array({
      name: t.string,
      partitions: t.array({
        partitionIndex: t.int32,
        currentLeaderEpoch: t.int32.versions('4+').default(-1),
        timestamp: t.int64,
      }),
    }),
    timeoutMs: t.int32.versions('10+'),
  },
  response: {
    throttleTimeMs: t.int32.versions('2+'),
    topics: t.array({
      name: t.string,
      partitions: t.array({
        partitionIndex: t.int32,
        errorCode: t.int16,
        timestamp: t.int64.default(-1),
        offset: t.int64.default(-1),
        leaderEpoch: t.int32.versions('4+').default(-1),
      }),
    }),
  },
})
