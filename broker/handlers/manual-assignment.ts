/** Replicas that the client has chosen itself, checked. */
import { KafkaError } from '../protocol/errors.ts'

interface PartitionAssignment {
  readonly partitionIndex: number
  readonly brokerIds: readonly number[]
}

/**
 * Replicas by partition. Throws INVALID_REPLICA_ASSIGNMENT unless the partitions are numbered 0, 1, 2, …, all have
 * equally many replicas, and each replica is another broker that is alive.
 */
export function manualAssignment(
  assignments: readonly PartitionAssignment[],
  brokers: ReadonlyMap<number, unknown>,
): number[][] {
  const sorted = assignments.toSorted((a, b) => a.partitionIndex - b.partitionIndex)
  const replicationFactor = sorted[0]!.brokerIds.length
  return sorted.map(({ partitionIndex, brokerIds }, index) => {
    if (partitionIndex !== index) {
      throw invalid(`partitions must be numbered from 0 without a gap; ${index} is missing or named twice`)
    }
    checkReplicas(partitionIndex, brokerIds, replicationFactor, brokers)
    return [...brokerIds]
  })
}

/** Throws INVALID_REPLICA_ASSIGNMENT unless these are as many brokers as are wanted, each of them once and alive. */
export function checkReplicas(
  partition: number,
  brokerIds: readonly number[],
  replicationFactor: number,
  brokers: ReadonlyMap<number, unknown>,
): void {
  if (brokerIds.length === 0) throw invalid(`partition ${partition} has no replica`)
  if (brokerIds.length !== replicationFactor) {
    throw invalid(
      `partition ${partition} has ${brokerIds.length} replicas where partition 0 has ${replicationFactor}`,
    )
  }
  if (new Set(brokerIds).size !== brokerIds.length) {
    throw invalid(`partition ${partition} has a broker twice: [${brokerIds.join(', ')}]`)
  }
  const unknown = brokerIds.find((id) => !brokers.has(id))
  if (unknown !== undefined) throw invalid(`partition ${partition}: there is no live broker ${unknown}`)
}

function invalid(detail: string): KafkaError {
  return new KafkaError('INVALID_REPLICA_ASSIGNMENT', detail)
}
