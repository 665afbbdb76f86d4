/**
 * The partitions of this broker, kept as the metadata image says: a log for each replica that is assigned
 * here, a leader or follower of the epoch that the quorum decided, and nothing of topics that are gone.
 *
 * Each partition is reconciled by one task at a time, which compares what is there with the latest image
 * until they agree; images that come meanwhile are simply the next thing to agree with. A topic that was
 * deleted and created again is told apart by its id, so that old records are never served under the new one.
 */
import type { Config } from '../config/config.ts'
import type { ClusterMetadata } from '../metadata/cluster-metadata.ts'
import type {
  BrokerRegistration,
  ImageDelta,
  MetadataImage,
  PartitionImage,
  TopicImage,
} from '../metadata/image.ts'
import type { OfflineReplicas } from '../metadata/offline-replicas.ts'
import type { Network } from '../network/network.ts'
import type { Peer } from '../network/peer.ts'
import { KafkaError } from '../protocol/errors.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/logger.ts'
import { repeat } from '../runtime/repeat.ts'
import type { DirectoryLoss, DirectoryView } from '../storage/directory-view.ts'
import type { LogManager } from '../storage/log-manager.ts'
import { Fetchers } from './fetchers.ts'
import type { PartitionMetadata } from './leadership.ts'
import { removeGone } from './gone-brokers.ts'
import { LostReplicas } from './lost-replicas.ts'
import { Partition, type Role } from './partition.ts'
import { partitionMetadata } from './partition-metadata.ts'
import { PeerWatch } from './peer-watch.ts'
import { ReplicaMoves } from './replica-moves.ts'
import { strayLogs } from './stray-logs.ts'

/** The ISR is looked at this often at least, and at half of `replica.lag.time.max.ms` where that is less. */
const MAX_ISR_REVIEW_MS = 1000
/** A partition whose log cannot be made or taken over is tried again after this. */
const RETRY_MS = 1000

export interface LeadershipChange {
  readonly topic: string
  readonly index: number
  /** none: the replica is not here any more. */
  readonly role: Role
  readonly leaderEpoch: number
}

export interface ReplicaManagerOptions {
  readonly brokerId: number
  /** Epoch of this broker's present registration. */
  readonly brokerEpoch: () => number
  readonly config: Config
  readonly logs: LogManager
  readonly metadata: ClusterMetadata
  readonly peers: (broker: BrokerRegistration) => Peer
  /** TCP unless given. */
  readonly network?: Network
  readonly clock: Clock
  readonly logger: Logger
}

export class ReplicaManager {
  readonly #options: ReplicaManagerOptions
  readonly #logger: Logger
  /** By topic and index, as the log directories are. */
  readonly #partitions = new Map<string, Partition>()
  readonly #tasks = new Map<string, Promise<void>>()
  readonly #fetchers: Fetchers
  readonly #lost: LostReplicas
  readonly #moves: ReplicaMoves
  readonly #listeners = new Set<(change: LeadershipChange) => void>()
  readonly #partitionMetadata: PartitionMetadata
  readonly #peerWatch: PeerWatch
  #unsubscribe: () => void = () => {}
  readonly #stopListening: () => void
  readonly #cancelTimers: (() => void)[] = []
  #closed = false
  /** Epoch of the first registration of this process. */
  #bornAt = -1

