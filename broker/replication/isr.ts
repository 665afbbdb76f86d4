/**
 * The rules of the in-sync replica set (ISR), as pure functions over what a leader knows of its followers.
 *
 * - Out: a follower that has not had everything for `replica.lag.time.max.ms`, whose broker is not registered
 *   any more or has registered anew (another life of it, which may have lost what the former had not flushed),
 *   or that came back without records that it had (its offset is below the high watermark).
 * - In: a follower that has reached the high watermark and the start of this leader's epoch, that would not have
 *   to leave again at once, and whose broker is registered under the epoch that it fetches with and is not
 *   shutting down (KIP-841, KIP-903).
 * - The leader is always in.
 *
 * A decision is at rest: the same facts, looked at again with the set that was decided, ask for no other change.
 * Otherwise a leader would change its set back and forth for as long as it looks at it.
 */

/** One follower as its leader sees it, from the fetches that it sends. */
export class Follower {
  readonly id: number
  /**
   * The offset it fetched from last: it has everything before. -1 until its first fetch in this leader epoch.
   */
  endOffset = -1
  /** Where its log begins; -1 until its first fetch. */
  logStartOffset = -1
  /** Epoch of the registration under which it is known: as it said itself in its last fetch. */
  brokerEpoch: number
  #lastCaughtUpMs: number
  #lastFetchMs = Number.NEGATIVE_INFINITY
  #leaderEndAtLastFetch = Number.POSITIVE_INFINITY

  /**
   * A member of the ISR, in the registration of that epoch, is given the whole lag time to show up when a new
   * leader begins; undefined: not a member.
   */
  constructor(id: number, memberEpoch: number | undefined, nowMs: number) {
    this.id = id
    this.brokerEpoch = memberEpoch ?? -1
    this.#lastCaughtUpMs = memberEpoch === undefined ? Number.NEGATIVE_INFINITY : nowMs
  }

  /**
   * It is caught up now when it fetches the leader's end, and was at its last fetch when it fetches that
   * one's end.
   */
  recordFetch(offset: number, brokerEpoch: number, leaderEndOffset: number, nowMs: number): void {
    if (offset >= leaderEndOffset) this.#lastCaughtUpMs = nowMs
    else if (offset >= this.#leaderEndAtLastFetch) {
      this.#lastCaughtUpMs = Math.max(this.#lastCaughtUpMs, this.#lastFetchMs)
    }
    this.endOffset = offset
    this.brokerEpoch = brokerEpoch
    this.#lastFetchMs = nowMs
    this.#leaderEndAtLastFetch = leaderEndOffset
  }

  isCaughtUp(leaderEndOffset: number, nowMs: number, lagMaxMs: number): boolean {
    return this.endOffset === leaderEndOffset || nowMs - this.#lastCaughtUpMs <= lagMaxMs
  }
}

/** What a leader knows when it looks at its ISR. */
export interface IsrView {
  readonly leaderId: number
  /** In the order of the assignment. */
  readonly replicas: readonly number[]
  readonly isr: readonly number[]
  readonly followers: ReadonlyMap<number, Follower>
  readonly highWatermark: number
  readonly leaderEndOffset: number
  readonly epochStartOffset: number
  readonly nowMs: number
  readonly lagMaxMs: number
  readonly brokers: BrokerLiveness
}

/** What the metadata knows about brokers. */
export interface BrokerLiveness {
  /** Epoch of the broker's registration; undefined when it is not registered. */
  epoch(brokerId: number): number | undefined
  shuttingDown(brokerId: number): boolean
}

/** Whether `follower`, which has fetched in this leader epoch, could be a member as far as its broker goes. */
export function isEligible(follower: Follower, brokers: BrokerLiveness): boolean {
  return (
    follower.endOffset !== -1 &&
    brokers.epoch(follower.id) === follower.brokerEpoch &&
    !brokers.shuttingDown(follower.id)
  )
}

function staysInSync(follower: Follower, view: IsrView): boolean {
  const epoch = view.brokers.epoch(follower.id)
  if (epoch === undefined || epoch > follower.brokerEpoch) return false
  if (follower.endOffset !== -1 && follower.endOffset < view.highWatermark) return false
  return follower.isCaughtUp(view.leaderEndOffset, view.nowMs, view.lagMaxMs)
}

function mayJoin(follower: Follower, view: IsrView): boolean {
  return (
    follower.endOffset >= view.highWatermark &&
    follower.endOffset >= view.epochStartOffset &&
    isEligible(follower, view.brokers) &&
    staysInSync(follower, view)
  )
}

/** The ISR as it should be, in the order of the assignment; undefined when it is right as it is. */
export function decideIsr(view: IsrView): readonly number[] | undefined {
  const isMember = new Set(view.isr)
  const next = view.replicas.filter((id) => {
    if (id === view.leaderId) return true
    const follower = view.followers.get(id)
    if (follower === undefined) return isMember.has(id)
    return isMember.has(id) ? staysInSync(follower, view) : mayJoin(follower, view)
  })
  const unchanged = next.length === isMember.size && next.every((id) => isMember.has(id))
  return unchanged ? undefined : next
}

/**
 * The lowest end among the leader, every possible member of the ISR, and whoever is about to join it: waiting
 * for the latter is what lets a follower catch up with a leader that never pauses.
 */
export function lowestInSyncOffset(view: IsrView, maximalIsr: ReadonlySet<number>): number {
  let lowest = view.leaderEndOffset
  for (const follower of view.followers.values()) {
    const counts =
      maximalIsr.has(follower.id) ||
      (isEligible(follower, view.brokers) &&
        follower.isCaughtUp(view.leaderEndOffset, view.nowMs, view.lagMaxMs))
    if (counts) lowest = Math.min(lowest, follower.endOffset)
  }
  return lowest
}
