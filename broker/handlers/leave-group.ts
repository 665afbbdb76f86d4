/**
 * LeaveGroup: takes members out of a group. v3 names several, static ones also by their instance alone (KIP-345), and
 * answers for each; before that the one error is the answer's own.
 */
import type { LeaveGroup } from '../protocol/apis/leave-group.ts'
import { errorCode } from '../protocol/errors.ts'
import type { Handler } from './context.ts'

const FIRST_VERSION_WITH_BATCHES = 3

export const leaveGroup: Handler<typeof LeaveGroup> = async (request, context) => {
  const isBatch = context.apiVersion >= FIRST_VERSION_WITH_BATCHES
  const leaving = isBatch ? request.members : [{ memberId: request.memberId, groupInstanceId: null }]
  const { members } = await context.groups.ask<'leave'>(request.groupId, {
    kind: 'leave',
    members: leaving.map(({ memberId, groupInstanceId }) => ({ memberId, instanceId: groupInstanceId })),
  })
  return {
    errorCode: isBatch ? 0 : errorCode(members[0]!.error),
    members: members.map(({ memberId, instanceId, error }) => ({
      memberId,
      groupInstanceId: instanceId,
      errorCode: errorCode(error),
    })),
  }
}
