/**
 * Consumer groups: which broker coordinates a group, and the groups that this broker coordinates.
 *
 * A group belongs to one partition of `__consumer_offsets`; the leader of that partition is its coordinator, and
 * when leadership moves the new leader reads the groups from the log and goes on with them.
 */
import { randomUUID } from 'node:crypto'
import type { Config } from '../config/config.ts'
import type { ClusterMetadata } from '../metadata/cluster-metadata.ts'
import type { BrokerRegistration, ImageDelta, MetadataImage } from '../metadata/image.ts'
import { KafkaError } from '../protocol/errors.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/logger.ts'
import { GroupShard, type OffsetToCommit } from './groups/group-shard.ts'
import type { GroupRequest } from './groups/live-group.ts'
import type { CommitMessage, Replies, Request } from './groups/messages.ts'
import type { CommittedOffsets } from './groups/offsets.ts'
import { InternalTopic, type InternalTopicSpec } from './internal-topic.ts'
import { partitionOfKey } from './java-hash.ts'
import { type StateReplicas, StateTopic } from './state-topic.ts'

export const OFFSETS_TOPIC = '__consumer_offsets'

/** How long a member's request waits for the log of its group to be read. */
const LOAD_PATIENCE_MS = 1000

export interface GroupCoordinatorOptions {
  readonly config: Config
  readonly replicas: StateReplicas
  readonly metadata: Pick<ClusterMetadata, 'image' | 'subscribe' | 'waitFor'>
  readonly clock: Clock
  readonly logger: Logger
  /** Assigns replicas to live brokers and commits the topic. */
  readonly createTopic: (spec: InternalTopicSpec) => Promise<unknown>
}

export class GroupCoordinator {
  readonly #metadata: GroupCoordinatorOptions['metadata']
  readonly #logger: Logger
  readonly #topic: InternalTopic
  readonly #shards: StateTopic<GroupShard>
  #unsubscribe: () => void = () => {}

