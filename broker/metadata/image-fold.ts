/**
 * Folds the tree's changes into images. An image depends on what the tree holds, not on the way there: folding
 * changes one by one gives what folding the whole tree gives. A value that cannot be read is logged and counts as
 * absent (a partition's state: as offline), so one bad key never stops a broker.
 */
import type { Logger } from '../runtime/logger.ts'
import type { BrokerRegistration, ImageDelta, MetadataImage, PartitionImage, TopicImage } from './image.ts'
import {
  CLUSTER_ID_KEY,
  CONTROLLER_EPOCH_KEY,
  CONTROLLER_KEY,
  decodeBroker,
  decodeClusterId,
  decodeController,
  decodeControllerEpoch,
  decodePartitionState,
  decodeTopic,
  decodeTopicConfig,
  meaningOf,
  type PartitionState,
  type TopicValue,
} from './keys.ts'
import type { Entry, TreeChange, TreeUpdate } from './store.ts'

export const EMPTY_IMAGE: MetadataImage = {
  revision: 0,
  clusterId: undefined,
  controller: undefined,
  brokers: new Map(),
  topics: new Map(),
  topicNames: new Map(),
}

const OFFLINE: PartitionState = { leader: -1, leaderEpoch: 0, isr: [] }

/** A decoded value with the revisions of its key. */
interface Held<T> {
  readonly value: T
  readonly entry: Entry
}

/** The keys of one topic, in whatever order they come. */
interface TopicParts {
  topic?: Held<TopicValue>
  config?: Held<ReadonlyMap<string, string>>
  readonly states: Map<number, Held<PartitionState>>
}

export class ImageFold {
  readonly #logger: Logger
  readonly #brokers = new Map<number, BrokerRegistration>()
  readonly #topics = new Map<string, TopicParts>()
  /** Keys that stand alone, undecoded where the image does not hold them. */
  readonly #single = new Map<string, Entry>()
  readonly #reported = new WeakSet<Entry>()
  #image = EMPTY_IMAGE

  constructor(logger: Logger) {
    this.#logger = logger
  }

  get image(): MetadataImage {
    return this.#image
  }

  /** The last known entry of a key that stands alone (`/controller_epoch`, `/latest_producer_id_block`, …). */
  entry(key: string): Entry | undefined {
    return this.#single.get(key)
  }

  /** The next image, and what differs from the one before. */
  apply(update: TreeUpdate): ImageDelta {
    const before = this.#image
    const topics = new Set<string>()
    const brokers = new Set<number>()
    if (update.reset) this.#clear(topics, brokers)
    for (const change of update.changes) this.#place(change, topics, brokers)
    this.#image = this.#build(before, update.revision, topics, brokers.size > 0)
    const controllerChanged =
      before.controller?.revision !== this.#image.controller?.revision ||
      before.controller?.epoch !== this.#image.controller?.epoch
    return { topics, brokers, controllerChanged }
  }

