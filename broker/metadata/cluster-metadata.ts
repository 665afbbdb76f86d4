/**
 * The cluster's metadata as one broker has it: an image that follows the quorum, and the changes that a broker makes.
 * Every change is one transaction that compares what it was decided on. When a method that changes something
 * returns, the image shows the change (or the quorum has been silent for CATCH_UP_MS).
 */
import { KafkaError } from '../protocol/errors.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/logger.ts'
import { ImageFold } from './image-fold.ts'
import type { BrokerRegistration, ImageDelta, MetadataImage, PartitionImage, TopicImage } from './image.ts'
import * as keys from './keys.ts'
import { newUuid } from './new-uuid.ts'
import { Registration, type BrokerIdentity } from './registration.ts'
import {
  MAX_OPERATIONS,
  StoreUnavailableError,
  type Change,
  type Condition,
  type Entry,
  type MetadataStore,
  type TreeUpdate,
} from './store.ts'

const PRODUCER_ID_BLOCK_SIZE = 1_000
/** How long a change may take to come back in the image. */
const CATCH_UP_MS = 2_000
const CALL_TIMEOUT_MS = 5_000
/** States written with a topic's key: two operations are left for the key itself and for its config. */
const STATES_PER_COMMIT = MAX_OPERATIONS - 2
const PRODUCER_ID_ATTEMPTS = 20

export type ImageListener = (image: MetadataImage, delta: ImageDelta, previous: MetadataImage) => void

export interface TopicSpec {
  readonly name: string
  /** 22 characters of base64url; a new one unless given. */
  readonly id?: string
  /** Replicas by partition, the preferred leader first. */
  readonly assignment: readonly (readonly number[])[]
  readonly configs: ReadonlyMap<string, string>
}

export interface ProducerIdBlock {
  readonly first: number
  readonly size: number
}

export class ClusterMetadata {
  readonly #store: MetadataStore
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #fold: ImageFold
  readonly #listeners = new Set<ImageListener>()
  #registration: Registration | undefined

  constructor(options: { store: MetadataStore; clock: Clock; logger: Logger }) {
    this.#store = options.store
    this.#clock = options.clock
    this.#logger = options.logger.child({ part: 'metadata' })
    this.#fold = new ImageFold(this.#logger)
  }

  get image(): MetadataImage {
    return this.#fold.image
  }

  /** This broker's registration; undefined before `register`. */
  get registration(): Registration | undefined {
    return this.#registration
  }

  /** Reads the tree and follows it. Rejects with StoreUnavailableError when no quorum answers within `timeoutMs`. */
  open(timeoutMs: number): Promise<void> {
    return this.#store.open((update) => this.#apply(update), timeoutMs)
  }

  /** Milliseconds since the quorum last answered anything. */
  silentMs(): number {
    return this.#store.silentMs()
  }

  /** The last known value of a key that stands alone, or that holds settings, with its revisions. */
  entry(key: string): Entry | undefined {
    return this.#fold.entry(key)
  }

  /** Calls `listener` at once with the present image (delta: everything), then after each change. The result ends it. */
  subscribe(listener: ImageListener): () => void {
    const { image } = this
    const all = {
      topics: new Set(image.topics.keys()),
      brokers: new Set(image.brokers.keys()),
      controllerChanged: true,
      brokerConfigsChanged: true,
      clientQuotasChanged: true,
    }
    this.#call(listener, image, all, image)
    this.#listeners.add(listener)
    return () => {
      this.#listeners.delete(listener)
    }
  }

  /** True once the condition holds; false after `timeoutMs`, or when `signal` is aborted. */
  waitFor(
    condition: (image: MetadataImage) => boolean,
    timeoutMs: number,
    signal?: AbortSignal,
  ): Promise<boolean> {
    if (condition(this.image)) return Promise.resolve(true)
    if (signal?.aborted) return Promise.resolve(false)
    return new Promise((resolve) => {
      const listener = (image: MetadataImage): void => {
        if (condition(image)) finish(true)
      }
      const onAbort = (): void => finish(false)
      const finish = (held: boolean): void => {
        cancel()
        signal?.removeEventListener('abort', onAbort)
        this.#listeners.delete(listener)
        resolve(held)
      }
      const cancel = this.#clock.after(timeoutMs, () => finish(false))
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#listeners.add(listener)
    })
  }

  /** The id of the cluster; the first broker ever to ask makes it up. */
  async ensureClusterId(timeoutMs: number): Promise<string> {
    const deadline = this.#clock.monotonicMs() + timeoutMs
    if (this.image.clusterId === undefined) {
      const value = keys.encodeClusterId(newUuid())
      const condition = { key: keys.CLUSTER_ID_KEY, modRevision: 0 }
      await this.#store.commit(
        { conditions: [condition], changes: [{ key: keys.CLUSTER_ID_KEY, value }] },
        timeoutMs,
      )
    }
    await this.waitFor(({ clusterId }) => clusterId !== undefined, deadline - this.#clock.monotonicMs())
    const { clusterId } = this.image
    if (clusterId === undefined) {
      throw new StoreUnavailableError(`${keys.CLUSTER_ID_KEY} did not become readable within ${timeoutMs} ms`)
    }
    return clusterId
  }

