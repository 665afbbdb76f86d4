/** A partition as clients are shown it, in Metadata and DescribeTopicPartitions. */
import type { PartitionImage } from '../metadata/image.ts'
import { offlineReplicasOf } from '../metadata/offline-replicas.ts'
import { errorCode } from '../protocol/errors.ts'
import type { RequestContext } from './context.ts'

export interface PartitionView {
  readonly errorCode: number
  readonly partitionIndex: number
  /** -1 beside an error. */
  readonly leaderId: number
  readonly leaderEpoch: number
  readonly replicaNodes: readonly number[]
  readonly isrNodes: readonly number[]
  readonly offlineReplicas: readonly number[]
}

/** LEADER_NOT_AVAILABLE without a live leader; LISTENER_NOT_FOUND where it lacks the listener that was asked. */
export function viewPartition(
  topicId: string,
  partition: PartitionImage,
  { metadata: { image }, listener }: RequestContext,
): PartitionView {
  const leader = image.brokers.get(partition.leader)
  const isReachable = leader?.endpoints.some((endpoint) => endpoint.listener === listener) === true
  return {
    errorCode: isReachable
      ? 0
      : errorCode(leader === undefined ? 'LEADER_NOT_AVAILABLE' : 'LISTENER_NOT_FOUND'),
    partitionIndex: partition.index,
    leaderId: isReachable ? partition.leader : -1,
    leaderEpoch: partition.leaderEpoch,
    replicaNodes: partition.replicas,
    isrNodes: partition.isr,
    offlineReplicas: offlineReplicasOf(image, topicId, partition),
  }
}
