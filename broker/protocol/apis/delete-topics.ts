/** DeleteTopics: deletes topics by name, from v6 by name or id (KIP-516). */
import { defineApi, t } from '../schema.ts'

export const DeleteTopics = defineApi({
  key: 20,
  name: 'DeleteTopics',
  versions: '1-6',
  flexible: '4+',
  request: {
    topics: t
      .array({
        name: t.string.nullable().default(null),
        topicId: t.uuid,
      })
      .versions('6+'),
    topicNames: t.array(t.string).versions('0-5'),
    timeoutMs: t.int32,
  },
  response: {
    throttleTimeMs: t.int32,
    responses: t.array({
      name: t.string.nullable('6+'),
      topicId: t.uuid.versions('6+'),
      errorCode: t.int16,
      errorMessage: t.string.nullable().versions('5+').default(null),
    }),
  },
})
