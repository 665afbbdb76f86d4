/** Makes new topics: spreads their replicas over the live brokers and commits them. */
import type { Config } from '../config/config.ts'
import { assignReplicas } from '../metadata/assignment.ts'
import type { ClusterMetadata } from '../metadata/cluster-metadata.ts'
import type { BrokerRegistration, TopicImage } from '../metadata/image.ts'
import { KafkaError } from '../protocol/errors.ts'
import type { Logger } from '../runtime/logger.ts'
import { SerialQueue } from '../runtime/queue.ts'
import { checkCollision } from './topic-names.ts'

/** Topics that clients have asked for and that wait to be created; beyond that a client has to ask again. */
const MAX_AUTOMATIC = 1000

export interface NewTopic {
  readonly name: string
  readonly partitions: number
  readonly replicationFactor: number
  readonly configs: ReadonlyMap<string, string>
}

export interface TopicCreatorOptions {
  readonly config: Config
  readonly metadata: ClusterMetadata
  readonly logger: Logger
  /** [0, 1) */
  readonly random: () => number
}

export class TopicCreator {
  readonly #options: TopicCreatorOptions
  readonly #automatic = new SerialQueue(MAX_AUTOMATIC)
  readonly #pending = new Set<string>()

  constructor(options: TopicCreatorOptions) {
    this.#options = options
  }

  /** Brokers that may be given replicas: alive, and not about to stop. */
  candidates(): BrokerRegistration[] {
    return [...this.#options.metadata.image.brokers.values()].filter(({ shuttingDown }) => !shuttingDown)
  }

  /** Replicas by partition. Throws INVALID_PARTITIONS, INVALID_REPLICATION_FACTOR. */
  assign(partitions: number, replicationFactor: number): number[][] {
    return assignReplicas(this.candidates(), partitions, replicationFactor, this.#options.random)
  }

  /** Rejects with TOPIC_ALREADY_EXISTS and what `assign` throws. */
  create(topic: NewTopic): Promise<TopicImage> {
    const assignment = this.assign(topic.partitions, topic.replicationFactor)
    return this.#options.metadata.createTopic({ name: topic.name, assignment, configs: topic.configs })
  }

  /** Creates a topic with the broker's defaults in the background; what becomes of it is seen in the metadata. */
  createAutomatically(name: string): void {
    if (this.#pending.has(name) || this.#pending.size >= MAX_AUTOMATIC) return
    this.#pending.add(name)
    void this.#automatic
      .run(() => this.#createWithDefaults(name))
      .catch((error: unknown) => this.#logFailure(name, error))
      .finally(() => this.#pending.delete(name))
  }

  async #createWithDefaults(name: string): Promise<void> {
    const { config, logger, metadata } = this.#options
    checkCollision(name, metadata.image)
    await this.create({
      name,
      partitions: config.get('num.partitions'),
      replicationFactor: config.get('default.replication.factor'),
      configs: new Map(),
    })
    logger.info({ topic: name }, 'topic created automatically')
  }

  #logFailure(name: string, error: unknown): void {
    if (error instanceof KafkaError && error.error === 'TOPIC_ALREADY_EXISTS') return
    this.#options.logger.warn({ topic: name, err: error }, 'topic not created automatically')
  }

  /** Waits for creations under way. */
  close(): Promise<void> {
    return this.#automatic.close()
  }
}
