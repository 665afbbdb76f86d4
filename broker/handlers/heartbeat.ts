/**
 * Heartbeat: a member says that it is alive, and hears whether it must join again. v3 adds static members (KIP-345).
 * While the coordinator loads, members are told that all is well, so that they do not join anew for nothing.
 */
import type { Heartbeat } from '../protocol/apis/heartbeat.ts'
import { errorCode } from '../protocol/errors.ts'
import type { Handler } from './context.ts'
import { toKafkaError } from './each-partition.ts'

export const heartbeat: Handler<typeof Heartbeat> = async (request, context) => {
  const { groupId, generationId, memberId, groupInstanceId } = request
  try {
    const { error } = await context.groups.ask<'heartbeat'>(groupId, {
      kind: 'heartbeat',
      memberId,
      instanceId: groupInstanceId,
      generationId,
    })
    return { errorCode: errorCode(error) }
  } catch (error) {
    const { code } = toKafkaError(error, context.logger, { group: groupId })
    return { errorCode: code === errorCode('COORDINATOR_LOAD_IN_PROGRESS') ? 0 : code }
  }
}
