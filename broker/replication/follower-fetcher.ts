/**
 * Copies the partitions that this broker follows from one leader broker: one stream of Fetch requests for all
 * of them, each answered as soon as there is anything new (KIP-595: the leader finds where the logs parted
 * from the epoch of the follower's last record).
 *
 * A partition that met an error is left out for a while, or until the quorum decides something new about it.
 */
import type { BrokerRegistration } from '../metadata/image.ts'
import type { Peer } from '../network/peer.ts'
import { Fetch } from '../protocol/apis/fetch.ts'
import { ListOffsets } from '../protocol/apis/list-offsets.ts'
import { errorName, KafkaError } from '../protocol/errors.ts'
import type { DecodedResponse, RequestToSend } from '../protocol/schema.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/logger.ts'
import type { Partition } from './partition.ts'

/**
 * Spoken between brokers: raised a release after every broker understands it, so that an upgrade can roll.
 */
const FETCH_VERSION = 17
const LIST_OFFSETS_VERSION = 7
const LATEST = -1
const EARLIEST = -2

const PARTITION_BACKOFF_MS = 200
const FIRST_LEADER_BACKOFF_MS = 50
/** How long the leader may take beyond the wait that it was asked for. */
const LEADER_TIMEOUT_MS = 10_000
/** Partitions are often added many at a time: they cut a long poll short together. */
const GATHER_MS = 10

/** What a follower needs of its connection. */
export type LeaderConnection = Pick<Peer, 'request' | 'close'>

export interface FetcherSettings {
  /** `replica.fetch.wait.max.ms` */
  readonly waitMaxMs: number
  /** `replica.fetch.min.bytes` */
  readonly minBytes: number
  /** `replica.fetch.max.bytes`, for each partition */
  readonly partitionMaxBytes: number
  /** `replica.fetch.response.max.bytes` */
  readonly responseMaxBytes: number
  /** `replica.fetch.backoff.ms`: the longest pause after a failed fetch; the first ones are shorter. */
  readonly backoffMs: number
}

export interface FetcherOptions {
  readonly brokerId: number
  readonly brokerEpoch: () => number
  readonly leaderId: number
  /** The leader's present registration; undefined while it has none. */
  readonly leader: () => BrokerRegistration | undefined
  readonly connect: (leader: BrokerRegistration) => LeaderConnection
  readonly settings: FetcherSettings
  readonly clock: Clock
  readonly logger: Logger
}

interface Followed {
  readonly partition: Partition
  /** The leader epoch in which it follows: an answer for another one is of no use. */
  readonly leaderEpoch: number
  retryAtMs: number
  /** Whether what the leader sent could not be taken over the last time: said once, not at every attempt. */
  failing: boolean
}

type FetchedPartition = DecodedResponse<typeof Fetch>['responses'][number]['partitions'][number]

export class FollowerFetcher {
  readonly #options: FetcherOptions
  readonly #logger: Logger
  /**
   * By topic id and index. Whoever got records goes to the end, so that the response's limit starves nobody.
   */
  readonly #followed = new Map<string, Followed>()
  #peer: { readonly registration: BrokerRegistration; readonly peer: LeaderConnection } | undefined
  /** What the request that is under way asks for. */
  #asked: ReadonlySet<Followed> = new Set()
  #failures = 0
  #closed = false
  #wake: () => void = () => {}
  #interruptScheduled = false
  #interrupted = false
  #running: Promise<void> | undefined

  constructor(options: FetcherOptions) {
    this.#options = options
    this.#logger = options.logger.child({ leader: options.leaderId })
  }

  get size(): number {
    return this.#followed.size
  }

  /** Follows `partition` in its present leader epoch from its present log end on. */
  follow(partition: Partition): void {
    const key = keyOf(partition.topicId, partition.index)
    this.#followed.set(key, { partition, leaderEpoch: partition.leaderEpoch, retryAtMs: 0, failing: false })
    this.#wake()
    this.#interruptSoon()
    this.#running ??= this.#run()
  }

  unfollow(partition: Partition): void {
    this.#followed.delete(keyOf(partition.topicId, partition.index))
  }

  /** Resolves when nothing is written by it any more. */
  async close(): Promise<void> {
    this.#closed = true
    this.#followed.clear()
    this.#wake()
    this.#disconnect()
    await this.#running
  }

