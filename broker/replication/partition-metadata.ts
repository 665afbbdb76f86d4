/** What the partitions of a broker need of the cluster's metadata, as it is when they ask. */
import type { ClusterMetadata } from '../metadata/cluster-metadata.ts'
import { hasReplica } from '../metadata/offline-replicas.ts'
import type { PartitionMetadata } from './leadership.ts'

/** An ISR change is not even tried when the quorum has not answered for this long. */
const QUORUM_SILENT_MS = 3000

export function partitionMetadata(metadata: ClusterMetadata): PartitionMetadata {
  return {
    epoch: (id) => metadata.image.brokers.get(id)?.epoch,
    hasReplica: (id, topicId, index) => hasReplica(metadata.image.brokers.get(id), topicId, index),
    shuttingDown: (id) => metadata.image.brokers.get(id)?.shuttingDown ?? false,
    async changeIsr(topic, index, expected, isr) {
      const silentMs = metadata.silentMs()
      if (silentMs > QUORUM_SILENT_MS) {
        throw new Error(`the metadata quorum has not answered for ${Math.round(silentMs)} ms`)
      }
      const { leader, leaderEpoch } = expected
      return metadata.changePartition(topic, index, expected, { leader, leaderEpoch, isr: [...isr] })
    },
  }
}
