/** Cluster metadata that the test sets: what the coordinators need of ClusterMetadata, without a quorum. */
import type { ImageListener } from '../../broker/metadata/cluster-metadata.ts'
import type { BrokerRegistration, MetadataImage, TopicImage } from '../../broker/metadata/image.ts'
import { EMPTY_IMAGE } from '../../broker/metadata/image-fold.ts'
import { waitUntil } from './wait-until.ts'

const NOTHING_ELSE = { controllerChanged: false, brokerConfigsChanged: false, clientQuotasChanged: false }

export class ImageSource {
  image: MetadataImage = EMPTY_IMAGE
  readonly #listeners = new Set<ImageListener>()

  subscribe(listener: ImageListener): () => void {
    this.#listeners.add(listener)
    listener(
      this.image,
      { topics: new Set(this.image.topics.keys()), brokers: new Set(), ...NOTHING_ELSE },
      EMPTY_IMAGE,
    )
    return () => this.#listeners.delete(listener)
  }

  async waitFor(condition: (image: MetadataImage) => boolean, timeoutMs: number): Promise<boolean> {
    await waitUntil(() => condition(this.image), 'the image is as wanted', timeoutMs)
    return true
  }

  setTopics(...topics: readonly TopicImage[]): void {
    const names = [...this.image.topics.keys(), ...topics.map(({ name }) => name)]
    this.#publish(
      {
        topics: new Map(topics.map((topic) => [topic.name, topic])),
        topicNames: new Map(topics.map(({ id, name }) => [id, name])),
      },
      names,
    )
  }

  /** Brokers with these ids are alive. */
  setBrokers(...ids: readonly number[]): void {
    this.#publish({ brokers: new Map(ids.map((id) => [id, brokerImage(id)])) }, [])
  }

  #publish(change: Partial<MetadataImage>, topics: readonly string[]): void {
    const previous = this.image
    this.image = { ...previous, ...change, revision: previous.revision + 1 }
    const delta = { topics: new Set(topics), brokers: new Set<number>(), ...NOTHING_ELSE }
    for (const listener of this.#listeners) listener(this.image, delta, previous)
  }
}

function brokerImage(id: number): BrokerRegistration {
  const endpoint = { listener: 'PLAINTEXT', securityProtocol: 'PLAINTEXT', host: `host-${id}`, port: 9092 }
  return {
    id,
    epoch: 1,
    endpoints: [endpoint],
    rack: null,
    shuttingDown: false,
    offlineReplicas: new Map(),
    completeSince: 0,
    revision: 1,
  }
}

/** A topic whose partitions are all led by `leader`. */
export function topicImage(name: string, id: string, partitions: number, leader = 1): TopicImage {
  return {
    name,
    id,
    configs: new Map(),
    revision: 1,
    partitions: Array.from({ length: partitions }, (_, index) => ({
      index,
      replicas: [leader],
      leader,
      leaderEpoch: 0,
      isr: [leader],
      stateRevision: 1,
      isrRevision: 1,
    })),
  }
}
