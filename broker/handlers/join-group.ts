/**
 * JoinGroup: enters a group and waits until the rebalance has gathered all members.
 *
 * v1 has its own rebalance timeout. From v4 on a new member is first given its id (KIP-394). v5 adds static members
 * (KIP-345), v7 the protocol type, v9 skipAssignment (KIP-814).
 */
import type { JoinMessage, JoinReply } from '../coordinator/groups/messages.ts'
import type { JoinGroup } from '../protocol/apis/join-group.ts'
import { errorCode } from '../protocol/errors.ts'
import type { RequestOf, ResponseOf } from '../protocol/schema.ts'
import type { Handler, RequestContext } from './context.ts'

const FIRST_VERSION_WITH_MEMBER_ID_FIRST = 4
const FIRST_VERSION_WITH_NULL_PROTOCOL = 7
const FIRST_VERSION_WITH_SKIP_ASSIGNMENT = 9

export const joinGroup: Handler<typeof JoinGroup> = async (request, context) => {
  const message = toMessage(request, context)
  const reply = await context.groups.ask<'join'>(request.groupId, message, context.signal)
  return toResponse(reply, context.apiVersion)
}

function toMessage(
  request: RequestOf<typeof JoinGroup>,
  context: RequestContext,
): Omit<JoinMessage, 'ticket'> {
  const { sessionTimeoutMs, rebalanceTimeoutMs } = request
  const { apiVersion, clientId, clientHost } = context
  return {
    kind: 'join',
    memberId: request.memberId,
    instanceId: request.groupInstanceId,
    clientId,
    // As Apache Kafka writes addresses, and its tools show them.
    clientHost: `/${clientHost}`,
    sessionTimeoutMs,
    rebalanceTimeoutMs: rebalanceTimeoutMs < 0 ? sessionTimeoutMs : rebalanceTimeoutMs,
    protocolType: request.protocolType,
    // Copied, because the group outlives the frame.
    protocols: request.protocols.map(({ name, metadata }) => ({ name, metadata: Buffer.from(metadata) })),
    needsMemberIdFirst: apiVersion >= FIRST_VERSION_WITH_MEMBER_ID_FIRST,
    canSkipAssignment: apiVersion >= FIRST_VERSION_WITH_SKIP_ASSIGNMENT,
  }
}

function toResponse(reply: JoinReply, apiVersion: number): ResponseOf<typeof JoinGroup> {
  const noProtocol = apiVersion >= FIRST_VERSION_WITH_NULL_PROTOCOL ? null : ''
  return {
    ...reply,
    errorCode: errorCode(reply.error),
    protocolName: reply.protocolName ?? noProtocol,
    members: reply.members.map(({ memberId, instanceId, metadata }) => ({
      memberId,
      groupInstanceId: instanceId,
      metadata,
    })),
  }
}
