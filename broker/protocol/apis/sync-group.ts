/** SyncGroup: the leader hands in the assignment, every member receives its own. */
import { defineApi, t } from '../schema.ts'

export const SyncGroup = defineApi({
  key: 14,
  name: 'SyncGroup',
  versions: '0-5',
  flexible: '4+',
  request: {
    groupId: t.string,
    generationId: t.int32,
    memberId: t.string,
    groupInstanceId: t.string.nullable().versions('3+').default(null),
    protocolType: t.string.nullable().versions('5+').default(null),
    protocolName: t.string.nullable().versions('5+').default(null),
    assignments: t.array({
      memberId: t.string,
      assignment: t.bytes,
    }),
  },
  response: {
    throttleTimeMs: t.int32.versions('1+'),
    errorCode: t.int16,
    protocolType: t.string.nullable().versions('5+').default(null),
    protocolName: t.string.nullable().versions('5+').default(null),
    assignment: t.bytes,
  },
})
