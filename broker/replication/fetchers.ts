/** The fetchers of one broker: one for each leader that it follows, there while it follows any partition of it. */
import type { Config } from '../config/config.ts'
import { FollowerFetcher, type FetcherOptions } from './follower-fetcher.ts'
import type { ClusterMetadata } from '../metadata/cluster-metadata.ts'
import type { Partition } from './partition.ts'

export interface FetchersOptions extends Pick<
  FetcherOptions,
  'brokerId' | 'brokerEpoch' | 'clock' | 'logger'
> {
  readonly config: Config
  readonly metadata: ClusterMetadata
  readonly peers: FetcherOptions['connect']
}

export class Fetchers {
  readonly #o: FetchersOptions
  readonly #byLeader = new Map<number, FollowerFetcher>()
  #isClosed = false

  constructor(options: FetchersOptions) {
    this.#o = options
  }

  /** Follows `partition` from `leaderId`, in its present leader epoch. */
  follow(partition: Partition, leaderId: number): void {
    if (this.#isClosed) return
    let fetcher = this.#byLeader.get(leaderId)
    if (fetcher === undefined) {
      fetcher = this.#fetcher(leaderId)
      this.#byLeader.set(leaderId, fetcher)
    }
    fetcher.follow(partition)
  }

  unfollow(partition: Partition): void {
    for (const [leaderId, fetcher] of this.#byLeader) {
      fetcher.unfollow(partition)
      if (fetcher.size > 0) continue
      this.#byLeader.delete(leaderId)
      void fetcher.close()
    }
  }

  /** Resolves when nothing is written by them any more. */
  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.all([...this.#byLeader.values()].map((fetcher) => fetcher.close()))
  }

  #fetcher(leaderId: number): FollowerFetcher {
    const { brokerId, brokerEpoch, config, metadata, peers, clock, logger } = this.#o
    return new FollowerFetcher({
      brokerId,
      brokerEpoch,
      leaderId,
      leader: () => metadata.image.brokers.get(leaderId),
      connect: peers,
      settings: {
        waitMaxMs: config.get('replica.fetch.wait.max.ms'),
        minBytes: config.get('replica.fetch.min.bytes'),
        partitionMaxBytes: config.get('replica.fetch.max.bytes'),
        responseMaxBytes: config.get('replica.fetch.response.max.bytes'),
        backoffMs: config.get('replica.fetch.backoff.ms'),
      },
      clock,
      logger,
    })
  }
}
