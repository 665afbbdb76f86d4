/** JoinGroup: enters a group and waits for the rebalance. v4 hands out the member id first (KIP-394), v5 static members (KIP-345). */
import { defineApi, t } from '../schema.ts'

export const JoinGroup = defineApi({
  key: 11,
  name: 'JoinGroup',
  versions: '0-9',
  flexible: '6+',
  request: {
    groupId: t.string,
    sessionTimeoutMs: t.int32,
    rebalanceTimeoutMs: t.int32.versions('1+').default(-1),
    memberId: t.string,
    groupInstanceId: t.string.nullable().versions('5+').default(null),
    protocolType: t.string,
    protocols: t.array({
      name: t.string,
      metadata: t.bytes,
    }),
    reason: t.string.nullable().versions('8+').default(null),
  },
  response: {
    throttleTimeMs: t.int32.versions('2+'),
    errorCode: t.int16,
    generationId: t.int32.default(-1),
    protocolType: t.string.nullable().versions('7+').default(null),
    protocolName: t.string.nullable('7+'),
    leader: t.string,
    skipAssignment: t.boolean.versions('9+').default(false),
    memberId: t.string,
    members: t.array({
      memberId: t.string,
      groupInstanceId: t.string.nullable().versions('5+').default(null),
      metadata: t.bytes,
    }),
  },
})
