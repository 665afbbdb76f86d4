/** Logs that the quorum has no replica for here: their topic was deleted, or moved away, while this broker was down. */
import type { MetadataImage } from '../metadata/image.ts'
import type { PartitionLog } from '../storage/partition-log.ts'

/**
 * To be removed; but a quorum that knows no topic at all is more likely to have lost them than the operator to have
 * deleted the last one just then, so that nothing is removed on its word.
 */
export function strayLogs(
  logs: Iterable<PartitionLog>,
  image: MetadataImage,
  brokerId: number,
): PartitionLog[] {
  return [...logs].filter(({ topic: name, topicId, partition }) => {
    const topic = image.topics.get(name)
    const isAssigned = topic?.partitions[partition]?.replicas.includes(brokerId) === true
    return topic?.id !== topicId || !isAssigned
  })
}
