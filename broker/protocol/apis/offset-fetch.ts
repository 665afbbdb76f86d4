/** OffsetFetch: reads the positions of consumer groups. v8 asks for several groups at once (KIP-709), v10 names topics by id. */
import { defineApi, t } from '../schema.ts'

export const OffsetFetch = defineApi({
  key: 9,
  name: 'OffsetFetch',
  versions: '1-10',
  flexible: '6+',
  request: {
    groupId: t.string.versions('0-7'),
    topics: t
      .array({
        name: t.string,
        partitionIndexes: t.array(t.int32),
      })
      .nullable('2-7')
      .versions('0-7'),
    groups: t
      .array({
        groupId: t.string,
        memberId: t.string.nullable().versions('9+').default(null),
        memberEpoch: t.int32.versions('9+').default(-1),
        topics: t
          .array({
            name: t.string.versions('8-9'),
            topicId: t.uuid.versions('10+'),
            partitionIndexes: t.array(t.int32),
          })
          .nullable(),
      })
      .versions('8+'),
    requireStable: t.boolean.versions('7+').default(false),
  },
  response: {
    throttleTimeMs: t.int32.versions('3+'),
    topics: t
      .array({
        name: t.string,
        partitions: t.array({
          partitionIndex: t.int32,
          committedOffset: t.int64,
          committedLeaderEpoch: t.int32.versions('5+').default(-1),
          metadata: t.string.nullable(),
          errorCode: t.int16,
        }),
      })
      .versions('0-7'),
    errorCode: t.int16.versions('2-7').default(0),
    groups: t
      .array({
        groupId: t.string,
        topics: t.array({
          name: t.string.versions('8-9'),
          topicId: t.uuid.versions('10+'),
          partitions: t.array({
            partitionIndex: t.int32,
            committedOffset: t.int64,
            committedLeaderEpoch: t.int32.default(-1),
            metadata: t.string.nullable(),
            errorCode: t.int16,
          }),
        }),
        errorCode: t.int16.default(0),
      })
      .versions('8+'),
  },
})
