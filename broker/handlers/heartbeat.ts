/**
 * Heartbeat: a member says that it is alive, and hears whether it must join again. v3 adds static members (KIP-345).
 * While the coordinator loads, members are told that all is well, so that they do not join anew for nothing.
 */
import type { Heartbeat } from '../protocol/apis/heartbeat.ts'
import { errorCode, KafkaError } from '../protocol/errors.ts'
import type { Handler } from './context.ts'

export const heartbeat: Handler<typeof Heartbeat> = async (request, context) => {
  const { groupId, generationId, memberId, groupInstanceId } = request
  const message = { kind: 'heartbeat', memberId, instanceId: groupInstanceId, generationId } as const
  try {
    const { error } = await context.groups.ask<'heartbeat'>(groupId, message)
    return { errorCode: errorCode(error) }
  } catch (error) {
    if (error instanceof KafkaError && error.error === 'COORDINATOR_LOAD_IN_PROGRESS') return { errorCode: 0 }
    throw error
  }
}
