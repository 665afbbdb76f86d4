/**
 * One partition on one broker: its log, its role, and the high watermark.
 *
 * Invariants
 * - As leader of an epoch, records are appended under that epoch only; as follower only what the leader of
 *   the present epoch sent. A change of role waits for the write under way, so that no epoch begins inside
 *   another's.
 * - The high watermark never goes back on a leader. It is the lowest end of the log among the ISR, counting
 *   every replica that may be in it: a change to the ISR that is under way, or whose outcome is unknown,
 *   counts both ways. It stands still while the ISR has fewer members than min.insync.replicas.
 * - acks=all is answered when the high watermark has passed the records, so it never depends on the metadata
 *   quorum: while that is silent the ISR just stays as it is.
 */
import type { TopicConfig } from '../config/config.ts'
import type { PartitionImage } from '../metadata/image.ts'
import { KafkaError } from '../protocol/errors.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/logger.ts'
import { Pending } from '../runtime/pending.ts'
import type { AppendInfo } from '../storage/append-info.ts'
import type { PartitionLog } from '../storage/partition-log.ts'
import { type FetchingReplica, Leadership, type PartitionMetadata } from './leadership.ts'
import {
  checkPosition,
  type FetchedRecords,
  type PartitionFetch,
  readableEnd,
  readLog,
} from './partition-read.ts'
import { deletionEnd } from './record-deletion.ts'
import { OffsetWaiters } from './waiters.ts'

export type Role = 'leader' | 'follower' | 'none'

export interface PartitionOptions {
  readonly brokerId: number
  readonly log: PartitionLog
  /** As last checkpointed; 0 when unknown. */
  readonly highWatermark: number
  readonly topicConfig: TopicConfig
  /** `replica.lag.time.max.ms` */
  readonly lagMaxMs: number
  readonly metadata: PartitionMetadata
  readonly clock: Clock
  readonly logger: Logger
}

export interface AppendOptions {
  readonly acks: -1 | 0 | 1
  readonly timeoutMs: number
  readonly origin?: 'client' | 'coordinator'
}

/** One that watches many partitions is told which of them it is. */
export type ProgressListener = (partition: Partition) => void

export class Partition {
  readonly topic: string
  readonly index: number
  readonly topicId: string
  topicConfig: TopicConfig
  #log: PartitionLog
  readonly #options: PartitionOptions
  readonly #logger: Logger
  readonly #acks: OffsetWaiters
  readonly #listeners = new Set<ProgressListener>()
  #role: Role = 'none'
  #state: PartitionImage | undefined
  /** There while this broker leads the partition. */
  #leadership: Leadership | undefined
  /** Those that were handed to the log. */
  readonly #writes = new Pending()
  /** Settles when a take-over of leadership, or of the log by its copy, is done; appends wait for it. */
  #takeOver: Promise<void> | undefined

  constructor(options: PartitionOptions) {
    this.#log = options.log
    this.topic = options.log.topic
    this.index = options.log.partition
    this.topicId = options.log.topicId
    this.topicConfig = options.topicConfig
    this.#options = options
    this.#logger = options.logger.child({ topic: this.topic, partition: this.index })
    this.#acks = new OffsetWaiters(options.clock)
    this.log.updateHighWatermark(Math.min(options.highWatermark, options.log.logEndOffset))
  }

  /** The present one: it is another after a move between log directories. */
  get log(): PartitionLog {
    return this.#log
  }

  get role(): Role {
    return this.#role
  }

  get isLeader(): boolean {
    return this.#leadership !== undefined
  }

  /** -1 before the first state. */
  get leaderEpoch(): number {
    return this.#state?.leaderEpoch ?? -1
  }

  /**
   * Holds the leader epoch that an asker knows (below 0: it does not say) against the present one. Throws
   * FENCED_LEADER_EPOCH or UNKNOWN_LEADER_EPOCH.
   */
  checkEpoch(currentLeaderEpoch: number): void {
    if (currentLeaderEpoch < 0 || currentLeaderEpoch === this.leaderEpoch) return
    throw new KafkaError(
      currentLeaderEpoch < this.leaderEpoch ? 'FENCED_LEADER_EPOCH' : 'UNKNOWN_LEADER_EPOCH',
      `${this.topic}-${this.index} is led in epoch ${this.leaderEpoch} here, the request says ${currentLeaderEpoch}`,
    )
  }

  /** The state that was applied last. */
  get state(): PartitionImage | undefined {
    return this.#state
  }

  /** Offset up to which every in-sync replica has the log: what consumers may read. */
  get highWatermark(): number {
    return this.log.highWatermark
  }

