/**
 * Fetch sessions (KIP-227): the broker remembers what a client fetches, so that a request names only what changed, and
 * the answer only the partitions of which there is something to tell.
 *
 *   request (id, epoch)   means                                      answer
 *   0, 0                  all partitions; begin a session             all partitions, the id, 0 where there is no room
 *   0, -1                 all partitions; no session                  all partitions, 0
 *   id, 0                 all partitions; begin anew                  as for 0, 0
 *   id, -1                all partitions; end the session             all partitions, 0
 *   id, 1 2 … 2^31-1 1 …  what changed since the epoch before         what is new, the id
 *
 * Memory is bounded by `max.incremental.fetch.session.cache.slots` and by MAX_PARTITIONS in all sessions together. A full
 * cache takes a new session in the place of one that was not used for two minutes; otherwise of a smaller one: a
 * follower's of any consumer's, a consumer's only of one that is two minutes old. So clients that come and go cannot
 * drive out those that stay.
 */
import type { Config } from '../config/config.ts'
import type { Fetch } from '../protocol/apis/fetch.ts'
import { KafkaError } from '../protocol/errors.ts'
import type { RequestOf } from '../protocol/schema.ts'
import type { Partition } from '../replication/partition.ts'
import type { Clock } from '../runtime/clock.ts'

type Request = RequestOf<typeof Fetch>
export type AskedPartition = Request['topics'][number]['partitions'][number]

const NO_SESSION = 0
const FULL = 0
const FULL_WITHOUT_SESSION = -1
const MAX_INT32 = 2 ** 31 - 1
/** Of all sessions together; each takes some 250 bytes. */
const MAX_PARTITIONS = 200_000
/** Sessions younger than this are not driven out by their like, and those unused for longer are by anyone. */
const EVICTION_MS = 120_000

/** A partition that a client fetches, and what it has been told of it. */
export interface FetchTarget {
  /** "" where the client names the topic by its id. */
  readonly topic: string
  readonly topicId: string
  /** What the topic with that id was called when it was first found. */
  knownName: string | undefined
  /** As found by the last fetch; it may lead the partition no more. */
  partition: Partition | undefined
  /** The client's latest word. */
  asked: AskedPartition
  /** As last answered within a session; -1 before, and after an error. */
  toldHighWatermark: number
  toldLogStartOffset: number
}

/** By topic and index, in the order in which they are read. */
type Targets = Map<string, FetchTarget>

/** What an answer says of a partition, as far as a session is concerned. */
export interface ToldPartition {
  readonly errorCode: number
  readonly highWatermark: number
  readonly logStartOffset?: number | undefined
  readonly divergingEpoch?: object | undefined
}

/** One fetch: what it asks for, and what becomes of the session when it is answered. */
export interface FetchRound {
  readonly targets: readonly FetchTarget[]
  /** Whether the answer has to name the partition; then it counts as told. */
  tell(target: FetchTarget, told: ToldPartition, sizeBytes: number): boolean
  /** Called last; gives the session id of the answer. */
  end(): number
  /** Called in place of `tell` and `end` when the answer names no partition, for the client has to ask again later. */
  putOff(): number
}

export interface FetchSessionOptions {
  readonly config: Pick<Config, 'get'>
  readonly clock: Clock
  /** [0, 1) */
  readonly random: () => number
}

interface Session {
  readonly id: number
  readonly isFollower: boolean
  readonly byId: boolean
  readonly createdMs: number
  readonly targets: Targets
  lastUsedMs: number
  /** What the next request has to carry. */
  nextEpoch: number
  /** As counted in the sum over all sessions. */
  partitions: number
}

export class FetchSessions {
  readonly #options: FetchSessionOptions
  /** By id, the one that was used longest ago first. */
  readonly #sessions = new Map<number, Session>()
  #partitions = 0

  constructor(options: FetchSessionOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#sessions.size
  }

