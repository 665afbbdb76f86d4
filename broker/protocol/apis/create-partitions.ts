/** CreatePartitions: adds partitions to topics (KIP-195). */
import { defineApi, t } from '../schema.ts'

export const CreatePartitions = defineApi({
  key: 37,
  name: 'CreatePartitions',
  versions: '0-3',
  flexible: '2+',
  request: {
    topics: t.array({
      name: t.string,
      count: t.int32,
      assignments: t.array({ brokerIds: t.array(t.int32) }).nullable(),
    }),
    timeoutMs: t.int32,
    validateOnly: t.boolean,
  },
  response: {
    throttleTimeMs: t.int32,
    results: t.array({
      name: t.string,
      errorCode: t.int16,
      errorMessage: t.string.nullable().default(null),
    }),
  },
})
