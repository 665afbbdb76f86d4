/** Heartbeat: keeps a group member alive and tells it of rebalances. */
import { defineApi, t } from '../schema.ts'

export const Heartbeat = defineApi({
  key: 12,
  name: 'Heartbeat',
  versions: '0-4',
  flexible: '4+',
  request: {
    groupId: t.string,
    generationId: t.int32,
    memberId: t.string,
    groupInstanceId: t.string.nullable().versions('3+').default(null),
  },
  response: {
    throttleTimeMs: t.int32.versions('1+'),
    errorCode: t.int16,
  },
})
