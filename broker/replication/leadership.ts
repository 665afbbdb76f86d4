/**
 * What a leader keeps during one leader epoch of one partition: how far its followers are, and the in-sync
 * replica set with the changes to it that are under way. A new epoch begins with a new one.
 */
import type { PartitionImage } from '../metadata/image.ts'
import { KafkaError } from '../protocol/errors.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/logger.ts'
import type { PartitionLog } from '../storage/partition-log.ts'
import { type BrokerLiveness, decideIsr, Follower, type IsrView, lowestInSyncOffset } from './isr.ts'
import { OffsetWaiters } from './waiters.ts'

/** What a partition needs of the cluster's metadata. */
export interface PartitionMetadata extends BrokerLiveness {
  /** Whether the broker is alive and has its replica of the partition. */
  hasReplica(brokerId: number, topicId: string, index: number): boolean
  /**
   * Commits `isr` if the partition's state is still `expected`; false when it is not. Rejects when the
   * outcome is unknown.
   */
  changeIsr(topic: string, index: number, expected: PartitionImage, isr: readonly number[]): Promise<boolean>
}

/** A follower that fetches, as it identifies itself. */
export interface FetchingReplica {
  readonly id: number
  /** -1 from a follower older than KIP-903. */
  readonly brokerEpoch: number
}

export interface LeadershipOptions {
  readonly brokerId: number
  /** The present one. */
  readonly log: () => PartitionLog
  /** `replica.lag.time.max.ms` */
  readonly lagMaxMs: number
  readonly metadata: PartitionMetadata
  readonly clock: Clock
  readonly logger: Logger
}

export class Leadership {
  /** Where the log ended when the epoch began: what predecessors may have acknowledged lies before. */
  readonly epochStartOffset: number
  readonly #options: LeadershipOptions
  readonly #followers: ReadonlyMap<number, Follower>
  /** A broker that lost its replica counts as one that is gone. */
  readonly #brokers: BrokerLiveness
  #state: PartitionImage
  /** Whoever may be in the ISR: the committed one, and every change whose outcome has not been seen yet. */
  #maximalIsr: Set<number>
  /** The state for which a change was proposed last, so that the same is not proposed with every fetch. */
  #proposedFor: PartitionImage | undefined
  #isProposing = false
  /** For the low watermark. */
  readonly #deletions: OffsetWaiters
  #isOver = false

  constructor(state: PartitionImage, options: LeadershipOptions) {
    const now = options.clock.monotonicMs()
    this.#options = options
    this.#state = state
    this.#maximalIsr = new Set(state.isr)
    this.#deletions = new OffsetWaiters(options.clock)
    const { metadata } = options
    const log = options.log()
    this.epochStartOffset = log.logEndOffset
    this.#brokers = {
      epoch: (id) => (metadata.hasReplica(id, log.topicId, log.partition) ? metadata.epoch(id) : undefined),
      shuttingDown: (id) => metadata.shuttingDown(id),
    }
    this.#followers = new Map(
      state.replicas
        .filter((id) => id !== options.brokerId)
        .map((id) => [id, new Follower(id, this.#memberEpoch(id, state), now)]),
    )
  }

  /** Of the registration in which `id` is a member of the ISR; one that is younger than the state is another life. */
  #memberEpoch(id: number, { isr, stateRevision }: PartitionImage): number | undefined {
    const epoch = this.#brokers.epoch(id)
    return isr.includes(id) && epoch !== undefined && epoch <= stateRevision ? epoch : undefined
  }

  /** The quorum has changed the partition within this epoch; proposals for an earlier state are void. */
  stateChanged(state: PartitionImage): void {
    this.#state = state
    this.#maximalIsr = new Set(state.isr)
  }

  /** No change to the ISR is proposed any more, and nobody is waited for. */
  end(): void {
    this.#isOver = true
    this.#deletions.fail(() => this.#endedDuringDeletion())
  }