  constructor(options: GroupCoordinatorOptions) {
    const { config, metadata, clock, createTopic } = options
    const logger = options.logger.child({ part: 'groups' })
    this.#metadata = metadata
    this.#logger = logger
    this.#topic = new InternalTopic({
      spec: offsetsTopic(config),
      replicationFactorKey: 'offsets.topic.replication.factor',
      replicationFactorIsSet: config.isSet('offsets.topic.replication.factor'),
      metadata,
      createTopic,
      clock,
      logger,
    })
    this.#shards = createShards(options, logger)
  }

  start(): void {
    this.#topic.start()
    this.#shards.start(this.#topic.partitionCount)
    this.#unsubscribe = this.#metadata.subscribe((image, delta, previous) =>
      this.#forgetDeletedTopics(image, delta, previous),
    )
  }

  /** Waiting members are sent elsewhere; the groups live on in the topic. */
  async close(): Promise<void> {
    this.#unsubscribe()
    this.#topic.close()
    this.#shards.close()
  }

  /** The broker that coordinates a group. COORDINATOR_NOT_AVAILABLE while there is none. */
  async coordinatorOf(groupId: string): Promise<BrokerRegistration> {
    const topic = await this.#topic.ensure()
    const index = partitionOfKey(groupId, topic.partitions.length)
    const leader = topic.partitions[index]?.leader ?? -1
    const broker = this.#metadata.image.brokers.get(leader)
    if (broker !== undefined) return broker
    throw new KafkaError('COORDINATOR_NOT_AVAILABLE', `${OFFSETS_TOPIC}-${index} has no live leader`)
  }

  /**
   * Hands a member's request to its group; joining and synchronizing wait for the rebalance. Throws INVALID_GROUP_ID,
   * NOT_COORDINATOR or COORDINATOR_LOAD_IN_PROGRESS; every other refusal is in the reply.
   *
   * Reading a partition takes milliseconds as a rule, so it is waited for: kafkajs takes COORDINATOR_LOAD_IN_PROGRESS
   * for a crash, and starts its consumer again after seconds.
   */
  async ask<Kind extends Request['kind']>(
    groupId: string,
    request: GroupRequest<Kind>,
    signal?: AbortSignal,
  ): Promise<Replies[Kind]> {
    if (groupId === '') throw new KafkaError('INVALID_GROUP_ID', 'the group id is empty')
    const index = partitionOfKey(groupId, this.#topic.partitionCount)
    if (this.#shards.isBeingRead(index)) {
      await this.#shards.untilRead(index, LOAD_PATIENCE_MS)
      signal?.throwIfAborted()
    }
    return await this.#shard(groupId).ask(groupId, request, signal)
  }

  /**
   * Stores offsets for a member, or for whoever may speak for an empty group, all or none. `unknownGroup`: what to
   * answer a member of a group that does not exist, which differs between versions.
   */
  async commitOffsets(
    groupId: string,
    member: Omit<CommitMessage, 'ticket' | 'kind'>,
    offsets: readonly OffsetToCommit[],
    unknownGroup: 'ILLEGAL_GENERATION' | 'GROUP_ID_NOT_FOUND',
  ): Promise<void> {
    const shard = this.#shard(groupId)
    if (member.generationId >= 0 && !shard.has(groupId)) {
      throw new KafkaError(unknownGroup, `there is no group "${groupId}"`)
    }
    const { error } = await shard.ask<'commit'>(groupId, { kind: 'commit', ...member })
    if (error !== 'NONE') throw new KafkaError(error)
    await shard.commit(groupId, offsets)
  }

  /** What a group has committed; nothing for one that does not exist. */
  offsetsOf(groupId: string): CommittedOffsets {
    return this.#shard(groupId).offsets(groupId)
  }

  #shard(groupId: string): GroupShard {
    return this.#shards.owner(partitionOfKey(groupId, this.#topic.partitionCount))
  }

  #forgetDeletedTopics(image: MetadataImage, delta: ImageDelta, previous: MetadataImage): void {
    for (const name of delta.topics) {
      const before = previous.topics.get(name)
      if (before === undefined || before.id === image.topics.get(name)?.id) continue
      for (const shard of this.#shards.owners()) {
        shard.forgetTopic(name).catch((error: unknown) => {
          this.#logger.warn({ topic: name, err: error }, 'offsets of a deleted topic could not be removed')
        })
      }
    }
  }
}

function offsetsTopic(config: Config): InternalTopicSpec {
  return {
    name: OFFSETS_TOPIC,
    partitions: config.get('offsets.topic.num.partitions'),
    replicationFactor: config.get('offsets.topic.replication.factor'),
    configs: new Map([
      ['cleanup.policy', 'compact'],
      ['compression.type', 'producer'],
      ['segment.bytes', String(config.get('offsets.topic.segment.bytes'))],
    ]),
  }
}

function createShards(options: GroupCoordinatorOptions, logger: Logger): StateTopic<GroupShard> {
  const { config, replicas, metadata, clock } = options
  const settings = {
    initialRebalanceDelayMs: config.get('group.initial.rebalance.delay.ms'),
    minSessionTimeoutMs: config.get('group.min.session.timeout.ms'),
    maxSessionTimeoutMs: config.get('group.max.session.timeout.ms'),
    maxSize: config.get('group.max.size'),
    newUuid: () => randomUUID(),
  }
  return new StateTopic({
    topic: OFFSETS_TOPIC,
    replicas,
    createOwner: (index, append) =>
      new GroupShard({ settings, append, clock, logger: logger.child({ partition: index }) }),
    isLeaderOf: (index) =>
      metadata.image.topics.get(OFFSETS_TOPIC)?.partitions[index]?.leader === config.brokerId,
    appendTimeoutMs: config.get('offsets.commit.timeout.ms'),
    clock,
    logger,
  })
}
