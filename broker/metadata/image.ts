/**
 * The cluster's metadata as one immutable value, folded from the tree's changes. Handlers read it without I/O;
 * a subscriber gets each new image together with what changed.
 */
import type { ClientQuota } from './client-quotas.ts'

import type { OfflineReplicas } from './offline-replicas.ts'

/** Where clients or brokers reach one listener of a broker. */
export interface Endpoint {
  readonly listener: string
  readonly securityProtocol: string
  readonly host: string
  readonly port: number
}

/** `/brokers/ids/<id>`: there while the broker's lease is. */
export interface BrokerRegistration {
  readonly id: number
  /** Grows with every registration of this id (the revision at which the key was created): fences old lives. */
  readonly epoch: number
  readonly endpoints: readonly Endpoint[]
  readonly rack: string | null
  /** True once the broker has asked to hand its leaderships over (controlled shutdown). */
  readonly shuttingDown: boolean
  /** Replicas on log directories that failed. */
  readonly offlineReplicas: OfflineReplicas
  /**
   * Since this revision of the metadata nothing that was appended here can have been lost: the logs were closed
   * cleanly, or the machine has not been started since. The registration's own epoch when that is not known.
   */
  readonly completeSince: number
  /** Revision of the key's last write. */
  readonly revision: number
}

/** `/brokers/topics/<t>` assignment and `/brokers/topics/<t>/partitions/<p>/state` of one partition. */
export interface PartitionImage {
  readonly index: number
  /** Broker ids, the preferred leader first. */
  readonly replicas: readonly number[]
  /** Broker id, or -1 when no in-sync replica is alive. */
  readonly leader: number
  readonly leaderEpoch: number
  readonly isr: readonly number[]
  /** Revision of the state key's last write: the compare value for changing it, and the partition epoch. */
  readonly stateRevision: number
  /**
   * Revision at which the members of the ISR were in sync for certain: the state's own, but while nobody leads that of
   * the last state with a leader.
   */
  readonly isrRevision: number
}

export interface TopicImage {
  readonly name: string
  /** Kafka's text form of a UUID: 22 characters of base64url. */
  readonly id: string
  /** By partition index, without gaps. */
  readonly partitions: readonly PartitionImage[]
  /** Overrides only, by topic config key (`retention.ms`). */
  readonly configs: ReadonlyMap<string, string>
  /** Revision of the topic key's last write. */
  readonly revision: number
}

/** `/controller` with `/controller_epoch`. */
export interface ControllerImage {
  readonly brokerId: number
  readonly epoch: number
  /** Revision at which it was elected: a commit that compares it is fenced against deposed controllers. */
  readonly revision: number
}

export interface MetadataImage {
  readonly revision: number
  readonly clusterId: string | undefined
  readonly controller: ControllerImage | undefined
  readonly brokers: ReadonlyMap<number, BrokerRegistration>
  readonly topics: ReadonlyMap<string, TopicImage>
  /** Settings that can change while brokers run, by broker id as text; by "" those of all brokers. */
  readonly brokerConfigs: ReadonlyMap<string, ReadonlyMap<string, string>>
  /** By their key in the tree. */
  readonly clientQuotas: ReadonlyMap<string, ClientQuota>
  /** Topic names by id. */
  readonly topicNames: ReadonlyMap<string, string>
}

/** What one update changed: names of topics and ids of brokers that were added, changed or removed. */
export interface ImageDelta {
  readonly topics: ReadonlySet<string>
  readonly brokers: ReadonlySet<number>
  readonly controllerChanged: boolean
  readonly brokerConfigsChanged: boolean
  readonly clientQuotasChanged: boolean
}
