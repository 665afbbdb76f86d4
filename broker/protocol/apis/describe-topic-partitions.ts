/** DescribeTopicPartitions: topics page by page, so that no answer grows with the cluster (KIP-966). */
import { defineApi, t } from '../schema.ts'

const cursor = t.struct({ topicName: t.string, partitionIndex: t.int32 }).nullable().default(null)

export const DescribeTopicPartitions = defineApi({
  key: 75,
  name: 'DescribeTopicPartitions',
  versions: '0',
  flexible: '0+',
  request: {
    topics: t.array({ name: t.string }),
    responsePartitionLimit: t.int32.default(2000),
    cursor,
  },
  response: {
    throttleTimeMs: t.int32,
    topics: t.array({
      errorCode: t.int16,
      name: t.string.nullable(),
      topicId: t.uuid,
      isInternal: t.boolean.default(false),
      partitions: t.array({
        errorCode: t.int16,
        partitionIndex: t.int32,
        leaderId: t.int32,
        leaderEpoch: t.int32.default(-1),
        replicaNodes: t.array(t.int32),
        isrNodes: t.array(t.int32),
        eligibleLeaderReplicas: t.array(t.int32).nullable().default(null),
        lastKnownElr: t.array(t.int32).nullable().default(null),
        offlineReplicas: t.array(t.int32),
      }),
      topicAuthorizedOperations: t.int32.default(-2147483648),
    }),
    nextCursor: cursor,
  },
})
