/**
 * SyncGroup: the leader hands in who gets which partitions; every member waits for that and receives its own.
 * v3 adds static members (KIP-345), v5 the protocol, so that a mismatch is noticed (KIP-559).
 */
import type { SyncGroup } from '../protocol/apis/sync-group.ts'
import { errorCode } from '../protocol/errors.ts'
import type { Handler } from './context.ts'

export const syncGroup: Handler<typeof SyncGroup> = async (request, context) => {
  const { groupId, generationId, memberId, groupInstanceId, protocolType, protocolName } = request
  // Copied, because the group outlives the frame.
  const assignments = new Map(
    request.assignments.map((each) => [each.memberId, Buffer.from(each.assignment)]),
  )
  const reply = await context.groups.ask<'sync'>(
    groupId,
    {
      kind: 'sync',
      memberId,
      instanceId: groupInstanceId,
      generationId,
      protocolType,
      protocolName,
      assignments,
    },
    context.signal,
  )
  return { ...reply, errorCode: errorCode(reply.error) }
}
