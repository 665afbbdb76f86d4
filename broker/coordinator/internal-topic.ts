/**
 * A topic that the broker keeps its own state in, created when it is first needed.
 *
 * How many replicas it gets is decided once, for the life of the cluster, often while the cluster is still starting:
 * a configured replication factor is kept to the letter, and the topic waits until enough brokers are alive. Only
 * the default gives way to a smaller cluster, and only once no broker has come or gone for a while
 * (docs/decisions/0050-replicas-of-internal-topics.md).
 */
import type { ClusterMetadata } from '../metadata/cluster-metadata.ts'
import type { MetadataImage, TopicImage } from '../metadata/image.ts'
import { StoreUnavailableError } from '../metadata/store.ts'
import { KafkaError } from '../protocol/errors.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/logger.ts'

/** So long must the set of live brokers have been the same before a default replication factor is lowered to it. */
const SETTLED_AFTER_MS = 3000
const CREATION_TIMEOUT_MS = 5000

export interface InternalTopicSpec {
  readonly name: string
  readonly partitions: number
  readonly replicationFactor: number
  /** Overrides, by topic config key. */
  readonly configs: ReadonlyMap<string, string>
}

export interface InternalTopicOptions {
  readonly spec: InternalTopicSpec
  /** The key that sets the replication factor, and whether someone has set it. */
  readonly replicationFactorKey: string
  readonly replicationFactorIsSet: boolean
  readonly metadata: Pick<ClusterMetadata, 'image' | 'subscribe' | 'waitFor'>
  /** Assigns replicas and commits the topic; TOPIC_ALREADY_EXISTS when another broker was faster. */
  readonly createTopic: (spec: InternalTopicSpec) => Promise<unknown>
  readonly clock: Clock
  readonly logger: Logger
}

export class InternalTopic {
  readonly #options: InternalTopicOptions
  #creation: Promise<TopicImage> | undefined
  #brokersChangedAtMs: number
  #warnedAtBrokers: number | undefined
  #unsubscribe: (() => void) | undefined

  constructor(options: InternalTopicOptions) {
    this.#options = options
    this.#brokersChangedAtMs = options.clock.monotonicMs()
  }

  start(): void {
    this.#unsubscribe = this.#options.metadata.subscribe((image, _delta, previous) => {
      if (liveBrokers(image) !== liveBrokers(previous)) {
        this.#brokersChangedAtMs = this.#options.clock.monotonicMs()
      }
    })
  }

  close(): void {
    this.#unsubscribe?.()
  }

  get name(): string {
    return this.#options.spec.name
  }

  get image(): TopicImage | undefined {
    return this.#options.metadata.image.topics.get(this.name)
  }

  /** How many partitions it has, or will have. */
  get partitionCount(): number {
    return this.image?.partitions.length ?? this.#options.spec.partitions
  }

  /** The topic, created when there is none. COORDINATOR_NOT_AVAILABLE while it cannot be: clients ask again. */
  async ensure(): Promise<TopicImage> {
    const { image } = this
    if (image !== undefined) return image
    this.#creation ??= this.#create().finally(() => {
      this.#creation = undefined
    })
    return await this.#creation
  }

  async #create(): Promise<TopicImage> {
    const { spec, metadata, createTopic, logger } = this.#options
    const replicationFactor = this.#replicationFactor()
    try {
      await createTopic({ ...spec, replicationFactor })
      logger.info(
        { topic: spec.name, partitions: spec.partitions, replicationFactor },
        'created internal topic',
      )
    } catch (error) {
      this.#checkCreation(error)
    }
    await metadata.waitFor((next) => next.topics.has(spec.name), CREATION_TIMEOUT_MS)
    const { image } = this
    if (image !== undefined) return image
    throw new KafkaError(
      'COORDINATOR_NOT_AVAILABLE',
      `${spec.name} was created, but this broker has not seen it within ${CREATION_TIMEOUT_MS} ms`,
    )
  }

  /** Another broker may have been faster; any other failure is told to the client as a reason to try again. */
  #checkCreation(error: unknown): void {
    const { spec, logger } = this.#options
    if (error instanceof KafkaError && error.error === 'TOPIC_ALREADY_EXISTS') return
    if (!(error instanceof KafkaError || error instanceof StoreUnavailableError)) throw error
    logger.warn({ topic: spec.name, error: error.message }, 'internal topic could not be created')
    throw new KafkaError('COORDINATOR_NOT_AVAILABLE', `${spec.name} could not be created: ${error.message}`)
  }

  #replicationFactor(): number {
    const { spec, metadata, clock, replicationFactorIsSet } = this.#options
    const live = liveBrokers(metadata.image)
    if (live >= spec.replicationFactor) return spec.replicationFactor
    if (replicationFactorIsSet || live === 0) throw this.#tooFewBrokers(live)
    const unchangedMs = clock.monotonicMs() - this.#brokersChangedAtMs
    if (unchangedMs < SETTLED_AFTER_MS) {
      throw new KafkaError(
        'COORDINATOR_NOT_AVAILABLE',
        `${spec.name} is created once the brokers have not changed for ${SETTLED_AFTER_MS} ms`,
      )
    }
    this.#warnOfFewReplicas(live)
    return live
  }

  #tooFewBrokers(live: number): KafkaError {
    const { spec, logger, replicationFactorKey } = this.#options
    const detail =
      `${spec.name} needs ${spec.replicationFactor} live brokers (${replicationFactorKey}=${spec.replicationFactor}) ` +
      `and there are ${live}: start the others, or lower ${replicationFactorKey} if the cluster has no more`
    if (this.#warnedAtBrokers !== live) {
      this.#warnedAtBrokers = live
      logger.warn({ topic: spec.name, liveBrokers: live, detail }, 'internal topic waits for more brokers')
    }
    return new KafkaError('COORDINATOR_NOT_AVAILABLE', detail)
  }

  #warnOfFewReplicas(live: number): void {
    const { spec, logger, replicationFactorKey } = this.#options
    logger.warn(
      { topic: spec.name, liveBrokers: live, defaultReplicationFactor: spec.replicationFactor },
      `internal topic gets fewer replicas than the default because the cluster has fewer brokers; set ${replicationFactorKey} before its first use if more brokers are to come`,
    )
  }
}

/** Brokers that may be given replicas: alive, and not about to stop. */
function liveBrokers({ brokers }: MetadataImage): number {
  return [...brokers.values()].filter(({ shuttingDown }) => !shuttingDown).length
}
