/** CreateTopics: creates topics. v5 answers with the settings (KIP-525), v7 with the topic id (KIP-516). */
import { defineApi, t } from '../schema.ts'

export const CreateTopics = defineApi({
  key: 19,
  name: 'CreateTopics',
  versions: '2-7',
  flexible: '5+',
  request: {
    topics: t.array({
      name: t.string,
      numPartitions: t.int32,
      replicationFactor: t.int16,
      assignments: t.array({
        partitionIndex: t.int32,
        brokerIds: t.array(t.int32),
      }),
      configs: t.array({
        name: t.string,
        value: t.string.nullable(),
      }),
    }),
    timeoutMs: t.int32.default(60000),
    validateOnly: t.boolean.default(false),
  },
  response: {
    throttleTimeMs: t.int32,
    topics: t.array({
      name: t.string,
      topicId: t.uuid.versions('7+'),
      errorCode: t.int16,
      errorMessage: t.string.nullable(),
      topicConfigErrorCode: t.int16.versions('5+').tagged(0),
      numPartitions: t.int32.versions('5+').default(-1),
      replicationFactor: t.int16.versions('5+').default(-1),
      configs: t
        .array({
          name: t.string,
          value: t.string.nullable(),
          readOnly: t.boolean,
          configSource: t.int8.default(-1),
          isSensitive: t.boolean,
        })
        .nullable()
        .versions('5+'),
    }),
  },
})