  /** Makes this broker known for as long as it lives. Rejects when another live broker keeps the id for a session. */
  async register(broker: BrokerIdentity, sessionTimeoutMs: number): Promise<Registration> {
    if (this.#registration !== undefined) throw new Error(`broker ${broker.id} is registered already`)
    const registration = new Registration({
      broker,
      sessionTimeoutMs,
      store: this.#store,
      clock: this.#clock,
      logger: this.#logger,
      image: () => this.image,
      waitFor: (condition, timeoutMs, signal) => this.waitFor(condition, timeoutMs, signal),
    })
    await registration.start()
    this.#registration = registration
    await this.#caughtUp(registration.epoch)
    return registration
  }

  /**
   * Removes the registration of a broker that is gone, and its hold on the controllership, without waiting for
   * its session to end. False: it has registered anew, or another broker was faster. A broker that is removed by
   * mistake registers again.
   */
  async removeBroker(broker: BrokerRegistration): Promise<boolean> {
    const { controller } = this.image
    const held = [{ key: keys.brokerKey(broker.id), modRevision: broker.revision }]
    if (controller?.brokerId === broker.id) {
      held.push({ key: keys.CONTROLLER_KEY, modRevision: controller.revision })
    }
    const changes = held.map(({ key }) => ({ key, value: null }))
    return (await this.commit(held, changes)) !== undefined
  }

  /**
   * The topic with the states of its partitions: led by the first live replica, in sync: the live ones.
   * Rejects with KafkaError TOPIC_ALREADY_EXISTS, INVALID_REPLICA_ASSIGNMENT, or StoreUnavailableError.
   *
   * States beyond those that fit into one transaction follow in further ones; should this broker die in between, the
   * controller writes them.
   */
  async createTopic(spec: TopicSpec): Promise<TopicImage> {
    const { name, assignment, configs } = spec
    const topicKey = keys.topicKey(name)
    const changes = assignment.map((replicas, index) => this.#firstState(name, index, replicas))
    const first: Change[] = [
      { key: topicKey, value: keys.encodeTopic({ id: spec.id ?? newUuid(), assignment }) },
      configs.size > 0
        ? { key: keys.topicConfigKey(name), value: keys.encodeConfigs(configs) }
        : { key: keys.topicConfigKey(name), value: null },
      ...changes.slice(0, STATES_PER_COMMIT),
    ]
    const result = await this.commit([{ key: topicKey, modRevision: 0 }], first)
    if (result === undefined) throw new KafkaError('TOPIC_ALREADY_EXISTS', `topic "${name}" already exists`)
    await this.#writeStates({ key: topicKey, modRevision: result }, changes.slice(STATES_PER_COMMIT))
    const complete = (topic: TopicImage | undefined): boolean =>
      topic !== undefined && topic.revision >= result && topic.partitions.every((p) => p.stateRevision > 0)
    await this.waitFor(
      (image) => (image.revision > result && !image.topics.has(name)) || complete(image.topics.get(name)),
      CATCH_UP_MS,
    )
    const topic = this.image.topics.get(name)
    if (topic !== undefined && complete(topic)) return topic
    throw new StoreUnavailableError(`topic "${name}" was created, but did not show within ${CATCH_UP_MS} ms`)
  }

  /**
   * Adds partitions with these replicas behind those that `topic` has. False: the topic has changed meanwhile, and
   * the image shows how. Rejects as `createTopic` does.
   */
  async addPartitions(topic: TopicImage, added: readonly (readonly number[])[]): Promise<boolean> {
    const { name, id, partitions, revision } = topic
    const key = keys.topicKey(name)
    const assignment = [...partitions.map(({ replicas }) => replicas), ...added]
    const states = added.map((replicas, index) => this.#firstState(name, partitions.length + index, replicas))
    const first = [
      { key, value: keys.encodeTopic({ id, assignment }) },
      ...states.slice(0, STATES_PER_COMMIT),
    ]
    const result = await this.commit([{ key, modRevision: revision }], first)
    if (result === undefined) {
      await this.waitFor(({ topics }) => topics.get(name)?.revision !== revision, CATCH_UP_MS)
      return false
    }
    await this.#writeStates({ key, modRevision: result }, states.slice(STATES_PER_COMMIT))
    return true
  }

  /** The states of partitions that did not fit into the transaction of their topic, as long as nobody else has written them. */
  async #writeStates(topic: Condition, states: readonly Change[]): Promise<void> {
    for (let at = 0; at < states.length; at += STATES_PER_COMMIT) {
      const batch = states.slice(at, at + STATES_PER_COMMIT)
      const unwritten = batch.map(({ key }) => ({ key, modRevision: 0 }))
      await this.commit([topic, ...unwritten], batch)
    }
  }

  /** Rejects with KafkaError UNKNOWN_TOPIC_OR_PARTITION when there is no such topic, or another one of that name by now. */
  async deleteTopic(name: string, id: string): Promise<void> {
    const topic = this.image.topics.get(name)
    const unknown = new KafkaError('UNKNOWN_TOPIC_OR_PARTITION', `there is no topic "${name}" with id ${id}`)
    if (topic?.id !== id) throw unknown
    const key = keys.topicKey(name)
    const result = await this.commit(
      [{ key, modRevision: topic.revision }],
      [
        { key, value: null },
        { key: `${key}/`, value: null, prefix: true },
        { key: keys.topicConfigKey(name), value: null },
      ],
    )
    if (result === undefined) throw unknown
  }

  /**
   * Replaces a partition's state if it is still `expected`, and the members of the next ISR are registered as the
   * image of this moment has them: a member is in sync in one life of its broker. False: one of these has changed,
   * and the image shows it.
   */
  async changePartition(
    topic: string,
    index: number,
    expected: PartitionImage,
    next: keys.PartitionState,
  ): Promise<boolean> {
    const key = keys.partitionStateKey(topic, index)
    const value = keys.encodePartitionState(next, this.image.controller?.epoch ?? 0)
    const { brokers } = this.image
    const members = registrationConditions(this.image, next.isr)
    if (members.length < next.isr.length) return false
    const conditions = [{ key, modRevision: expected.stateRevision }, ...members]
    if ((await this.commit(conditions, [{ key, value }])) !== undefined) return true
    const isStale = (image: MetadataImage): boolean =>
      image.topics.get(topic)?.partitions[index]?.stateRevision !== expected.stateRevision ||
      next.isr.some((id) => image.brokers.get(id)?.revision !== brokers.get(id)?.revision)
    await this.waitFor(isStale, CATCH_UP_MS)
    return false
  }

  /** A block of producer ids that no other broker has had or will have. */
  async producerIdBlock(): Promise<ProducerIdBlock> {
    const key = keys.PRODUCER_ID_BLOCK_KEY
    for (let attempt = 0; attempt < PRODUCER_ID_ATTEMPTS; attempt++) {
      const entry = this.entry(key)
      const first = entry === undefined ? 0 : keys.decodeProducerIdBlock(entry.value).last + 1
      const block = {
        brokerId: this.#registration?.brokerId ?? -1,
        first,
        last: first + PRODUCER_ID_BLOCK_SIZE - 1,
      }
      const modRevision = entry?.modRevision ?? 0
      const value = keys.encodeProducerIdBlock(block)
      const committed = await this.commit([{ key, modRevision }], [{ key, value }])
      if (committed !== undefined) return { first, size: PRODUCER_ID_BLOCK_SIZE }
      await this.waitFor(() => (this.entry(key)?.modRevision ?? 0) !== modRevision, CATCH_UP_MS)
    }
    throw new StoreUnavailableError(
      `could not get a block of producer ids in ${PRODUCER_ID_ATTEMPTS} attempts`,
    )
  }

  /**
   * Applies the changes if the conditions hold, and waits for the image to show them: the revision, or undefined
   * when a condition did not hold. For the parts of metadata/; others have a method for what they change.
   */
  async commit(conditions: readonly Condition[], changes: readonly Change[]): Promise<number | undefined> {
    const result = await this.#store.commit({ conditions, changes }, CALL_TIMEOUT_MS)
    if (!result.committed) return undefined
    await this.#caughtUp(result.revision)
    return result.revision
  }

  /** Stops following the quorum; bounded in time also when that is dead. Close the registration first. */
  async close(): Promise<void> {
    await this.#store.close()
  }

  #firstState(topic: string, index: number, replicas: readonly number[]): Change {
    const isr = replicas.filter((id) => this.image.brokers.has(id))
    if (isr.length === 0) {
      throw new KafkaError(
        'INVALID_REPLICA_ASSIGNMENT',
        `partition ${index}: none of its replicas [${replicas.join(', ')}] is alive`,
      )
    }
    const state = { leader: isr[0]!, leaderEpoch: 0, isr }
    return {
      key: keys.partitionStateKey(topic, index),
      value: keys.encodePartitionState(state, this.image.controller?.epoch ?? 0),
    }
  }

  async #caughtUp(revision: number): Promise<void> {
    await this.waitFor((image) => image.revision >= revision, CATCH_UP_MS)
  }

  #apply(update: TreeUpdate): void {
    const previous = this.image
    const delta = this.#fold.apply(update)
    const { image } = this
    // Those that a listener adds have seen this image already.
    const listeners = [...this.#listeners]
    for (const listener of listeners) this.#call(listener, image, delta, previous)
  }

  #call(listener: ImageListener, image: MetadataImage, delta: ImageDelta, previous: MetadataImage): void {
    try {
      listener(image, delta, previous)
    } catch (error) {
      this.#logger.error({ error, revision: image.revision }, 'a listener failed on a new image')
    }
  }
}

/** That these brokers are registered as `image` has them; nothing for those that are not. */
export function registrationConditions(image: MetadataImage, brokerIds: Iterable<number>): Condition[] {
  return [...new Set(brokerIds)].flatMap((id) => {
    const broker = image.brokers.get(id)
    return broker === undefined ? [] : [{ key: keys.brokerKey(id), modRevision: broker.revision }]
  })
}
