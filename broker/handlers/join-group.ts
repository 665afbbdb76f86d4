/**
 * JoinGroup: enters a group and waits until the rebalance has gathered all members.
 *
 * v1 has its own rebalance timeout. From v4 on a new member is first given its id (KIP-394). v5 adds static members
 * (KIP-345), v7 the protocol type, v9 skipAssignment (KIP-814).
 */
import type { JoinGroup } from '../protocol/apis/join-group.ts'
import { errorCode } from '../protocol/errors.ts'
import type { Handler } from './context.ts'
import { toKafkaError } from './each-partition.ts'

const FIRST_VERSION_WITH_MEMBER_ID_FIRST = 4
const FIRST_VERSION_WITH_NULL_PROTOCOL = 7
const FIRST_VERSION_WITH_SKIP_ASSIGNMENT = 9

export const joinGroup: Handler<typeof JoinGroup> = async (request, context) => {
  const { groupId, memberId, sessionTimeoutMs, rebalanceTimeoutMs } = request
  const { apiVersion, clientId, clientHost, signal } = context
  const noProtocol = apiVersion >= FIRST_VERSION_WITH_NULL_PROTOCOL ? null : ''
  try {
    const reply = await context.groups.ask<'join'>(
      groupId,
      {
        kind: 'join',
        memberId,
        instanceId: request.groupInstanceId,
        clientId,
        clientHost,
        sessionTimeoutMs,
        rebalanceTimeoutMs: rebalanceTimeoutMs < 0 ? sessionTimeoutMs : rebalanceTimeoutMs,
        protocolType: request.protocolType,
        protocols: request.protocols.map(({ name, metadata }) => ({ name, metadata: Buffer.from(metadata) })),
        needsMemberIdFirst: apiVersion >= FIRST_VERSION_WITH_MEMBER_ID_FIRST,
        canSkipAssignment: apiVersion >= FIRST_VERSION_WITH_SKIP_ASSIGNMENT,
      },
      signal,
    )
    return {
      ...reply,
      errorCode: errorCode(reply.error),
      protocolName: reply.protocolName ?? noProtocol,
      members: reply.members.map(({ memberId: id, instanceId, metadata }) => ({
        memberId: id,
        groupInstanceId: instanceId,
        metadata,
      })),
    }
  } catch (error) {
    const { code } = toKafkaError(error, context.logger, { group: groupId })
    return { errorCode: code, protocolName: noProtocol, leader: '', memberId, members: [] }
  }
}