  /**
   * A long poll that does not know of the new partition would keep it waiting: a broken connection ends it.
   */
  #interruptSoon(): void {
    if (this.#interruptScheduled || this.#peer === undefined) return
    this.#interruptScheduled = true
    this.#options.clock.after(GATHER_MS, () => {
      this.#interruptScheduled = false
      if ([...this.#followed.values()].every((entry) => this.#asked.has(entry))) return
      this.#interrupted = true
      this.#disconnect()
    })
  }

  #disconnect(): void {
    void this.#peer?.peer.close()
    this.#peer = undefined
  }

  async #run(): Promise<void> {
    while (!this.#closed) {
      const now = this.#options.clock.monotonicMs()
      const followed = [...this.#followed.values()]
      const ready = followed.filter((entry) => entry.retryAtMs <= now)
      if (ready.length > 0) await this.#round(ready)
      else
        await this.#pause(
          Math.min(...followed.map((entry) => entry.retryAtMs - now), this.#options.settings.backoffMs),
        )
    }
  }

  /** Waits `delayMs`, or less when there is something new to do. */
  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#options.clock.after(delayMs, resolve)
      this.#wake = () => {
        cancel()
        resolve()
      }
    })
  }

  async #round(ready: readonly Followed[]): Promise<void> {
    const registration = this.#options.leader()
    if (registration === undefined) {
      this.#disconnect()
      return this.#pause(PARTITION_BACKOFF_MS)
    }
    const { settings } = this.#options
    const peer = this.#connect(registration)
    this.#interrupted = false
    this.#asked = new Set(ready)
    let response: DecodedResponse<typeof Fetch>
    try {
      response = await peer.request(
        Fetch,
        FETCH_VERSION,
        this.#request(ready),
        settings.waitMaxMs + LEADER_TIMEOUT_MS,
      )
      if (response.errorCode !== 0)
        throw new KafkaError(errorName(response.errorCode), 'the leader refused the fetch')
    } catch (error) {
      return this.#leaderFailed(error)
    }
    if (this.#failures > 0) this.#logger.info({ failures: this.#failures }, 'fetches from the leader again')
    this.#failures = 0
    await Promise.all(this.#answers(response, ready).map(([entry, answer]) => this.#take(entry, answer)))
  }

  #connect(registration: BrokerRegistration): LeaderConnection {
    if (this.#peer !== undefined && this.#peer.registration.epoch !== registration.epoch) this.#disconnect()
    this.#peer ??= { registration, peer: this.#options.connect(registration) }
    return this.#peer.peer
  }

  async #leaderFailed(error: unknown): Promise<void> {
    if (this.#closed || this.#interrupted) return
    this.#failures += 1
    const fields = { error, failures: this.#failures }
    if (this.#failures === 1) this.#logger.warn(fields, 'cannot fetch from the leader')
    else this.#logger.debug(fields, 'cannot fetch from the leader')
    await this.#pause(
      Math.min(FIRST_LEADER_BACKOFF_MS * 2 ** (this.#failures - 1), this.#options.settings.backoffMs),
    )
  }

  #request(ready: readonly Followed[]): RequestToSend<typeof Fetch> {
    const { brokerId, brokerEpoch, settings } = this.#options
    const byTopic = Map.groupBy(ready, (entry) => entry.partition.topicId)
    return {
      replicaState: { replicaId: brokerId, replicaEpoch: brokerEpoch() },
      maxWaitMs: settings.waitMaxMs,
      minBytes: settings.minBytes,
      maxBytes: settings.responseMaxBytes,
      topics: [...byTopic].map(([topicId, entries]) => ({
        topicId,
        partitions: entries.map(({ partition, leaderEpoch }) => ({
          partition: partition.index,
          currentLeaderEpoch: leaderEpoch,
          fetchOffset: partition.log.logEndOffset,
          lastFetchedEpoch: partition.log.latestEpoch,
          logStartOffset: partition.log.logStartOffset,
          partitionMaxBytes: settings.partitionMaxBytes,
        })),
      })),
    }
  }

  /** The answers to what is still followed as it was when it was asked for. */
  #answers(
    response: DecodedResponse<typeof Fetch>,
    asked: readonly Followed[],
  ): [Followed, FetchedPartition][] {
    const answers = new Map(
      response.responses.flatMap(({ topicId, partitions }) =>
        partitions.map((answer) => [keyOf(topicId, answer.partitionIndex), answer] as const),
      ),
    )
    return asked.flatMap((entry): [Followed, FetchedPartition][] => {
      const key = keyOf(entry.partition.topicId, entry.partition.index)
      const answer = answers.get(key)
      return answer !== undefined && this.#followed.get(key) === entry ? [[entry, answer]] : []
    })
  }

  async #take(entry: Followed, answer: FetchedPartition): Promise<void> {
    const { partition, leaderEpoch } = entry
    try {
      if (answer.errorCode !== 0) await this.#partitionFailed(entry, answer)
      else if (answer.divergingEpoch.epoch !== -1) {
        await partition.truncateToDivergence(answer.divergingEpoch, leaderEpoch)
      } else {
        if (answer.records !== null && answer.records.length > 0) {
          await partition.appendFromLeader(answer.records, leaderEpoch)
          this.#moveToEnd(entry)
        }
        await partition.followLeader(answer, leaderEpoch)
      }
      entry.failing = false
    } catch (error) {
      entry.retryAtMs = this.#options.clock.monotonicMs() + PARTITION_BACKOFF_MS
      const fields = { error, topic: partition.topic, partition: partition.index, leaderEpoch }
      this.#logger[entry.failing ? 'debug' : 'error'](fields, 'cannot take over what the leader sent')
      entry.failing = true
    }
  }

  #moveToEnd(entry: Followed): void {
    const key = keyOf(entry.partition.topicId, entry.partition.index)
    if (this.#followed.get(key) !== entry) return
    this.#followed.delete(key)
    this.#followed.set(key, entry)
  }

  async #partitionFailed(entry: Followed, answer: FetchedPartition): Promise<void> {
    const { partition, leaderEpoch } = entry
    const error = errorName(answer.errorCode)
    if (error === 'OFFSET_OUT_OF_RANGE') return this.#offsetOutOfRange(entry)
    // Most often one of the two brokers has not seen the latest change of leadership yet.
    entry.retryAtMs = this.#options.clock.monotonicMs() + PARTITION_BACKOFF_MS
    const fields = { error, topic: partition.topic, partition: partition.index, leaderEpoch }
    this.#logger.debug(fields, 'the leader refused the partition')
  }

  /**
   * The leader's log ends before this one, or begins after its end; else the offset was stale and is in range
   * again.
   */
  async #offsetOutOfRange({ partition, leaderEpoch }: Followed): Promise<void> {
    const leaderEnd = await this.#leaderOffset(partition, leaderEpoch, LATEST)
    if (leaderEnd < partition.log.logEndOffset) return partition.truncateTo(leaderEnd, leaderEpoch)
    const leaderStart = await this.#leaderOffset(partition, leaderEpoch, EARLIEST)
    if (leaderStart > partition.log.logEndOffset) return partition.restartAt(leaderStart, leaderEpoch)
  }

  async #leaderOffset(partition: Partition, leaderEpoch: number, timestamp: number): Promise<number> {
    const registration = this.#options.leader()
    if (registration === undefined)
      throw new KafkaError('LEADER_NOT_AVAILABLE', 'the leader is not registered')
    const response = await this.#connect(registration).request(
      ListOffsets,
      LIST_OFFSETS_VERSION,
      {
        replicaId: this.#options.brokerId,
        topics: [
          {
            name: partition.topic,
            partitions: [{ partitionIndex: partition.index, currentLeaderEpoch: leaderEpoch, timestamp }],
          },
        ],
      },
      LEADER_TIMEOUT_MS,
    )
    const answer = response.topics[0]?.partitions[0]
    if (answer === undefined)
      throw new KafkaError('UNKNOWN_SERVER_ERROR', 'the leader left the partition out')
    if (answer.errorCode !== 0) throw new KafkaError(errorName(answer.errorCode), 'the leader gave no offset')
    return answer.offset
  }
}

function keyOf(topicId: string, index: number): string {
  return `${topicId}/${index}`
}