  constructor(options: ReplicaManagerOptions) {
    this.#options = options
    this.#logger = options.logger.child({ part: 'replication' })
    const { metadata, brokerId, config, clock, logs } = options
    this.#peerWatch = new PeerWatch({
      ...(options.network && { network: options.network }),
      brokerId,
      listener: config.interBrokerListener,
      gone: (broker) => void removeGone(broker, metadata, this.#logger),
      clock,
    })
    this.#fetchers = new Fetchers({ ...options, logger: this.#logger })
    this.#lost = new LostReplicas({
      brokerId,
      logs,
      changed: (replicas) => void metadata.registration?.setOfflineReplicas(replicas),
    })
    this.#moves = new ReplicaMoves({
      logs: logs.moves,
      partition: (topic, index) => this.partition(topic, index),
      isKnown: (topic, index) => metadata.image.topics.get(topic)?.partitions[index] !== undefined,
      mustBeServed: (topic, index) => this.#mustBeServed(topic, index),
      undisturbed: (topic, index, action) => this.#undisturbed(topic, index, action),
      clock,
      logger: this.#logger,
    })
    this.#stopListening = logs.onOffline((loss) => this.#directoryFailed(loss))
    this.#partitionMetadata = partitionMetadata(metadata)
  }

  /** Follows the image from now on: what it says of this broker's replicas is made so. The broker is registered. */
  start(): void {
    const { config, metadata, brokerEpoch, clock } = this.#options
    this.#bornAt = brokerEpoch()
    this.#forgetStrays(metadata.image)
    const stopFollowing = metadata.subscribe((image, delta, previous) =>
      this.#onImage(image, delta, previous),
    )
    const stopConfiguring = config.onChange(() => this.#configureAll())
    this.#unsubscribe = () => {
      stopFollowing()
      stopConfiguring()
    }
    const reviewMs = Math.min(config.get('replica.lag.time.max.ms') / 2, MAX_ISR_REVIEW_MS)
    const checkpointMs = config.get('replica.high.watermark.checkpoint.interval.ms')
    this.#cancelTimers.push(
      repeat(
        clock,
        () => reviewMs,
        () => this.#reviewIsrs(),
      ),
      repeat(
        clock,
        () => checkpointMs,
        () => this.#checkpoint(),
      ),
    )
  }

  #reviewIsrs(): void {
    for (const partition of this.#partitions.values()) if (partition.isLeader) partition.reviewIsrAnew()
  }

  partition(topic: string, index: number): Partition | undefined {
    return this.#partitions.get(keyOf(topic, index))
  }

  partitions(): Iterable<Partition> {
    return this.#partitions.values()
  }

  /** Every log directory of this broker with what it holds. */
  logDirectories(): Promise<DirectoryView[]> {
    return this.#options.logs.describe()
  }

  /** Begins to move a replica to another log directory; rejects as ReplicaMoves.order does. */
  moveTo(topic: string, index: number, path: string): Promise<void> {
    return this.#moves.order(topic, index, path)
  }

  #mustBeServed(topic: string, index: number): void {
    if (!this.#lost.has(this.#options.metadata.image.topics.get(topic)?.id, index)) return
    throw new KafkaError('KAFKA_STORAGE_ERROR', `the log directory of ${topic}-${index} is offline`)
  }

  /**
   * The partition, led by this broker, in the epoch that the asker knows (below 0: it does not say).
   * Throws UNKNOWN_TOPIC_OR_PARTITION, NOT_LEADER_OR_FOLLOWER, FENCED_LEADER_EPOCH or UNKNOWN_LEADER_EPOCH.
   */
  leader(topic: string, index: number, currentLeaderEpoch = -1): Partition {
    const state = this.#options.metadata.image.topics.get(topic)?.partitions[index]
    const partition = this.partition(topic, index)
    if (state === undefined) {
      throw new KafkaError('UNKNOWN_TOPIC_OR_PARTITION', `the cluster has no partition ${topic}-${index}`)
    }
    this.#mustBeServed(topic, index)
    if (partition === undefined || !partition.isLeader) {
      throw new KafkaError('NOT_LEADER_OR_FOLLOWER', this.#describeLeader(`${topic}-${index}`, state.leader))
    }
    partition.checkEpoch(currentLeaderEpoch)
    return partition
  }

  #describeLeader(partition: string, leader: number): string {
    const { brokerId } = this.#options
    if (leader === brokerId)
      return `broker ${brokerId} is only just taking over the leadership of ${partition}`
    return `${leader === -1 ? 'no broker' : `broker ${leader}`} leads ${partition}, broker ${brokerId} does not`
  }

  /** Calls `listener` after each change of this broker's role for a partition; the result unsubscribes it. */
  onLeadership(listener: (change: LeadershipChange) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Stops following and fails whoever waits; the logs are left to their owner. */
  async close(): Promise<void> {
    this.#closed = true
    this.#unsubscribe()
    this.#stopListening()
    this.#peerWatch.close()
    for (const cancel of this.#cancelTimers.splice(0)) cancel()
    await this.#moves.close()
    await this.#fetchers.close()
    await Promise.all(this.#tasks.values())
    await Promise.all([...this.#partitions.values()].map((partition) => partition.close()))
    await this.#checkpoint()
  }

  async #checkpoint(): Promise<void> {
    const entries = [...this.#partitions.values()].map((partition) => ({
      topic: partition.topic,
      partition: partition.index,
      offset: partition.highWatermark,
    }))
    try {
      await this.#options.logs.checkpointHighWatermarks(entries)
    } catch (error) {
      this.#logger.error({ error }, 'cannot write the high watermark checkpoint')
    }
  }

  #forgetStrays(image: MetadataImage): void {
    const { logs, brokerId } = this.#options
    const strays = strayLogs(logs.logs(), image, brokerId)
    if (strays.length === 0) return
    if (image.topics.size === 0) {
      this.#logger.warn(
        { logs: strays.length },
        'the metadata quorum knows no topics, but there are logs here: they are kept',
      )
      return
    }
    for (const log of strays) this.#reconcile(log.topic, log.partition)
  }

  #onImage(image: MetadataImage, delta: ImageDelta, previous: MetadataImage): void {
    for (const name of delta.topics) {
      const topic = image.topics.get(name)
      const count = Math.max(topic?.partitions.length ?? 0, previous.topics.get(name)?.partitions.length ?? 0)
      for (let index = 0; index < count; index += 1) {
        if (topic !== undefined) this.#configure(topic, index)
        if (this.#differs(image, name, index)) this.#reconcile(name, index)
      }
    }
    this.#lost.forgetMissing(image)
    if (delta.brokers.size > 0) {
      this.#peerWatch.update(image.brokers)
      for (const partition of this.#partitions.values()) if (partition.isLeader) partition.reviewIsr()
    }
  }

  /** What the broker says counts for every topic that does not say otherwise. */
  #configureAll(): void {
    for (const { topic, index } of this.#partitions.values()) {
      const image = this.#options.metadata.image.topics.get(topic)
      if (image !== undefined) this.#configure(image, index)
    }
  }

  #configure(topic: TopicImage, index: number): void {
    const partition = this.partition(topic.name, index)
    if (partition === undefined || partition.topicId !== topic.id) return
    partition.topicConfig = this.#options.config.topic(topic.configs)
    partition.log.updateConfig(partition.topicConfig)
  }

  /** What the image wants here; undefined when no replica of the partition is assigned to this broker. */
  #wanted(
    image: MetadataImage,
    name: string,
    index: number,
  ): { topic: TopicImage; state: PartitionImage } | undefined {
    const topic = image.topics.get(name)
    const state = topic?.partitions[index]
    if (topic === undefined || !state?.replicas.includes(this.#options.brokerId)) return undefined
    return { topic, state }
  }

  #differs(image: MetadataImage, name: string, index: number): boolean {
    const wanted = this.#wanted(image, name, index)
    const partition = this.partition(name, index)
    if (this.#lost.has(wanted?.topic.id, index)) return partition !== undefined
    if (wanted === undefined || partition === undefined) {
      return (
        wanted !== undefined || partition !== undefined || this.#options.logs.get(name, index) !== undefined
      )
    }
    return (
      partition.topicId !== wanted.topic.id || partition.state?.stateRevision !== wanted.state.stateRevision
    )
  }

  /** Makes the partition as the latest image wants it; one task for each at a time. */
  #reconcile(name: string, index: number): void {
    const key = keyOf(name, index)
    if (this.#tasks.has(key)) return
    // It begins a turn later, so that it cannot have ended before it is noted down.
    const task = Promise.resolve()
      .then(() => this.#converge(name, index))
      .catch((error: unknown) => {
        this.#logger.error({ error, topic: name, partition: index }, 'cannot set up the partition')
        this.#options.clock.after(RETRY_MS, () => this.#reconcileIfDifferent(name, index))
      })
    this.#tasks.set(key, task)
  }

  /** Runs `action` as the partition's task: what the image wants of it meanwhile comes afterwards. */
  async #undisturbed(name: string, index: number, action: () => Promise<void>): Promise<void> {
    const key = keyOf(name, index)
    while (this.#tasks.has(key)) await this.#tasks.get(key)
    const done = action()
    this.#tasks.set(
      key,
      done.catch(() => {}),
    )
    try {
      await done
    } finally {
      this.#tasks.delete(key)
      this.#reconcileIfDifferent(name, index)
    }
  }

  #reconcileIfDifferent(name: string, index: number): void {
    if (!this.#closed && this.#differs(this.#options.metadata.image, name, index))
      this.#reconcile(name, index)
  }

  /** The task is over in the same turn in which it last agreed with the image: what comes later begins another. */
  async #converge(name: string, index: number): Promise<void> {
    try {
      while (!this.#closed && this.#differs(this.#options.metadata.image, name, index)) {
        const wanted = this.#wanted(this.#options.metadata.image, name, index)
        const partition = this.partition(name, index)
        if (partition !== undefined && this.#lost.has(partition.topicId, index)) await this.#letGo(partition)
        else if (partition !== undefined && partition.topicId !== wanted?.topic.id)
          await this.#remove(partition)
        else if (partition !== undefined && wanted !== undefined) await this.#apply(partition, wanted.state)
        else await this.#prepareLog(name, index, wanted?.topic)
      }
    } finally {
      this.#tasks.delete(keyOf(name, index))
    }
  }

  /**
   * With no partition here: makes or takes the log of `topic`, and removes one of another topic of that name.
   */
  async #prepareLog(name: string, index: number, topic: TopicImage | undefined): Promise<void> {
    const { logs, config, brokerId, clock } = this.#options
    const existing = logs.get(name, index)
    if (existing !== undefined && existing.topicId !== topic?.id) {
      this.#logger.info(
        { topic: name, partition: index, topicId: existing.topicId },
        'deletes the log of a deleted topic',
      )
      return logs.delete(name, index)
    }
    if (topic === undefined) return
    const topicConfig = config.topic(topic.configs)
    const log = existing ?? (await logs.create(name, index, topic.id, topicConfig))
    log.updateConfig(topicConfig)
    const partition = new Partition({
      brokerId,
      log,
      topicConfig,
      highWatermark: existing === undefined ? 0 : logs.highWatermark(name, index),
      lagMaxMs: config.get('replica.lag.time.max.ms'),
      metadata: this.#partitionMetadata,
      clock,
      logger: this.#logger,
    })
    this.#partitions.set(keyOf(name, index), partition)
    this.#moves.resume(partition)
  }

  async #apply(partition: Partition, decided: PartitionImage): Promise<void> {
    const state = this.#asOfThisLife(decided)
    const before = {
      role: partition.role,
      leaderEpoch: partition.leaderEpoch,
      leader: partition.state?.leader,
    }
    const moved =
      before.role === 'none' || before.leaderEpoch !== state.leaderEpoch || before.leader !== state.leader
    if (moved) this.#fetchers.unfollow(partition)
    await partition.apply(state)
    if (partition.role === 'follower' && moved && state.leader !== -1) {
      this.#fetchers.follow(partition, state.leader)
    }
    if (partition.role !== before.role || before.leaderEpoch !== state.leaderEpoch) this.#announce(partition)
  }

  /**
   * A leadership that was decided before this life of the broker began is not taken up again: what the former life had
   * not flushed may be lost. Nobody leads until the controller has decided anew.
   */
  #asOfThisLife(state: PartitionImage): PartitionImage {
    const isFormer = state.leader === this.#options.brokerId && state.stateRevision < this.#bornAt
    return isFormer ? { ...state, leader: -1 } : state
  }

  async #remove(partition: Partition): Promise<void> {
    await this.#letGo(partition)
    await this.#options.logs.delete(partition.topic, partition.index)
  }

  /** The partition is not served here any more. */
  async #letGo(partition: Partition): Promise<void> {
    this.#fetchers.unfollow(partition)
    await partition.close()
    this.#partitions.delete(keyOf(partition.topic, partition.index))
    this.#announce(partition)
  }

  /** Others are to lead, and to be in sync without this broker; its registration tells them. */
  #directoryFailed({ logs }: DirectoryLoss): void {
    this.#lost.add(logs)
    for (const { topic, partition } of logs) this.#reconcile(topic, partition)
  }

  /** What cannot be served because its log directory failed, for the registration of this broker. */
  offlineReplicas(): OfflineReplicas {
    return this.#lost.lookFor(this.#options.metadata.image)
  }

  #announce(partition: Partition): void {
    const { topic, index, role, leaderEpoch } = partition
    for (const listener of this.#listeners) listener({ topic, index, role, leaderEpoch })
  }
}

function keyOf(topic: string, index: number): string {
  return `${topic}-${index}`
}
