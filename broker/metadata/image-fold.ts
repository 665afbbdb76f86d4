/**
 * Folds the tree's changes into images. An image depends on what the tree holds, not on the way there: folding
 * changes one by one gives what folding the whole tree gives. A value that cannot be read is logged and counts as
 * absent (a partition's state: as offline), so one bad key never stops a broker.
 */
import type { Logger } from '../runtime/logger.ts'
import type { BrokerRegistration, ImageDelta, MetadataImage, PartitionImage, TopicImage } from './image.ts'
import { type ClientQuota, limitsOf } from './client-quotas.ts'
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
  decodeConfigs,
  type KeyMeaning,
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
  brokerConfigs: new Map(),
  clientQuotas: new Map(),
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

/** What an update touches. */
interface Changed {
  readonly topics: Set<string>
  readonly brokers: Set<number>
  brokerConfigs: boolean
  quotas: boolean
}

export class ImageFold {
  readonly #logger: Logger
  readonly #brokers = new Map<number, BrokerRegistration>()
  readonly #topics = new Map<string, TopicParts>()
  readonly #brokerConfigs = new Map<string, ReadonlyMap<string, string>>()
  readonly #clientQuotas = new Map<string, ClientQuota>()
  /** Keys that stand alone and keys that hold settings, as they are in the tree. */
  readonly #entries = new Map<string, Entry>()
  readonly #reported = new WeakSet<Entry>()
  #image = EMPTY_IMAGE

  constructor(logger: Logger) {
    this.#logger = logger
  }

  get image(): MetadataImage {
    return this.#image
  }

  /** The last known entry of a key that stands alone (`/controller_epoch`, …) or that holds settings (`/config/…`). */
  entry(key: string): Entry | undefined {
    return this.#entries.get(key)
  }

  /** The next image, and what differs from the one before. */
  apply(update: TreeUpdate): ImageDelta {
    const before = this.#image
    const changed: Changed = { topics: new Set(), brokers: new Set(), brokerConfigs: false, quotas: false }
    if (update.reset) this.#clear(changed)
    for (const change of update.changes) this.#place(change, changed)
    this.#image = this.#build(before, update.revision, changed)
    const controllerChanged =
      before.controller?.revision !== this.#image.controller?.revision ||
      before.controller?.epoch !== this.#image.controller?.epoch
    return {
      topics: changed.topics,
      brokers: changed.brokers,
      controllerChanged,
      brokerConfigsChanged: changed.brokerConfigs,
      clientQuotasChanged: changed.quotas,
    }
  }

  #clear(changed: Changed): void {
    for (const name of this.#topics.keys()) changed.topics.add(name)
    for (const id of this.#brokers.keys()) changed.brokers.add(id)
    changed.brokerConfigs ||= this.#brokerConfigs.size > 0
    changed.quotas ||= this.#clientQuotas.size > 0
    this.#brokerConfigs.clear()
    this.#clientQuotas.clear()
    this.#topics.clear()
    this.#brokers.clear()
    this.#entries.clear()
  }

  #place({ key, entry }: TreeChange, changed: Changed): void {
    const meaning = meaningOf(key)
    if (meaning !== undefined && isKept(meaning)) this.#setEntry(key, entry)
    switch (meaning?.kind) {
      case undefined:
        return
      case 'broker':
        changed.brokers.add(meaning.id)
        return this.#placeBroker(meaning.id, entry)
      case 'topic':
      case 'state':
      case 'config': {
        changed.topics.add(meaning.topic)
        const parts: TopicParts = this.#topics.get(meaning.topic) ?? { states: new Map() }
        if (meaning.kind === 'topic') setPart(parts, 'topic', this.#decoded(entry, decodeTopic))
        else if (meaning.kind === 'config') setPart(parts, 'config', this.#decoded(entry, decodeConfigs))
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
      case 'brokerConfig':
        changed.brokerConfigs = true
        return setOrDelete(this.#brokerConfigs, meaning.broker, this.#decoded(entry, decodeConfigs)?.value)
      case 'quota': {
        changed.quotas = true
        const settings = this.#decoded(entry, decodeConfigs)?.value
        const quota = settings && { entity: meaning.entity, limits: limitsOf(settings) }
        return setOrDelete(this.#clientQuotas, key, quota)
      }
      case 'controller':
      case 'controllerEpoch':
      case 'clusterId':
      case 'producerIdBlock':
    }
  }

  #setEntry(key: string, entry: Entry | undefined): void {
    if (entry === undefined) this.#entries.delete(key)
    else this.#entries.set(key, entry)
  }

  #placeBroker(id: number, entry: Entry | undefined): void {
    const held = this.#decoded(entry, decodeBroker)
    if (held === undefined) {
      this.#brokers.delete(id)
      return
    }
    const { endpoints, rack, shuttingDown, offlineReplicas, completeSince } = held.value
    const { createRevision: epoch, modRevision: revision } = held.entry
    this.#brokers.set(id, {
      id,
      epoch,
      endpoints,
      rack,
      shuttingDown,
      offlineReplicas,
      completeSince: completeSince ?? epoch,
      revision,
    })
  }

  #build(before: MetadataImage, revision: number, changed: Changed): MetadataImage {
    const clusterId = this.#decoded(this.#entries.get(CLUSTER_ID_KEY), decodeClusterId)?.value
    const shared = {
      revision,
      clusterId,
      controller: this.#controller(),
      brokers: changed.brokers.size > 0 ? new Map(this.#brokers) : before.brokers,
      brokerConfigs: changed.brokerConfigs ? new Map(this.#brokerConfigs) : before.brokerConfigs,
      clientQuotas: changed.quotas ? new Map(this.#clientQuotas) : before.clientQuotas,
    }
    if (changed.topics.size === 0) return { ...before, ...shared }
    const topics = new Map(before.topics)
    const topicNames = new Map(before.topicNames)
    for (const name of changed.topics) {
      const old = topics.get(name)
      if (old !== undefined) topicNames.delete(old.id)
      const next = topicImage(name, this.#topics.get(name))
      if (next === undefined) topics.delete(name)
      else topics.set(name, next)
    }
    for (const name of changed.topics) {
      const topic = topics.get(name)
      if (topic !== undefined) topicNames.set(topic.id, name)
    }
    return { ...shared, topics, topicNames }
  }

  #controller(): MetadataImage['controller'] {
    const held = this.#decoded(this.#entries.get(CONTROLLER_KEY), decodeController)
    if (held === undefined) return undefined
    const epoch = this.#decoded(this.#entries.get(CONTROLLER_EPOCH_KEY), decodeControllerEpoch)?.value ?? 0
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

/** Whether the entry itself is wanted later, for its value or to compare its revision. */
function isKept({ kind }: KeyMeaning): boolean {
  return kind !== 'broker' && kind !== 'topic' && kind !== 'state'
}

function setOrDelete<K, V>(map: Map<K, V>, key: K, value: V | undefined): void {
  if (value === undefined) map.delete(key)
  else map.set(key, value)
}

function setPart<K extends 'topic' | 'config'>(
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
    const stateRevision = state?.entry.modRevision ?? 0
    return { index, replicas, isrRevision: stateRevision, ...(state?.value ?? OFFLINE), stateRevision }
  })
  const configs = parts.config?.value ?? new Map<string, string>()
  return { name, id: value.id, partitions, configs, revision: entry.modRevision }
}
