/** LeaveGroup: takes members out of a group; v3 several at once (KIP-345). */
import { defineApi, t } from '../schema.ts'

export const LeaveGroup = defineApi({
  key: 13,
  name: 'LeaveGroup',
  versions: '0-5',
  flexible: '4+',
  request: {
    groupId: t.string,
    memberId: t.string.versions('0-2'),
    members: t
      .array({
        memberId: t.string,
        groupInstanceId: t.string.nullable().default(null),
        reason: t.string.nullable().versions('5+').default(null),
      })
      .versions('3+'),
  },
  response: {
    throttleTimeMs: t.int32.versions('1+'),
    errorCode: t.int16,
    members: t
      .array({
        memberId: t.string,
        groupInstanceId: t.string.nullable(),
        errorCode: t.int16,
      })
      .versions('3+'),
  },
})
