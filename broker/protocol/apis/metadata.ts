/** Metadata: brokers, topics, partitions and their leaders. v4 may forbid automatic topic creation; v12 finds topics by id. */
import { defineApi, t } from '../schema.ts'

export const Metadata = defineApi({
  key: 3,
  name: 'Metadata',
  versions: '0-13',
  flexible: '9+',
  request: {
    topics: t
      .array({
        topicId: t.uuid.versions('10+'),
        name: t.string.nullable('10+'),
      })
      .nullable('1+'),
    allowAutoTopicCreation: t.boolean.versions('4+').default(true),
    includeClusterAuthorizedOperations: t.boolean.versions('8-10'),
    includeTopicAuthorizedOperations: t.boolean.versions('8+'),
  },
  response: {
    throttleTimeMs: t.int32.versions('3+'),
    brokers: t.array({
      nodeId: t.int32,
      host: t.string,
      port: t.int32,
      rack: t.string.nullable().versions('1+').default(null),
    }),
    clusterId: t.string.nullable().versions('2+').default(null),
    controllerId: t.int32.versions('1+').default(-1),
    topics: t.array({
      errorCode: t.int16,
      name: t.string.nullable('12+'),
      topicId: t.uuid.versions('10+'),
      isInternal: t.boolean.versions('1+').default(false),
      partitions: t.array({
        errorCode: t.int16,
        partitionIndex: t.int32,
        leaderId: t.int32,
        leaderEpoch: t.int32.versions('7+').default(-1),
        replicaNodes: t.array(t.int32),
        isrNodes: t.array(t.int32),
        offlineReplicas: t.array(t.int32).versions('5+'),
      }),
      topicAuthorizedOperations: t.int32.versions('8+').default(-2147483648),
    }),
    clusterAuthorizedOperations: t.int32.versions('8-10').default(-2147483648),
    errorCode: t.int16.versions('13+'),
  },
})
