/**
 * Who is in a group and what they have agreed on: its members, the leader, the protocol and the generation.
 *
 * Members are in the order in which they came, found by member id, static ones also by instance id. A member either
 * waits for an answer (`joinTicket`, `syncTicket`) or has a session timer running.
 */
import type { ErrorName } from '../../protocol/errors.ts'
import type {
  JoinMessage,
  JoinReply,
  MemberIdentity,
  Protocol,
  StoredGroup,
  SyncReply,
  Ticket,
} from './messages.ts'
import { commonProtocols, selectProtocol } from './protocol-selection.ts'

export interface Member {
  id: string
  readonly instanceId: string | null
  clientId: string
  clientHost: string
  sessionTimeoutMs: number
  rebalanceTimeoutMs: number
  protocols: readonly Protocol[]
  assignment: Buffer
  joinTicket: Ticket | undefined
  syncTicket: Ticket | undefined
  /** It has never been answered, so it may not know its id yet, and cannot send heartbeats. */
  isNew: boolean
}

export const NO_ASSIGNMENT: Buffer = Buffer.alloc(0)

/** A member as it joins for the first time, under the id that it was given. */
export function newMember(id: string, message: JoinMessage): Member {
  return {
    id,
    instanceId: message.instanceId,
    clientId: message.clientId,
    clientHost: message.clientHost,
    sessionTimeoutMs: message.sessionTimeoutMs,
    rebalanceTimeoutMs: message.rebalanceTimeoutMs,
    protocols: message.protocols,
    assignment: NO_ASSIGNMENT,
    joinTicket: message.ticket,
    syncTicket: undefined,
    isNew: true,
  }
}

export class Roster {
  generationId = 0
  /** What the group is for ("consumer"); null until someone has joined. */
  protocolType: string | null = null
  /** The protocol that this generation agreed on; null while there is none. */
  protocolName: string | null = null
  /** Member id; null while there is no member, or nobody has been elected after the leader went. */
  leader: string | null = null
  readonly #byId = new Map<string, Member>()
  readonly #idByInstance = new Map<string, string>()

  get size(): number {
    return this.#byId.size
  }

  get(memberId: string): Member | undefined {
    return this.#byId.get(memberId)
  }

  /** The static member that now goes by this instance id. */
  byInstance(instanceId: string | null): Member | undefined {
    if (instanceId === null) return undefined
    const id = this.#idByInstance.get(instanceId)
    return id === undefined ? undefined : this.#byId.get(id)
  }

