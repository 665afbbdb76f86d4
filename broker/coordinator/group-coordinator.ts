/**
 * Consumer groups: which broker coordinates a group, and the groups that this broker coordinates.
 * A group belongs to one partition of `__consumer_offsets`; the leader of that partition is its coordinator.
 */
import type { Config } from '../config/config.ts'
import type { ClusterMetadata } from '../metadata/cluster-metadata.ts'
import type { BrokerRegistration } from '../metadata/image.ts'
import { KafkaError } from '../protocol/errors.ts'
import type { ReplicaManager } from '../replication/replica-manager.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/logger.ts'
import { InternalTopic, type InternalTopicSpec } from './internal-topic.ts'
import { partitionOfKey } from './java-hash.ts'

export const OFFSETS_TOPIC = '__consumer_offsets'

export interface GroupCoordinatorOptions {
  readonly config: Config
  readonly replicas: ReplicaManager
  readonly metadata: ClusterMetadata
  readonly clock: Clock
  readonly logger: Logger
  /** Assigns replicas to live brokers and commits the topic. */
  readonly createTopic: (spec: InternalTopicSpec) => Promise<unknown>
}

export class GroupCoordinator {
  readonly #metadata: ClusterMetadata
  readonly #topic: InternalTopic

  constructor(options: GroupCoordinatorOptions) {
    const { config, metadata, clock, createTopic } = options
    const logger = options.logger.child({ part: 'groups' })
    this.#metadata = metadata
    this.#topic = new InternalTopic({
      spec: {
        name: OFFSETS_TOPIC,
        partitions: config.get('offsets.topic.num.partitions'),
        replicationFactor: config.get('offsets.topic.replication.factor'),
        configs: new Map([
          ['cleanup.policy', 'compact'],
          ['compression.type', 'producer'],
          ['segment.bytes', String(config.get('offsets.topic.segment.bytes'))],
        ]),
      },
      replicationFactorKey: 'offsets.topic.replication.factor',
      replicationFactorIsSet: config.isSet('offsets.topic.replication.factor'),
      metadata,
      createTopic,
      clock,
      logger,
    })
  }

  start(): void {
    this.#topic.start()
  }

  /** Waiting members are sent elsewhere; the groups live on in the topic. */
  async close(): Promise<void> {
    this.#topic.close()
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
}