  #view(highWatermark: number): IsrView {
    const { brokerId, log, clock, lagMaxMs } = this.#options
    return {
      leaderId: brokerId,
      replicas: this.#state.replicas,
      isr: this.#state.isr,
      followers: this.#followers,
      highWatermark,
      leaderEndOffset: log().logEndOffset,
      epochStartOffset: this.epochStartOffset,
      nowMs: clock.monotonicMs(),
      lagMaxMs,
      brokers: this.#brokers,
    }
  }

  /** Where the high watermark may go: whoever may be in sync has everything before. */
  replicatedOffset(highWatermark: number): number {
    return lowestInSyncOffset(this.#view(highWatermark), this.#maximalIsr)
  }

  /**
   * `replica` has everything from `logStartOffset` to before `offset`. False when it is not one of the partition's
   * replicas.
   */
  recordFetch(replica: FetchingReplica, offset: number, logStartOffset: number): boolean {
    const follower = this.#followers.get(replica.id)
    if (follower === undefined) return false
    const { log, clock } = this.#options
    follower.recordFetch(offset, replica.brokerEpoch, log().logEndOffset, clock.monotonicMs())
    follower.logStartOffset = logStartOffset
    this.#reviewDeletions()
    return true
  }

  /** Where the logs of the leader and of every follower whose broker is alive have begun. */
  get lowWatermark(): number {
    const { log, metadata } = this.#options
    let lowest = log().logStartOffset
    for (const { id, logStartOffset } of this.#followers.values()) {
      if (metadata.epoch(id) !== undefined) lowest = Math.min(lowest, logStartOffset)
    }
    return lowest
  }

  /**
   * Resolves to the low watermark when it has reached `offset`; rejects with REQUEST_TIMED_OUT, or NOT_LEADER_OR_FOLLOWER
   * when this leadership ends first.
   */
  async reachLowWatermark(offset: number, timeoutMs: number): Promise<number> {
    if (this.#isOver) throw this.#endedDuringDeletion()
    if (this.lowWatermark < offset) {
      await this.#deletions.wait(offset, timeoutMs, () => this.#slowDeletion(offset))
    }
    return this.lowWatermark
  }

  #reviewDeletions(): void {
    if (this.#deletions.size > 0) this.#deletions.reached(this.lowWatermark)
  }

  #slowDeletion(offset: number): KafkaError {
    const { log, metadata } = this.#options
    const slow = [...this.#followers.values()].filter(
      (follower) => follower.logStartOffset < offset && metadata.epoch(follower.id) !== undefined,
    )
    return new KafkaError(
      'REQUEST_TIMED_OUT',
      `${log().topic}-${log().partition}: brokers ${slow.map(({ id }) => id).join(', ')} still have records before offset ${offset}`,
    )
  }

  #endedDuringDeletion(): KafkaError {
    const { log } = this.#options
    return new KafkaError(
      'NOT_LEADER_OR_FOLLOWER',
      `${log().topic}-${log().partition}: the leadership moved before every replica had dropped the records`,
    )
  }

  /** Whether a fetch by `replicaId` at `offset` can mean that it joins the ISR, or has to leave it. */
  concernsIsr(replicaId: number, offset: number, highWatermark: number): boolean {
    return this.#state.isr.includes(replicaId) ? offset < highWatermark : offset >= highWatermark
  }

  /** Proposes to the quorum the ISR that should be, unless that was done for the present state already. */
  reviewIsr(highWatermark: number): void {
    if (this.#isOver || this.#proposedFor === this.#state) return
    const isr = decideIsr(this.#view(highWatermark))
    if (isr !== undefined) void this.#propose(this.#state, isr)
  }

  /** The same, but a proposal that was not answered, or whose change was never seen, is made once more. */
  reviewIsrAnew(highWatermark: number): void {
    this.#reviewDeletions()
    if (!this.#isProposing) this.#proposedFor = undefined
    this.reviewIsr(highWatermark)
  }

  async #propose(state: PartitionImage, isr: readonly number[]): Promise<void> {
    const { logger, metadata } = this.#options
    const { topic, partition } = this.#options.log()
    const fields = { from: state.isr, to: isr, leaderEpoch: state.leaderEpoch }
    this.#proposedFor = state
    this.#isProposing = true
    for (const id of isr) this.#maximalIsr.add(id)
    try {
      const committed = await metadata.changeIsr(topic, partition, state, isr)
      if (committed) logger.info(fields, 'changed the in-sync replicas')
      else logger.debug(fields, 'another change to the partition came before the in-sync replicas')
    } catch (error) {
      logger.warn({ error, ...fields }, 'cannot change the in-sync replicas')
    } finally {
      this.#isProposing = false
    }
  }
}
