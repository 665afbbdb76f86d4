/**
 * The state machine of a classic group: messages and time in, actions out, no I/O.
 *
 *            first join                    all joined, or time is up
 *   Empty ───────────────> PreparingRebalance ───────────────────────> CompletingRebalance
 *     ^                     │      ^       ^                              │           │
 *     │   nobody is left    │      │       └── join, leave, expiry ───────┘           │ the leader's assignment
 *     └─────────────────────┘      │                                                  v is stored
 *                                  └────── join, leave, expiry, new metadata ─────  Stable
 *
 * and Dead from anywhere, once another broker coordinates the group. A generation is one agreement on members and
 * assignment; it begins when PreparingRebalance ends. Rules: KIP-345 (static members), KIP-394 (member ids first),
 * KIP-134 (initial delay), KIP-559 (protocol in answers), KIP-814 (static leaders skip the assignment).
 */
import type { ErrorName } from '../../protocol/errors.ts'
import {
  changesTheGroup,
  type GroupSettings,
  type GroupState,
  type GroupView,
  memberOfGeneration,
  memberToCommit,
  memberToSync,
  refuseJoin,
} from './admission.ts'
import type {
  Action,
  CommitMessage,
  HeartbeatMessage,
  JoinMessage,
  JoinReply,
  LeaveMessage,
  MemberIdentity,
  Message,
  StoredGroup,
  SyncMessage,
  SyncReply,
} from './messages.ts'
import { Outbox } from './outbox.ts'
import { failedJoin, failedSync, type Member, newMember, NO_ASSIGNMENT, Roster } from './roster.ts'

/** A member that has not been answered yet cannot send heartbeats; so long may its first rebalance take. */
const NEW_MEMBER_TIMEOUT_MS = 5 * 60_000
const REBALANCE_TIMER = 'rebalance'
const SYNC_TIMER = 'sync'
const SESSION_TIMER = 'session/'

export class ClassicGroup {
  readonly id: string
  readonly #settings: GroupSettings
  #state: GroupState = 'Empty'
  readonly #roster: Roster
  /** Ids that were handed out and have not come back yet. */
  readonly #promisedIds = new Set<string>()
  /** Members of this generation that have not asked for their assignment yet. */
  readonly #unsynced = new Set<string>()
  /** While the first rebalance of an empty group collects members: time left to extend it, and whether to. */
  #initial: { remainingMs: number; grew: boolean } | undefined
  /** The generation whose assignment is being stored. */
  #storingGeneration = -1
  #nowMs = 0
  readonly #out = new Outbox()

  constructor(id: string, settings: GroupSettings, roster = new Roster()) {
    this.id = id
    this.#settings = settings
    this.#roster = roster
    if (roster.size > 0) this.#state = 'Stable'
  }

  /** A group as the log has it, under a new coordinator: members and generation go on. */
  static restore(id: string, settings: GroupSettings, stored: StoredGroup): ClassicGroup {
    return new ClassicGroup(id, settings, Roster.fromStored(stored))
  }

  get state(): GroupState {
    return this.#state
  }

  get #view(): GroupView {
    return { state: this.#state, roster: this.#roster, settings: this.#settings }
  }

  get generationId(): number {
    return this.#roster.generationId
  }

  get memberCount(): number {
    return this.#roster.size
  }

  /** True when nothing would be lost by forgetting the group: it has never had a generation, and nobody is coming. */
  get isBlank(): boolean {
    return (
      this.#state === 'Empty' &&
      this.#roster.generationId === 0 &&
      this.#promisedIds.size === 0 &&
      !this.#out.hasStores
    )
  }

  /** The next state for one message at `nowMs` (wall clock); the actions are to be carried out in order. */
  step(message: Message, nowMs: number): readonly Action[] {
    this.#nowMs = nowMs
    this.#receive(message)
    return this.#out.take()
  }

