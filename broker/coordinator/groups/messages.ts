/**
 * What goes into a group's state machine and what comes out.
 *
 * In: a request of a member, a timer that has fired, or the outcome of a store. Out: replies, timers and stores.
 * A reply names the `ticket` of the request that it answers; whoever runs the machine knows who waits for it.
 */
import type { ErrorName } from '../../protocol/errors.ts'
import type { GroupMetadataValue } from '../../protocol/records/group-records.ts'
import type { DecodedMessage } from '../../protocol/schema.ts'

/** Identifies one request until it is answered. */
export type Ticket = number

/** One way to assign partitions that a member understands, with its own data for it (a subscription). */
export interface Protocol {
  readonly name: string
  readonly metadata: Buffer
}

/** Who sends it: `memberId` is "" where a member has none yet, `instanceId` null unless it is static (KIP-345). */
export interface MemberIdentity {
  readonly memberId: string
  readonly instanceId: string | null
}

export interface JoinMessage extends MemberIdentity {
  readonly kind: 'join'
  readonly ticket: Ticket
  readonly clientId: string
  readonly clientHost: string
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  readonly protocolType: string
  readonly protocols: readonly Protocol[]
  /** A dynamic member without an id is sent away with one, and joins when it comes back with it (v4+, KIP-394). */
  readonly needsMemberIdFirst: boolean
  /** The member understands `skipAssignment` (v9+, KIP-814). */
  readonly canSkipAssignment: boolean
}

export interface SyncMessage extends MemberIdentity {
  readonly kind: 'sync'
  readonly ticket: Ticket
  readonly generationId: number
  /** Null in versions that do not say. */
  readonly protocolType: string | null
  readonly protocolName: string | null
  /** From the leader: what each member gets, by member id. */
  readonly assignments: ReadonlyMap<string, Buffer>
}

export interface HeartbeatMessage extends MemberIdentity {
  readonly kind: 'heartbeat'
  readonly ticket: Ticket
  readonly generationId: number
}

export interface LeaveMessage {
  readonly kind: 'leave'
  readonly ticket: Ticket
  readonly members: readonly MemberIdentity[]
}

/** Asks whether this member may commit offsets now; a commit counts as a heartbeat. */
export interface CommitMessage extends MemberIdentity {
  readonly kind: 'commit'
  readonly ticket: Ticket
  /** Negative: no member, but an administrator or a consumer that assigns its partitions itself. */
  readonly generationId: number
}

export interface TimerMessage {
  readonly kind: 'timer'
  readonly timer: string
}

/** The outcome of the store action with this id: NONE once the record can no longer be lost. */
export interface StoredMessage {
  readonly kind: 'stored'
  readonly store: number
  readonly error: ErrorName
}

/** The group has been read from the log: the sessions of its members begin anew. */
export interface ResumeMessage {
  readonly kind: 'resume'
}

/** This broker no longer coordinates the group: whoever waits is sent to look for the new coordinator. */
export interface UnloadMessage {
  readonly kind: 'unload'
}

export type Request = JoinMessage | SyncMessage | HeartbeatMessage | LeaveMessage | CommitMessage
export type Message = Request | TimerMessage | StoredMessage | ResumeMessage | UnloadMessage

export interface JoinReply {
  readonly error: ErrorName
  readonly generationId: number
  readonly protocolType: string | null
  readonly protocolName: string | null
  readonly leader: string
  readonly skipAssignment: boolean
  readonly memberId: string
  /** For the leader only, which assigns partitions to them. */
  readonly members: readonly (MemberIdentity & { readonly metadata: Buffer })[]
}

export interface SyncReply {
  readonly error: ErrorName
  readonly protocolType: string | null
  readonly protocolName: string | null
  readonly assignment: Buffer
}

export interface HeartbeatReply {
  readonly error: ErrorName
}

export interface LeaveReply {
  readonly members: readonly (MemberIdentity & { readonly error: ErrorName })[]
}

/** What each request is answered with. */
export interface Replies {
  join: JoinReply
  sync: SyncReply
  heartbeat: HeartbeatReply
  leave: LeaveReply
  commit: HeartbeatReply
}

/** A group as it is kept in `__consumer_offsets`. */
export type StoredGroup = DecodedMessage<typeof GroupMetadataValue>

export type Action =
  | { readonly kind: 'reply'; readonly ticket: Ticket; readonly reply: Replies[keyof Replies] }
  /** Starts a timer, in the place of one with the same name. */
  | { readonly kind: 'set-timer'; readonly timer: string; readonly delayMs: number }
  | { readonly kind: 'cancel-timer'; readonly timer: string }
  /** Keep this in the log, in the order of the actions; then say so with a `stored` message. */
  | { readonly kind: 'store'; readonly store: number; readonly group: StoredGroup }
