/** Counts of partitions in an image. */
import type { MetadataImage, PartitionImage } from './image.ts'

const NO_LEADER = -1

/** Partitions that `brokerId` leads and that `condition` holds for. */
export function countLed(
  image: MetadataImage,
  brokerId: number,
  condition: (partition: PartitionImage) => boolean,
): number {
  let count = 0
  for (const { partitions } of image.topics.values()) {
    for (const partition of partitions) if (partition.leader === brokerId && condition(partition)) count += 1
  }
  return count
}

/** Partitions of the whole cluster that no broker leads. */
export function countWithoutLeader(image: MetadataImage): number {
  return countLed(image, NO_LEADER, () => true)
}
