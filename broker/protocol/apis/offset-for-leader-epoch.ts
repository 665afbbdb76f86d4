/** OffsetForLeaderEpoch: where a leader epoch ended, to find the point of divergence (KIP-101, KIP-320). */
import { defineApi, t } from '../schema.ts'

export const OffsetForLeaderEpoch = defineApi({
  key: 23,
  name: 'OffsetForLeaderEpoch',
  versions: '2-4',
  flexible: '4+',
  request: {
    replicaId: t.int32.versions('3+').default(-2),
    topics: t.array({
      topic: t.string,
      partitions: t.array({
        partition: t.int32,
        currentLeaderEpoch: t.int32.default(-1),
        leaderEpoch: t.int32,
      }),
    }),
  },
  response: {
    throttleTimeMs: t.int32,
    topics: t.array({
      topic: t.string,
      partitions: t.array({
        errorCode: t.int16,
        partition: t.int32,
        leaderEpoch: t.int32.default(-1),
        endOffset: t.int64.default(-1),
      }),
    }),
  },
})