  #receive(message: Message): void {
    switch (message.kind) {
      case 'join':
        return this.#join(message)
      case 'sync':
        return this.#sync(message)
      case 'heartbeat':
        return this.#out.reply(message.ticket, { error: this.#heartbeat(message) })
      case 'leave':
        return this.#leave(message)
      case 'commit':
        return this.#out.reply(message.ticket, { error: this.#commit(message) })
      case 'timer':
        return this.#expire(message.timer)
      case 'stored':
        return this.#out.finishStore(message.store, message.error)
      case 'resume':
        return this.#resume()
      case 'unload':
        return this.#unload()
    }
  }

  // Joining

  #join(message: JoinMessage): void {
    const refusal = refuseJoin(this.#view, message)
    if (refusal !== undefined) this.#refuse(message, refusal)
    else if (message.memberId === '') this.#joinWithoutId(message)
    else this.#joinWithId(message)
  }

  #refuse(message: JoinMessage, error: ErrorName): void {
    this.#out.reply(
      message.ticket,
      failedJoin(error === 'GROUP_MAX_SIZE_REACHED' ? '' : message.memberId, error),
    )
    const member = this.#roster.get(message.memberId)
    if (error !== 'GROUP_MAX_SIZE_REACHED' || member === undefined) return
    this.#remove(member)
    this.#rebalanceOrComplete()
  }

  #joinWithoutId(message: JoinMessage): void {
    const { instanceId, clientId } = message
    const id = `${instanceId ?? clientId}-${this.#settings.newUuid()}`
    const predecessor = this.#roster.byInstance(instanceId)
    if (predecessor !== undefined) return this.#replaceStatic(predecessor, id, message)
    if (instanceId !== null || !message.needsMemberIdFirst) return this.#admit(id, message)
    this.#promisedIds.add(id)
    this.#out.setTimer(SESSION_TIMER + id, message.sessionTimeoutMs)
    this.#out.reply(message.ticket, failedJoin(id, 'MEMBER_ID_REQUIRED'))
  }

  #joinWithId(message: JoinMessage): void {
    if (message.instanceId === null && this.#promisedIds.delete(message.memberId)) {
      return this.#admit(message.memberId, message)
    }
    const member = this.#roster.find(message)
    if (typeof member === 'string') return this.#refuse(message, member)
    if (!changesTheGroup(this.#view, member, message)) {
      this.#touch(member)
      return this.#out.reply(message.ticket, this.#roster.joined(member))
    }
    this.#update(member, message)
    this.#rebalanceOrComplete()
  }

  #admit(id: string, message: JoinMessage): void {
    if (this.#initial !== undefined) this.#initial.grew = true
    if (this.#roster.size === 0) this.#roster.protocolType = message.protocolType
    const member = newMember(id, message)
    this.#roster.add(member)
    this.#out.setTimer(SESSION_TIMER + id, NEW_MEMBER_TIMEOUT_MS)
    this.#rebalanceOrComplete()
  }

  #update(member: Member, message: JoinMessage): void {
    if (member.joinTicket !== undefined) {
      this.#out.reply(member.joinTicket, failedJoin(member.id, 'REBALANCE_IN_PROGRESS'))
    }
    member.joinTicket = message.ticket
    member.protocols = message.protocols
    member.sessionTimeoutMs = message.sessionTimeoutMs
    member.rebalanceTimeoutMs = message.rebalanceTimeoutMs
    member.clientId = message.clientId
    member.clientHost = message.clientHost
  }

  /** A new process takes over the place of a static member; while the group is stable nobody else notices. */
  #replaceStatic(member: Member, id: string, message: JoinMessage): void {
    const before = { ...member }
    const leaderBefore = this.#roster.leader
    this.#dismiss(member, 'FENCED_INSTANCE_ID')
    this.#rename(member, id)
    this.#update(member, message)
    this.#touch(member)
    if (this.#state === 'Stable' && this.#roster.preferredProtocol() === this.#roster.protocolName) {
      const group = this.#roster.toStored(this.#nowMs, (each) => each.assignment)
      this.#out.store(group, (error) => this.#finishReplacement(member, before, leaderBefore, message, error))
    } else {
      this.#rebalanceOrComplete()
    }
  }

  #finishReplacement(
    member: Member,
    before: Member,
    leaderBefore: string | null,
    message: JoinMessage,
    error: ErrorName,
  ): void {
    // If a rebalance has begun meanwhile, this join is part of it.
    if (this.#state !== 'Stable' || member.joinTicket !== message.ticket) return
    member.joinTicket = undefined
    if (error !== 'NONE') {
      this.#rename(member, before.id)
      Object.assign(member, before, { joinTicket: undefined, syncTicket: undefined })
      this.#out.reply(message.ticket, failedJoin('', error))
    } else {
      member.isNew = false
      this.#out.reply(message.ticket, this.#rejoined(member, message, leaderBefore))
    }
    this.#touch(member)
  }

  /**
   * A static leader that comes back must not assign again, or the group would move. v9 says so; before that, it is
   * told that the leader is its former self.
   */
  #rejoined(member: Member, message: JoinMessage, leaderBefore: string | null): JoinReply {
    const reply = this.#roster.joined(member)
    if (message.canSkipAssignment) return { ...reply, skipAssignment: member.id === this.#roster.leader }
    return { ...reply, leader: leaderBefore ?? '', members: [] }
  }

  // Rebalancing

  #rebalanceOrComplete(): void {
    if (this.#state === 'PreparingRebalance') this.#completeIfAllJoined()
    else this.#prepareRebalance()
  }

  #prepareRebalance(): void {
    if (this.#state === 'CompletingRebalance') this.#failSyncs('REBALANCE_IN_PROGRESS')
    this.#out.cancelTimer(SYNC_TIMER)
    const wasEmpty = this.#state === 'Empty'
    this.#state = 'PreparingRebalance'
    const timeoutMs = this.#roster.maxRebalanceTimeoutMs()
    if (wasEmpty) {
      const delayMs = this.#settings.initialRebalanceDelayMs
      this.#initial = { remainingMs: Math.max(timeoutMs - delayMs, 0), grew: false }
      this.#out.setTimer(REBALANCE_TIMER, delayMs)
    } else if (!this.#completeIfAllJoined()) {
      this.#out.setTimer(REBALANCE_TIMER, timeoutMs)
    }
  }

  /** The first rebalance of a group does not end early: more members are likely to come. */
  #completeIfAllJoined(): boolean {
    if (this.#state !== 'PreparingRebalance') return false
    const missing = this.#roster.size - this.#roster.waitingToJoin().length + this.#promisedIds.size
    if (this.#initial !== undefined || missing > 0) return false
    this.#completeJoin()
    return true
  }

  #rebalanceTimeIsUp(): void {
    if (this.#state !== 'PreparingRebalance') return
    const initial = this.#initial
    if (initial === undefined || !initial.grew || initial.remainingMs === 0) return this.#completeJoin()
    const delayMs = Math.min(this.#settings.initialRebalanceDelayMs, initial.remainingMs)
    this.#initial = { remainingMs: initial.remainingMs - delayMs, grew: false }
    this.#out.setTimer(REBALANCE_TIMER, delayMs)
  }

  /** Ends PreparingRebalance: who has not joined is out, except static members, which have their session to come back. */
  #completeJoin(): void {
    this.#out.cancelTimer(REBALANCE_TIMER)
    for (const member of this.#roster.all()) {
      if (member.joinTicket === undefined && member.instanceId === null) this.#remove(member)
    }
    if (this.#roster.size > 0 && !this.#roster.electLeader()) {
      return this.#out.setTimer(REBALANCE_TIMER, this.#roster.maxRebalanceTimeoutMs())
    }
    this.#initial = undefined
    this.#roster.generationId += 1
    this.#unsynced.clear()
    if (this.#roster.size === 0) this.#becomeEmpty()
    else this.#beginGeneration()
  }

  #becomeEmpty(): void {
    this.#state = 'Empty'
    this.#roster.protocolName = null
    // Nobody waits for this; if it is lost, the next coordinator finds members whose sessions then expire.
    this.#out.store(
      this.#roster.toStored(this.#nowMs, () => NO_ASSIGNMENT),
      () => {},
    )
  }

  #beginGeneration(): void {
    this.#state = 'CompletingRebalance'
    this.#roster.protocolName = this.#roster.preferredProtocol()
    for (const member of this.#roster.waitingToJoin()) {
      const ticket = member.joinTicket!
      member.joinTicket = undefined
      member.isNew = false
      this.#unsynced.add(member.id)
      this.#touch(member)
      this.#out.reply(ticket, this.#roster.joined(member))
    }
    this.#out.setTimer(SYNC_TIMER, this.#roster.maxRebalanceTimeoutMs())
  }

  #syncTimeIsUp(): void {
    if (this.#unsynced.size === 0) return
    for (const id of this.#unsynced) this.#remove(this.#roster.get(id)!)
    this.#prepareRebalance()
  }

  // Synchronizing

  #sync(message: SyncMessage): void {
    const member = memberToSync(this.#view, message)
    if (typeof member === 'string') return this.#out.reply(message.ticket, failedSync(member))
    this.#markSynced(member)
    if (this.#state === 'Stable') {
      this.#touch(member)
      return this.#out.reply(message.ticket, this.#roster.synced(member))
    }
    if (member.syncTicket !== undefined) {
      this.#out.reply(member.syncTicket, failedSync('REBALANCE_IN_PROGRESS'))
    }
    member.syncTicket = message.ticket
    if (member.id === this.#roster.leader) this.#storeAssignment(message.assignments)
  }

  #markSynced(member: Member): void {
    if (this.#unsynced.delete(member.id) && this.#unsynced.size === 0) this.#out.cancelTimer(SYNC_TIMER)
  }

  #storeAssignment(assignments: ReadonlyMap<string, Buffer>): void {
    const generationId = this.#roster.generationId
    if (this.#storingGeneration === generationId) return
    this.#storingGeneration = generationId
    const group = this.#roster.toStored(this.#nowMs, (member) => assignments.get(member.id) ?? NO_ASSIGNMENT)
    this.#out.store(group, (error) => {
      // Another rebalance may have begun while the record was on its way.
      if (this.#state !== 'CompletingRebalance' || this.#roster.generationId !== generationId) return
      if (error === 'NONE') return this.#handOut(assignments)
      this.#failSyncs(error)
      this.#prepareRebalance()
    })
  }

  #handOut(assignments: ReadonlyMap<string, Buffer>): void {
    this.#state = 'Stable'
    for (const member of this.#roster.all()) {
      member.assignment = assignments.get(member.id) ?? NO_ASSIGNMENT
      this.#answerSync(member, this.#roster.synced(member))
    }
  }

  #failSyncs(error: ErrorName): void {
    for (const member of this.#roster.all()) {
      member.assignment = NO_ASSIGNMENT
      this.#answerSync(member, failedSync(error))
    }
  }

  #answerSync(member: Member, reply: SyncReply): void {
    const ticket = member.syncTicket
    if (ticket === undefined) return
    member.syncTicket = undefined
    this.#touch(member)
    this.#out.reply(ticket, reply)
  }

  // Staying and leaving

  #heartbeat(message: HeartbeatMessage): ErrorName {
    const member = memberOfGeneration(this.#view, message)
    if (typeof member === 'string') return member
    this.#touch(member)
    return this.#state === 'PreparingRebalance' ? 'REBALANCE_IN_PROGRESS' : 'NONE'
  }

  #leave(message: LeaveMessage): void {
    const sizeBefore = this.#roster.size
    const members = message.members.map((identity) => ({ ...identity, error: this.#letGo(identity) }))
    this.#out.reply(message.ticket, { members })
    if (this.#roster.size < sizeBefore) this.#rebalanceOrComplete()
    else this.#completeIfAllJoined()
  }

  #letGo(identity: MemberIdentity): ErrorName {
    const { memberId, instanceId } = identity
    if (this.#state === 'Dead') return 'COORDINATOR_NOT_AVAILABLE'
    if (instanceId === null && this.#promisedIds.delete(memberId)) {
      this.#out.cancelTimer(SESSION_TIMER + memberId)
      return 'NONE'
    }
    // An administrator names a static member by its instance alone.
    const byInstance = memberId === '' ? this.#roster.byInstance(instanceId) : undefined
    const member = byInstance ?? this.#roster.find(identity)
    if (typeof member === 'string') return member
    this.#remove(member)
    return 'NONE'
  }

  #commit(message: CommitMessage): ErrorName {
    const member = memberToCommit(this.#view, message)
    if (typeof member === 'string') return member
    this.#touch(member)
    return 'NONE'
  }

  #expire(timer: string): void {
    if (timer === REBALANCE_TIMER) return this.#rebalanceTimeIsUp()
    if (timer === SYNC_TIMER) return this.#syncTimeIsUp()
    const id = timer.slice(SESSION_TIMER.length)
    const member = this.#roster.get(id)
    if (this.#promisedIds.delete(id)) this.#completeIfAllJoined()
    if (member === undefined) return
    const waits = member.joinTicket !== undefined || member.syncTicket !== undefined
    if (waits && !member.isNew) return
    this.#remove(member)
    this.#rebalanceOrComplete()
  }

  #resume(): void {
    for (const member of this.#roster.all()) this.#touch(member)
    if (this.#roster.size > this.#settings.maxSize) this.#prepareRebalance()
  }

  #unload(): void {
    for (const member of this.#roster.all()) this.#dismiss(member, 'NOT_COORDINATOR')
    this.#state = 'Dead'
  }

  // Members

  #remove(member: Member): void {
    this.#dismiss(member, 'UNKNOWN_MEMBER_ID')
    this.#roster.remove(member)
    this.#markSynced(member)
    this.#out.cancelTimer(SESSION_TIMER + member.id)
  }

  #rename(member: Member, id: string): void {
    this.#out.cancelTimer(SESSION_TIMER + member.id)
    if (this.#unsynced.delete(member.id)) this.#unsynced.add(id)
    this.#roster.rename(member, id)
  }

  /** Answers whatever a member waits for with an error. */
  #dismiss(member: Member, error: ErrorName): void {
    const { joinTicket, syncTicket } = member
    member.joinTicket = undefined
    member.syncTicket = undefined
    if (joinTicket !== undefined) this.#out.reply(joinTicket, failedJoin(member.id, error))
    if (syncTicket !== undefined) this.#out.reply(syncTicket, failedSync(error))
  }

  /** The member is alive: its session begins anew. */
  #touch(member: Member): void {
    this.#out.setTimer(SESSION_TIMER + member.id, member.sessionTimeoutMs)
  }
}