  #clear(topics: Set<string>, brokers: Set<number>): void {
    for (const name of this.#topics.keys()) topics.add(name)
    for (const id of this.#brokers.keys()) brokers.add(id)
    this.#topics.clear()
    this.#brokers.clear()
    this.#single.clear()
  }

  #place({ key, entry }: TreeChange, topics: Set<string>, brokers: Set<number>): void {
    const meaning = meaningOf(key)
    switch (meaning?.kind) {
      case undefined:
        return
      case 'broker':
        brokers.add(meaning.id)
        return this.#placeBroker(meaning.id, entry)
      case 'topic':
      case 'state':
      case 'config': {
        topics.add(meaning.topic)
        const parts: TopicParts = this.#topics.get(meaning.topic) ?? { states: new Map() }
        if (meaning.kind === 'topic') setOrDelete(parts, 'topic', this.#decoded(entry, decodeTopic))
        else if (meaning.kind === 'config')
          setOrDelete(parts, 'config', this.#decoded(entry, decodeTopicConfig))
        else if (entry === undefined) parts.states.delete(meaning.index)
        else
          parts.states.set(
            meaning.index,
            this.#decoded(entry, decodePartitionState) ?? { value: OFFLINE, entry },
          )
        if (!parts.topic && !parts.config && parts.states.size === 0) this.#topics.delete(meaning.topic)
        else this.#topics.set(meaning.topic, parts)
        return
      }
      case 'controller':
      case 'controllerEpoch':
      case 'clusterId':
      case 'producerIdBlock':
        if (entry === undefined) this.#single.delete(key)
        else this.#single.set(key, entry)
    }
  }

  #placeBroker(id: number, entry: Entry | undefined): void {
    const held = this.#decoded(entry, decodeBroker)
    if (held === undefined) {
      this.#brokers.delete(id)
      return
    }
    const { endpoints, rack, shuttingDown } = held.value
    const { createRevision: epoch, modRevision: revision } = held.entry
    this.#brokers.set(id, { id, epoch, endpoints, rack, shuttingDown, revision })
  }

  #build(
    before: MetadataImage,
    revision: number,
    changed: ReadonlySet<string>,
    brokersChanged: boolean,
  ): MetadataImage {
    const clusterId = this.#decoded(this.#single.get(CLUSTER_ID_KEY), decodeClusterId)?.value
    const shared = { revision, clusterId, controller: this.#controller() }
    const brokers = brokersChanged ? new Map(this.#brokers) : before.brokers
    if (changed.size === 0) return { ...before, ...shared, brokers }
    const topics = new Map(before.topics)
    const topicNames = new Map(before.topicNames)
    for (const name of changed) {
      const old = topics.get(name)
      if (old !== undefined) topicNames.delete(old.id)
      const next = topicImage(name, this.#topics.get(name))
      if (next === undefined) topics.delete(name)
      else topics.set(name, next)
    }
    for (const name of changed) {
      const topic = topics.get(name)
      if (topic !== undefined) topicNames.set(topic.id, name)
    }
    return { ...shared, brokers, topics, topicNames }
  }

  #controller(): MetadataImage['controller'] {
    const held = this.#decoded(this.#single.get(CONTROLLER_KEY), decodeController)
    if (held === undefined) return undefined
    const epoch = this.#decoded(this.#single.get(CONTROLLER_EPOCH_KEY), decodeControllerEpoch)?.value ?? 0
    return { brokerId: held.value, epoch, revision: held.entry.modRevision }
  }

  #decoded<T>(entry: Entry | undefined, decode: (text: string) => T): Held<T> | undefined {
    if (entry === undefined) return undefined
    try {
      return { value: decode(entry.value), entry }
    } catch (error) {
      const { key, value } = entry
      if (!this.#reported.has(entry))
        this.#logger.error(
          { error, key, value: value.slice(0, 200) },
          'skipped a metadata value that cannot be read',
        )
      this.#reported.add(entry)
      return undefined
    }
  }
}

function setOrDelete<K extends 'topic' | 'config'>(
  parts: TopicParts,
  name: K,
  held: TopicParts[K] | undefined,
): void {
  if (held === undefined) delete parts[name]
  else parts[name] = held
}

/** Undefined without an assignment. A partition whose state is still to be written is offline at state revision 0. */
function topicImage(name: string, parts: TopicParts | undefined): TopicImage | undefined {
  if (parts?.topic === undefined) return undefined
  const { value, entry } = parts.topic
  const partitions = value.assignment.map((replicas, index): PartitionImage => {
    const state = parts.states.get(index)
    return { index, replicas, ...(state?.value ?? OFFLINE), stateRevision: state?.entry.modRevision ?? 0 }
  })
  const configs = parts.config?.value ?? new Map<string, string>()
  return { name, id: value.id, partitions, configs, revision: entry.modRevision }
}