  /** Partitions in all sessions. */
  get partitions(): number {
    return this.#partitions
  }

  /**
   * Begins a fetch; `byId` where its version names topics by their ids. Throws FETCH_SESSION_ID_NOT_FOUND,
   * INVALID_FETCH_SESSION_EPOCH, and FETCH_SESSION_TOPIC_ID_ERROR where a session is gone on with in the other way of
   * naming.
   */
  begin(request: Request, client: { readonly byId: boolean; readonly isFollower: boolean }): FetchRound {
    const { sessionId, sessionEpoch } = request
    if (sessionEpoch !== FULL && sessionEpoch !== FULL_WITHOUT_SESSION) {
      return this.#goOn(this.#sessionAt(sessionId, sessionEpoch, client.byId), request)
    }
    this.#remove(sessionId)
    const targets: Targets = new Map()
    for (const topic of request.topics) update(targets, topic)
    if (sessionEpoch === FULL_WITHOUT_SESSION) return withoutSession(targets)
    return {
      targets: [...targets.values()],
      tell: (target, told) => {
        isNews(target, told)
        return true
      },
      end: () => this.#create(targets, client),
      putOff: () => NO_SESSION,
    }
  }

  #sessionAt(id: number, epoch: number, byId: boolean): Session {
    const session = this.#sessions.get(id)
    if (session === undefined) {
      throw new KafkaError('FETCH_SESSION_ID_NOT_FOUND', `there is no fetch session ${id}`)
    }
    if (session.nextEpoch !== epoch) throw wrongEpoch(id, epoch, session.nextEpoch)
    if (session.byId !== byId) {
      throw new KafkaError(
        'FETCH_SESSION_TOPIC_ID_ERROR',
        `the fetch session ${id} was begun with topics by ${session.byId ? 'id' : 'name'}`,
      )
    }
    return session
  }

  #goOn(session: Session, request: Request): FetchRound {
    for (const topic of request.topics) update(session.targets, topic)
    for (const { topic, topicId, partitions } of request.forgottenTopicsData) {
      for (const index of partitions) session.targets.delete(keyOf(topic, topicId, index))
    }
    if (session.targets.size === 0 || !this.#touch(session)) {
      this.#remove(session.id)
      return withoutSession(session.targets)
    }
    const epoch = request.sessionEpoch
    session.nextEpoch = epochAfter(epoch)
    const expected = session.nextEpoch
    const withRecords: FetchTarget[] = []
    return {
      targets: [...session.targets.values()],
      tell: (target, told, sizeBytes) => {
        if (sizeBytes > 0) withRecords.push(target)
        return isNews(target, told) || sizeBytes > 0
      },
      end: () => {
        if (session.nextEpoch !== expected) throw wrongEpoch(session.id, epoch, session.nextEpoch)
        moveToEnd(session.targets, withRecords)
        return session.id
      },
      putOff: () => session.id,
    }
  }

  /** Notes that the session is used, in its present size. False where that is more than there is room for. */
  #touch(session: Session): boolean {
    session.lastUsedMs = this.#options.clock.monotonicMs()
    this.#sessions.delete(session.id)
    this.#sessions.set(session.id, session)
    this.#partitions += session.targets.size - session.partitions
    session.partitions = session.targets.size
    return this.#partitions <= MAX_PARTITIONS
  }

  #remove(id: number): void {
    const session = this.#sessions.get(id)
    if (session === undefined) return
    this.#sessions.delete(id)
    this.#partitions -= session.partitions
  }

  /** The id of a new session, or 0 where there is no room for it. */
  #create(targets: Targets, client: { readonly byId: boolean; readonly isFollower: boolean }): number {
    const { config, clock } = this.#options
    const slots = config.get('max.incremental.fetch.session.cache.slots')
    const { size } = targets
    if (this.#partitions + size > MAX_PARTITIONS || slots === 0) return NO_SESSION
    const nowMs = clock.monotonicMs()
    if (this.#sessions.size >= slots && !this.#evict(client.isFollower, size, nowMs)) return NO_SESSION
    const id = this.#newId()
    const session = {
      id,
      ...client,
      createdMs: nowMs,
      targets,
      lastUsedMs: nowMs,
      nextEpoch: 1,
      partitions: size,
    }
    this.#sessions.set(id, session)
    this.#partitions += size
    return id
  }

  #newId(): number {
    for (;;) {
      const id = 1 + Math.floor(this.#options.random() * (MAX_INT32 - 1))
      if (!this.#sessions.has(id)) return id
    }
  }

  /** Makes room for a session of `size` partitions; false where every other is worth more. */
  #evict(isFollower: boolean, size: number, nowMs: number): boolean {
    const [stalest] = this.#sessions.values()
    if (stalest !== undefined && nowMs - stalest.lastUsedMs > EVICTION_MS) {
      this.#remove(stalest.id)
      return true
    }
    let least: Session | undefined
    for (const session of this.#sessions.values()) {
      const isYoung = nowMs - session.createdMs <= EVICTION_MS
      if (isYoung && !(isFollower && !session.isFollower)) continue
      if (least === undefined || worth(session) < worth(least)) least = session
    }
    if (least === undefined || worth({ isFollower, partitions: size }) < worth(least)) return false
    this.#remove(least.id)
    return true
  }
}