  /** What read_committed consumers may read: the high watermark, or an earlier transaction that is undecided. */
  get lastStableOffset(): number {
    return this.log.lastStableOffset
  }

  /**
   * False on a new leader until it knows that what its predecessors acknowledged is below the high watermark.
   */
  get highWatermarkIsCurrent(): boolean {
    return this.highWatermark >= (this.#leadership?.epochStartOffset ?? 0)
  }

  /** The smaller of min.insync.replicas and the number of replicas. */
  get #minInSyncReplicas(): number {
    return Math.min(this.topicConfig.get('min.insync.replicas'), this.#state?.replicas.length ?? 1)
  }

  /** Calls `listener` when the log or the high watermark has grown or the role has changed. */
  subscribe(listener: ProgressListener): void {
    this.#listeners.add(listener)
  }

  unsubscribe(listener: ProgressListener): void {
    this.#listeners.delete(listener)
  }

  #notify(): void {
    for (const listener of this.#listeners) listener(this)
  }

  /** Takes over what the quorum has decided. One call at a time. */
  async apply(state: PartitionImage): Promise<void> {
    const isSameEpoch = this.#state?.leaderEpoch === state.leaderEpoch
    this.#state = state
    if (state.leader !== this.#options.brokerId) return this.#follow(state)
    if (isSameEpoch && this.#leadership !== undefined) return this.#stateChanged(this.#leadership, state)
    this.#takeOver = this.#lead(state)
    try {
      await this.#takeOver
    } finally {
      this.#takeOver = undefined
    }
  }

  /**
   * Replaces the log by what `finish` resolves to, a log with the same records; what is written waits meanwhile, reads
   * go on. Rejects as `finish` does, and the log stays. No role may change meanwhile.
   */
  async replaceLog(finish: () => Promise<PartitionLog>): Promise<void> {
    const replaced = this.#writes.settled().then(async () => {
      const log = await finish()
      const former = this.#log
      log.updateConfig(this.topicConfig)
      if (former.latestEpoch > log.latestEpoch) log.assignEpoch(former.latestEpoch, log.logEndOffset)
      if (former.logStartOffset > log.logStartOffset) await log.raiseLogStartOffset(former.logStartOffset)
      log.updateHighWatermark(former.highWatermark)
      this.#log = log
    })
    this.#takeOver = replaced.catch(() => {})
    try {
      await replaced
    } finally {
      this.#takeOver = undefined
    }
  }

  /** Ends what the partition does here: its replica has moved, its topic is gone or the broker stops. */
  async close(): Promise<void> {
    this.#stepDown('none')
    await this.#writes.settled()
  }

  /** From here on nothing is appended under the epoch that ends but the write under way. */
  #stepDown(role: Role): void {
    this.#role = role
    this.#endLeadership()
    this.#acks.fail(() =>
      this.#notLeader('its leadership moved before every in-sync replica had the records'),
    )
    this.#notify()
  }

  #endLeadership(): void {
    this.#leadership?.end()
    this.#leadership = undefined
  }

  async #lead(state: PartitionImage): Promise<void> {
    // A leader that goes on in a new epoch keeps its waiters: what they wait for stays in its log.
    this.#role = 'none'
    this.#endLeadership()
    await this.#writes.settled()
    this.log.assignEpoch(state.leaderEpoch, this.log.logEndOffset)
    this.#leadership = new Leadership(state, { ...this.#options, log: () => this.#log, logger: this.#logger })
    this.#role = 'leader'
    const { leaderEpoch, isr } = state
    this.#logger.info(
      { leaderEpoch, isr, logEndOffset: this.log.logEndOffset, highWatermark: this.highWatermark },
      'leads the partition',
    )
    this.#advanceHighWatermark()
    this.#notify()
  }

  async #follow({ leader, leaderEpoch }: PartitionImage): Promise<void> {
    if (this.isLeader) this.#logger.info({ leader, leaderEpoch }, 'leads the partition no more')
    this.#stepDown('follower')
    await this.#writes.settled()
  }

  #stateChanged(leadership: Leadership, state: PartitionImage): void {
    leadership.stateChanged(state)
    if (this.isUnderMinIsr) {
      this.#acks.fail(
        () =>
          new KafkaError('NOT_ENOUGH_REPLICAS_AFTER_APPEND', this.#describeIsr('the records are kept, but')),
      )
    }
    this.#advanceHighWatermark()
    this.reviewIsr()
  }

  #notLeader(detail: string): KafkaError {
    return new KafkaError('NOT_LEADER_OR_FOLLOWER', `${this.topic}-${this.index}: ${detail}`)
  }

  /** Whether fewer replicas are in sync than acks=all needs. */
  get isUnderMinIsr(): boolean {
    return (this.#state?.isr.length ?? 0) < this.#minInSyncReplicas
  }

  #describeIsr(prefix: string): string {
    const isr = this.#state?.isr.join(', ') ?? ''
    return `${this.topic}-${this.index}: ${prefix} only brokers [${isr}] are in sync, min.insync.replicas asks for ${this.#minInSyncReplicas}`
  }

  /**
   * Appends one batch as leader. Resolves when it is acknowledged as `acks` asks: 0 and 1 by this log, -1 by
   * the whole ISR. Throws what the log throws, and NOT_LEADER_OR_FOLLOWER, NOT_ENOUGH_REPLICAS,
   * NOT_ENOUGH_REPLICAS_AFTER_APPEND or REQUEST_TIMED_OUT; after the last two the records are in the log and
   * may yet be committed. The batch is handed to the log before this returns, but for a take-over under way.
   */
  async append(records: Buffer, options: AppendOptions): Promise<AppendInfo> {
    if (this.#takeOver !== undefined) await this.#takenOver()
    if (!this.isLeader) throw this.#notLeader(`broker ${this.#options.brokerId} does not lead it`)
    if (options.acks === -1 && this.isUnderMinIsr) {
      throw new KafkaError('NOT_ENOUGH_REPLICAS', this.#describeIsr('nothing was appended:'))
    }
    const origin = options.origin === undefined ? {} : { origin: options.origin }
    const info = await this.#writes.track(this.log.appendAsLeader(records, this.leaderEpoch, origin))
    if (this.#takeOver !== undefined) await this.#takenOver()
    this.#advanceHighWatermark()
    this.#notify()
    if (options.acks === -1) await this.#replicated(info.lastOffset + 1, options.timeoutMs)
    return info
  }

  async #takenOver(): Promise<void> {
    while (this.#takeOver !== undefined) await this.#takeOver
  }

  async #replicated(endOffset: number, timeoutMs: number): Promise<void> {
    if (!this.isLeader) throw this.#notLeader('the leadership moved while the records were appended')
    if (this.highWatermark < endOffset) {
      await this.#acks.wait(
        endOffset,
        timeoutMs,
        () =>
          new KafkaError(
            'REQUEST_TIMED_OUT',
            `${this.topic}-${this.index}: after ${timeoutMs} ms the in-sync replicas [${this.#state?.isr.join(', ')}] do not all have the records up to offset ${endOffset - 1}`,
          ),
      )
    }
    if (this.isUnderMinIsr) {
      throw new KafkaError('NOT_ENOUGH_REPLICAS_AFTER_APPEND', this.#describeIsr('the records are kept, but'))
    }
  }

  /**
   * Drops the records before `offset` (-1: before the high watermark). Resolves to the low watermark when every live
   * replica has dropped them. Throws OFFSET_OUT_OF_RANGE and POLICY_VIOLATION before anything is dropped, and
   * NOT_LEADER_OR_FOLLOWER or REQUEST_TIMED_OUT also when this replica has dropped them and others may not have.
   */
  async deleteRecords(offset: number, timeoutMs: number): Promise<number> {
    if (this.#takeOver !== undefined) await this.#takenOver()
    const leadership = this.#leadership
    if (leadership === undefined) throw this.#notLeader(`broker ${this.#options.brokerId} does not lead it`)
    const end = deletionEnd(this, offset)
    await this.#writes.track(this.log.raiseLogStartOffset(end))
    return leadership.reachLowWatermark(end, timeoutMs)
  }

  /** Where a reader finds nothing more: the end for a follower, the high watermark or less for a consumer. */
  readableEnd(replica: FetchingReplica | undefined, readCommitted = false): number {
    return readableEnd(this.log, replica !== undefined, readCommitted)
  }

  /**
   * Reads whole batches from `offset` on. A follower's offset is taken as its progress: it has everything
   * before it. Throws OFFSET_OUT_OF_RANGE, and NOT_LEADER_OR_FOLLOWER to a replica that is not one of this
   * partition's.
   */
  fetch(request: PartitionFetch): FetchedRecords {
    const divergingEpoch = checkPosition(this.log, request)
    if (divergingEpoch === undefined && request.replica !== undefined)
      this.#recordFetch(request.replica, request)
    return readLog(this.log, request, divergingEpoch)
  }

  #recordFetch(replica: FetchingReplica, { offset, logStartOffset = -1 }: PartitionFetch): void {
    const leadership = this.#leadership
    if (leadership === undefined) throw this.#notLeader(`broker ${this.#options.brokerId} does not lead it`)
    if (!leadership.recordFetch(replica, offset, logStartOffset)) {
      throw this.#notLeader(`broker ${replica.id} is not one of its replicas`)
    }
    this.#advanceHighWatermark()
    if (leadership.concernsIsr(replica.id, offset, this.highWatermark)) this.reviewIsr()
  }

  /**
   * Appends what the leader of `leaderEpoch` sent; false, and nothing is done, when that is not the present
   * leader.
   */
  async appendFromLeader(records: Buffer, leaderEpoch: number): Promise<boolean> {
    if (this.#takeOver !== undefined) await this.#takenOver()
    if (!this.#isFollowerIn(leaderEpoch)) return false
    await this.#writes.track(this.log.appendAsFollower(records))
    return true
  }

  /** Takes over the leader's high watermark and log start, as far as the log reaches. */
  async followLeader(
    leader: { highWatermark: number; logStartOffset: number },
    leaderEpoch: number,
  ): Promise<void> {
    if (this.#takeOver !== undefined) await this.#takenOver()
    if (!this.#isFollowerIn(leaderEpoch)) return
    this.#raiseHighWatermark(Math.min(leader.highWatermark, this.log.logEndOffset))
    const start = Math.min(leader.logStartOffset, this.log.logEndOffset)
    if (start > this.log.logStartOffset) await this.#writes.track(this.log.raiseLogStartOffset(start))
  }

  /**
   * Drops what the leader does not have, given where the reader's last epoch ended there: down to the end of
   * that epoch here, or of the next lower one when it is unknown here (KIP-279).
   */
  async truncateToDivergence(
    diverging: { epoch: number; endOffset: number },
    leaderEpoch: number,
  ): Promise<void> {
    const own = this.log.endOffsetForEpoch(diverging.epoch)
    const offset = own.epoch === -1 ? diverging.endOffset : Math.min(own.endOffset, diverging.endOffset)
    await this.truncateTo(offset, leaderEpoch)
  }

  /**
   * Also when nothing lies beyond `offset`: an epoch that began there without a record must be forgotten as
   * well.
   */
  async truncateTo(wantedOffset: number, leaderEpoch: number): Promise<void> {
    if (this.#takeOver !== undefined) await this.#takenOver()
    if (!this.#isFollowerIn(leaderEpoch)) return
    const { logEndOffset } = this.log
    const offset = Math.min(wantedOffset, logEndOffset)
    const fields = { offset, logEndOffset, highWatermark: this.highWatermark, leaderEpoch }
    if (offset < this.highWatermark) this.#logger.warn(fields, 'truncates below the high watermark')
    else this.#logger.info(fields, 'truncates to the leader')
    this.log.updateHighWatermark(Math.min(this.highWatermark, offset))
    await this.#writes.track(this.log.truncateTo(offset))
  }

  /** Drops everything: the leader begins after the end of this log. */
  async restartAt(offset: number, leaderEpoch: number): Promise<void> {
    if (this.#takeOver !== undefined) await this.#takenOver()
    if (!this.#isFollowerIn(leaderEpoch)) return
    this.#logger.warn(
      { offset, logEndOffset: this.log.logEndOffset },
      'drops its log, which ends before the start of the leader',
    )
    this.log.updateHighWatermark(offset)
    await this.#writes.track(this.log.truncateFullyAndStartAt(offset))
  }

  #isFollowerIn(leaderEpoch: number): boolean {
    return this.#role === 'follower' && this.leaderEpoch === leaderEpoch
  }

  #raiseHighWatermark(offset: number): void {
    if (offset <= this.highWatermark) return
    this.log.updateHighWatermark(offset)
    this.#acks.reached(offset)
    this.#notify()
  }

  #advanceHighWatermark(): void {
    if (this.#leadership === undefined || this.isUnderMinIsr) return
    this.#raiseHighWatermark(this.#leadership.replicatedOffset(this.highWatermark))
  }

  /** Proposes a change to the ISR where one is due. */
  reviewIsr(): void {
    this.#leadership?.reviewIsr(this.highWatermark)
  }

  /**
   * The same from time to time: followers fall behind by doing nothing, and a lost proposal is made again.
   */
  reviewIsrAnew(): void {
    this.#advanceHighWatermark()
    this.#leadership?.reviewIsrAnew(this.highWatermark)
  }
}
