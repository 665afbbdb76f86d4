/**
 * Replicas that their broker cannot serve although it is alive, because their log directory failed. The broker says so
 * in its registration, so that it holds exactly as long as that life of the broker: after a restart with a good disk it
 * registers without them.
 */
import type { BrokerRegistration, MetadataImage, PartitionImage } from './image.ts'

/** Indexes of partitions by topic id: a new topic of the same name is not meant. */
export type OfflineReplicas = ReadonlyMap<string, ReadonlySet<number>>

export const NO_OFFLINE_REPLICAS: OfflineReplicas = new Map()

/** Whether `broker` is alive and has its replica of the partition. */
export function hasReplica(
  broker: BrokerRegistration | undefined,
  topicId: string,
  index: number,
): broker is BrokerRegistration {
  return broker !== undefined && broker.offlineReplicas.get(topicId)?.has(index) !== true
}

/** Those of the partition's replicas that nobody can reach: their broker is gone, or their directory has failed. */
export function offlineReplicasOf(
  image: MetadataImage,
  topicId: string,
  { replicas, index }: PartitionImage,
): number[] {
  return replicas.filter((id) => !hasReplica(image.brokers.get(id), topicId, index))
}
