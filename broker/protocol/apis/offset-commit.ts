/** OffsetCommit: stores the positions of a consumer group. v9 serves the new group protocol (KIP-848), v10 names topics by id. */
import { defineApi, t } from '../schema.ts'

export const OffsetCommit = defineApi({
  key: 8,
  name: 'OffsetCommit',
  versions: '2-10',
  flexible: '8+',
  request: {
    groupId: t.string,
    generationIdOrMemberEpoch: t.int32.default(-1),
    memberId: t.string,
    groupInstanceId: t.string.nullable().versions('7+').default(null),
    retentionTimeMs: t.int64.versions('2-4').default(-1),
    topics: t.array({
      name: t.string.versions('0-9'),
      topicId: t.uuid.versions('10+'),
      partitions: t.array({
        partitionIndex: t.int32,
        committedOffset: t.int64,
        committedLeaderEpoch: t.int32.versions('6+').default(-1),
        committedMetadata: t.string.nullable(),
      }),
    }),
  },
  response: {
    throttleTimeMs: t.int32.versions('3+'),
    topics: t.array({
      name: t.string.versions('0-9'),
      topicId: t.uuid.versions('10+'),
      partitions: t.array({
        partitionIndex: t.int32,
        errorCode: t.int16,
      }),
    }),
  },
})