/** Followers before consumers, then the larger: it costs more to name anew. */
function worth({ isFollower, partitions }: Pick<Session, 'isFollower' | 'partitions'>): number {
  return partitions + (isFollower ? MAX_PARTITIONS + 1 : 0)
}

/** The epoch of the next request of a session. */
export function epochAfter(epoch: number): number {
  return epoch === MAX_INT32 ? 1 : epoch + 1
}

function wrongEpoch(id: number, epoch: number, expected: number): KafkaError {
  return new KafkaError(
    'INVALID_FETCH_SESSION_EPOCH',
    `the fetch session ${id} is at epoch ${expected}, the request says ${epoch}`,
  )
}

function withoutSession(targets: Targets): FetchRound {
  return { targets: [...targets.values()], tell: () => true, end: () => NO_SESSION, putOff: () => NO_SESSION }
}

function keyOf(topic: string, topicId: string, index: number): string {
  return `${index} ${topic === '' ? topicId : topic}`
}

/** Takes over what a request says of the partitions of one topic; the last word counts. */
function update(targets: Targets, { topic, topicId, partitions }: Request['topics'][number]): void {
  for (const asked of partitions) {
    const key = keyOf(topic, topicId, asked.partition)
    const target = targets.get(key)
    if (target === undefined) {
      const knownName = topic === '' ? undefined : topic
      targets.set(key, {
        topic,
        topicId,
        knownName,
        partition: undefined,
        asked,
        toldHighWatermark: -1,
        toldLogStartOffset: -1,
      })
    } else {
      target.asked = asked
    }
  }
}

/** Whether the client does not know this of the partition yet; now it counts as told. */
function isNews(target: FetchTarget, told: ToldPartition): boolean {
  const { highWatermark, logStartOffset = -1 } = told
  const isTrouble = told.errorCode !== 0 || told.divergingEpoch !== undefined
  const isNew =
    isTrouble || highWatermark !== target.toldHighWatermark || logStartOffset !== target.toldLogStartOffset
  // When the trouble is over, that is news.
  target.toldHighWatermark = isTrouble ? -1 : highWatermark
  target.toldLogStartOffset = logStartOffset
  return isNew
}

/** Whoever got records waits behind the others, so that the limit of an answer starves nobody. */
function moveToEnd(targets: Targets, served: readonly FetchTarget[]): void {
  for (const target of served) {
    const key = keyOf(target.topic, target.topicId, target.asked.partition)
    if (targets.delete(key)) targets.set(key, target)
  }
}
