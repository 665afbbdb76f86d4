/** What a Kafka cluster says about itself: its brokers, who leads how much, and which replicas are behind. */
import { Connection, ResponseError, metadataV12 } from '@platformatic/kafka'

import { explain } from './client-errors.ts'

export interface BrokerState {
  readonly id: number
  readonly host: string
  readonly port: number
  /** Partitions that it leads, that it has a replica of, and of which that replica is in sync. */
  readonly leads: number
  readonly replicas: number
  readonly inSync: number
}

export interface ClusterState {
  readonly clusterId: string
  readonly controllerId: number
  /** The registered ones, by id. */
  readonly brokers: readonly BrokerState[]
  readonly topics: number
  readonly partitions: number
  /** `topic-partition` of those with fewer in-sync replicas than replicas, and of those without a leader. */
  readonly underReplicated: readonly string[]
  readonly offline: readonly string[]
}

type Metadata = metadataV12.MetadataResponse
type Partition = Metadata['topics'][number]['partitions'][number] & { readonly name: string }

/** Asks the `bootstrap` brokers (`host:port`) in turn. Rejects when none answers within `timeoutMs`. */
export async function readClusterState(
  bootstrap: readonly string[],
  timeoutMs: number,
): Promise<ClusterState> {
  const failures: string[] = []
  for (const address of bootstrap) {
    try {
      return stateOf(await askForMetadata(address, timeoutMs))
    } catch (error) {
      failures.push(`${address}: ${explain(error)}`)
    }
  }
  throw new Error(`no broker answers: ${failures.join('; ')}`)
}

/** The low-level call, since the library's clients leave out internal topics, and topics without a leader. */
async function askForMetadata(address: string, timeoutMs: number): Promise<Metadata> {
  const separator = address.lastIndexOf(':')
  const connection = new Connection('brokerkit-status', {
    connectTimeout: timeoutMs,
    requestTimeout: timeoutMs,
  })
  try {
    await connection.connect(address.slice(0, separator), Number(address.slice(separator + 1)))
    return await metadataV12.api.async(connection, null, false, false)
  } catch (error) {
    // An answer with a partition that has no leader is thrown, and carries the whole answer.
    if (error instanceof ResponseError && 'response' in error) return error.response as Metadata
    throw error
  } finally {
    await connection.close().catch(() => {})
  }
}

function stateOf(metadata: Metadata): ClusterState {
  const partitions = metadata.topics.flatMap(({ name, partitions }) =>
    partitions.map((partition): Partition => ({ ...partition, name: `${name}-${partition.partitionIndex}` })),
  )
  return {
    clusterId: metadata.clusterId ?? '',
    controllerId: metadata.controllerId,
    brokers: metadata.brokers
      .map(({ nodeId, host, port }) => ({ id: nodeId, host, port, ...countOf(nodeId, partitions) }))
      .toSorted((a, b) => a.id - b.id),
    topics: metadata.topics.length,
    partitions: partitions.length,
    underReplicated: partitions
      .filter(({ isrNodes, replicaNodes }) => isrNodes.length < replicaNodes.length)
      .map(({ name }) => name),
    offline: partitions.filter(({ leaderId }) => leaderId < 0).map(({ name }) => name),
  }
}

function countOf(
  id: number,
  partitions: readonly Partition[],
): Pick<BrokerState, 'leads' | 'replicas' | 'inSync'> {
  return {
    leads: partitions.filter(({ leaderId }) => leaderId === id).length,
    replicas: partitions.filter(({ replicaNodes }) => replicaNodes.includes(id)).length,
    inSync: partitions.filter(({ isrNodes }) => isrNodes.includes(id)).length,
  }
}