  all(): Member[] {
    return [...this.#byId.values()]
  }

  add(member: Member): void {
    this.#byId.set(member.id, member)
    if (member.instanceId !== null) this.#idByInstance.set(member.instanceId, member.id)
    this.leader ??= member.id
  }

  remove(member: Member): void {
    this.#byId.delete(member.id)
    if (member.instanceId !== null) this.#idByInstance.delete(member.instanceId)
    if (member.id === this.leader) this.leader = null
  }

  /** Gives a static member the id of its new process. */
  rename(member: Member, id: string): void {
    const leads = member.id === this.leader
    this.remove(member)
    member.id = id
    this.add(member)
    if (leads) this.leader = id
  }

  /** How long the slowest member may take to join again; 0 without members. */
  maxRebalanceTimeoutMs(): number {
    return this.all().reduce((longest, member) => Math.max(longest, member.rebalanceTimeoutMs), 0)
  }

  waitingToJoin(): Member[] {
    return this.all().filter((member) => member.joinTicket !== undefined)
  }

  /**
   * The member that a request names: a dynamic one by its id, a static one by instance and id, since another process
   * with the same instance id may have taken its place.
   */
  find({ memberId, instanceId }: MemberIdentity): Member | ErrorName {
    if (instanceId === null) return this.#byId.get(memberId) ?? 'UNKNOWN_MEMBER_ID'
    const member = this.byInstance(instanceId)
    if (member === undefined) return 'UNKNOWN_MEMBER_ID'
    return member.id === memberId ? member : 'FENCED_INSTANCE_ID'
  }

  /** Whether whoever offers these protocols can agree with the members on one. */
  agreesWith(protocolType: string, protocols: readonly Protocol[]): boolean {
    if (protocolType === '' || protocols.length === 0) return false
    if (this.size === 0) return true
    const common = commonProtocols(this.#protocols())
    return protocolType === this.protocolType && protocols.some(({ name }) => common.has(name))
  }

  /** The protocol that the members would choose now. */
  preferredProtocol(): string {
    return selectProtocol(this.#protocols())
  }

  #protocols(): (readonly Protocol[])[] {
    return this.all().map((member) => member.protocols)
  }

  /** The leader stays if it has joined, or else the first that has; false when nobody has. */
  electLeader(): boolean {
    const joined = this.waitingToJoin()
    const leader = joined.find((member) => member.id === this.leader) ?? joined[0]
    if (leader === undefined) return false
    this.leader = leader.id
    return true
  }

  /** What a member hears at the end of a rebalance; the leader also who the others are. */
  joined(member: Member): JoinReply {
    return {
      error: 'NONE',
      generationId: this.generationId,
      protocolType: this.protocolType,
      protocolName: this.protocolName,
      leader: this.leader ?? '',
      skipAssignment: false,
      memberId: member.id,
      members: member.id === this.leader ? this.#described() : [],
    }
  }

  #described(): JoinReply['members'] {
    return this.all().map((member) => ({
      memberId: member.id,
      instanceId: member.instanceId,
      metadata: this.#metadataOf(member),
    }))
  }

  #metadataOf(member: Member): Buffer {
    return member.protocols.find(({ name }) => name === this.protocolName)?.metadata ?? NO_ASSIGNMENT
  }

  /** What a member hears once the leader's assignment is stored. */
  synced(member: Member): SyncReply {
    const { protocolType, protocolName } = this
    return { error: 'NONE', protocolType, protocolName, assignment: member.assignment }
  }

  /** The group for the log, at `nowMs` (wall clock). */
  toStored(nowMs: number, assignmentOf: (member: Member) => Buffer): StoredGroup {
    return {
      protocolType: this.protocolType ?? '',
      generation: this.generationId,
      protocol: this.protocolName,
      leader: this.leader,
      currentStateTimestamp: nowMs,
      members: this.all().map((member) => ({
        memberId: member.id,
        groupInstanceId: member.instanceId,
        clientId: member.clientId,
        clientHost: member.clientHost,
        rebalanceTimeout: member.rebalanceTimeoutMs,
        sessionTimeout: member.sessionTimeoutMs,
        subscription: this.#metadataOf(member),
        assignment: assignmentOf(member),
      })),
    }
  }

  static fromStored(stored: StoredGroup): Roster {
    const roster = new Roster()
    roster.generationId = stored.generation
    roster.protocolType = stored.protocolType === '' ? null : stored.protocolType
    roster.protocolName = stored.protocol
    roster.leader = stored.leader
    for (const member of stored.members) {
      roster.add({
        id: member.memberId,
        instanceId: member.groupInstanceId,
        clientId: member.clientId,
        clientHost: member.clientHost,
        sessionTimeoutMs: member.sessionTimeout,
        rebalanceTimeoutMs: member.rebalanceTimeout < 0 ? member.sessionTimeout : member.rebalanceTimeout,
        // Copies, so that a piece of the log that was read does not stay in memory with them.
        protocols: [{ name: stored.protocol ?? '', metadata: Buffer.from(member.subscription) }],
        assignment: Buffer.from(member.assignment),
        joinTicket: undefined,
        syncTicket: undefined,
        isNew: false,
      })
    }
    return roster
  }
}

export function failedJoin(memberId: string, error: ErrorName): JoinReply {
  return {
    error,
    generationId: -1,
    protocolType: null,
    protocolName: null,
    leader: '',
    skipAssignment: false,
    memberId,
    members: [],
  }
}

export function failedSync(error: ErrorName): SyncReply {
  return { error, protocolType: null, protocolName: null, assignment: NO_ASSIGNMENT }
}
