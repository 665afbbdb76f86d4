/** Which requests a group refuses, and with which error: the rules that change nothing. */
import type { ErrorName } from '../../protocol/errors.ts'
import type { CommitMessage, HeartbeatMessage, JoinMessage, SyncMessage } from './messages.ts'
import { sameProtocols } from './protocol-selection.ts'
import type { Member, Roster } from './roster.ts'

export type GroupState = 'Empty' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable' | 'Dead'

export interface GroupSettings {
  /** How long the first rebalance of an empty group waits for more members. */
  readonly initialRebalanceDelayMs: number
  readonly minSessionTimeoutMs: number
  readonly maxSessionTimeoutMs: number
  readonly maxSize: number
  /** Makes the unique part of member ids. */
  readonly newUuid: () => string
}

/** What the rules look at. */
export interface GroupView {
  readonly state: GroupState
  readonly roster: Roster
  readonly settings: GroupSettings
}

export function refuseJoin(
  { state, roster, settings }: GroupView,
  message: JoinMessage,
): ErrorName | undefined {
  const { sessionTimeoutMs, protocolType, protocols } = message
  const { minSessionTimeoutMs, maxSessionTimeoutMs, maxSize } = settings
  if (state === 'Dead') return 'COORDINATOR_NOT_AVAILABLE'
  if (sessionTimeoutMs < minSessionTimeoutMs || sessionTimeoutMs > maxSessionTimeoutMs) {
    return 'INVALID_SESSION_TIMEOUT'
  }
  if (!roster.agreesWith(protocolType, protocols)) return 'INCONSISTENT_GROUP_PROTOCOL'
  return hasRoomFor(message, state, roster, maxSize) ? undefined : 'GROUP_MAX_SIZE_REACHED'
}

/** While a rebalance collects members, places belong to those who have joined it, not to those who were there before. */
function hasRoomFor(message: JoinMessage, state: GroupState, roster: Roster, maxSize: number): boolean {
  const known = roster.get(message.memberId) ?? roster.byInstance(message.instanceId)
  if (state !== 'PreparingRebalance') return known !== undefined || roster.size < maxSize
  return known?.joinTicket !== undefined || roster.waitingToJoin().length < maxSize
}

/** Whether a member that joins again starts a rebalance, or only wants to hear the outcome of the last one again. */
export function changesTheGroup({ state, roster }: GroupView, member: Member, message: JoinMessage): boolean {
  if (state === 'PreparingRebalance') return true
  if (state === 'Stable' && member.id === roster.leader) return true
  return !sameProtocols(member.protocols, message.protocols)
}

/** The member that a request of the present generation comes from, or why it is refused. */
export function memberOfGeneration(
  { state, roster }: GroupView,
  message: SyncMessage | HeartbeatMessage | CommitMessage,
): Member | ErrorName {
  if (state === 'Dead') return 'COORDINATOR_NOT_AVAILABLE'
  const member = roster.find(message)
  if (typeof member === 'string') return member
  return message.generationId === roster.generationId ? member : 'ILLEGAL_GENERATION'
}

/** The member that may wait for its assignment now, or why not. */
export function memberToSync(group: GroupView, message: SyncMessage): Member | ErrorName {
  const { state, roster } = group
  const { protocolType, protocolName } = message
  const member = memberOfGeneration(group, message)
  if (typeof member === 'string') return member
  if (protocolType !== null && protocolType !== roster.protocolType) return 'INCONSISTENT_GROUP_PROTOCOL'
  if (state === 'PreparingRebalance') return 'REBALANCE_IN_PROGRESS'
  if (protocolName !== null && protocolName !== roster.protocolName) return 'INCONSISTENT_GROUP_PROTOCOL'
  return member
}

/**
 * The member that may commit offsets now, or why not. 'NONE': no member, but nobody is in the group either, so an
 * administrator, or a consumer that assigns its partitions itself, may commit.
 */
export function memberToCommit(group: GroupView, message: CommitMessage): Member | ErrorName {
  const { generationId, memberId, instanceId } = message
  if (group.state === 'Empty' && generationId < 0) return 'NONE'
  if (generationId < 0 && memberId === '' && instanceId === null) {
    return group.state === 'Dead' ? 'COORDINATOR_NOT_AVAILABLE' : 'UNKNOWN_MEMBER_ID'
  }
  const member = memberOfGeneration(group, message)
  if (typeof member === 'string') return member
  return group.state === 'CompletingRebalance' ? 'REBALANCE_IN_PROGRESS' : member
}
