/**
 * SyncGroup: the leader hands in who gets which partitions; every member waits for that and receives its own.
 * v3 adds static members (KIP-345), v5 the protocol, so that a mismatch is noticed (KIP-559).
 */
import type { SyncGroup } from '../protocol/apis/sync-group.ts'
import { errorCode, KafkaError } from '../protocol/errors.ts'
import type { Handler } from './context.ts'

const FIRST_VERSION_WITH_PROTOCOL = 5

export const syncGroup: Handler<typeof SyncGroup> = async (request, context) => {
  const { groupId, generationId, memberId, groupInstanceId, protocolType, protocolName } = request
  if (context.apiVersion >= FIRST_VERSION_WITH_PROTOCOL && (protocolType === null || protocolName === null)) {
    throw new KafkaError('INCONSISTENT_GROUP_PROTOCOL', 'protocolType and protocolName may not be null')
  }
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
