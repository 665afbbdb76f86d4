/** Which brokers hold a new topic's partitions: spread evenly, and over the racks, as Apache Kafka does (KIP-36). */
import { KafkaError } from '../protocol/errors.ts'
import type { BrokerRegistration } from './image.ts'

/**
 * Replicas by partition, the preferred leader first. Leaders go round the brokers; the followers of successive
 * rounds are shifted against them, so that a lost broker's load spreads over all others.
 * Racks are heeded when every broker has one: a partition's replicas share a rack only when there are fewer racks than replicas.
 * `random` returns [0, 1). Throws INVALID_REPLICATION_FACTOR, INVALID_PARTITIONS.
 */
export function assignReplicas(
  brokers: readonly Pick<BrokerRegistration, 'id' | 'rack'>[],
  partitions: number,
  replicationFactor: number,
  random: () => number,
): number[][] {
  if (partitions < 1)
    throw new KafkaError('INVALID_PARTITIONS', `${partitions} partitions: at least 1 is needed`)
  if (replicationFactor < 1 || replicationFactor > brokers.length) {
    throw new KafkaError(
      'INVALID_REPLICATION_FACTOR',
      `replication factor ${replicationFactor}: between 1 and the ${brokers.length} brokers that are alive`,
    )
  }
  const order = alternateRacks(brokers)
  const rackById = new Map(brokers.map(({ id, rack }) => [id, rack]))
  const start = Math.floor(random() * order.length)
  const firstShift = Math.floor(random() * order.length)
  return Array.from({ length: partitions }, (_, partition) => {
    const leaderAt = start + partition
    const shift = firstShift + Math.floor(partition / order.length)
    return pickReplicas(order, rackById, leaderAt, shift, replicationFactor)
  })
}

function pickReplicas(
  order: readonly number[],
  rackById: ReadonlyMap<number, string | null>,
  leaderAt: number,
  shift: number,
  count: number,
): number[] {
  const others = order.length - 1
  const replicas = [order[leaderAt % order.length]!]
  const candidates = Array.from(
    { length: others },
    (_, i) => order[(leaderAt + 1 + ((shift + i) % others)) % order.length]!,
  )
  while (replicas.length < count) {
    const racks = new Set(replicas.map((id) => rackById.get(id)))
    const free = candidates.filter((id) => !replicas.includes(id))
    replicas.push(free.find((id) => !racks.has(rackById.get(id))) ?? free[0]!)
  }
  return replicas
}

/** Broker ids with the racks taking turns; ascending when not every broker has a rack. */
function alternateRacks(brokers: readonly Pick<BrokerRegistration, 'id' | 'rack'>[]): number[] {
  const sorted = brokers.toSorted((a, b) => a.id - b.id)
  if (sorted.some(({ rack }) => rack === null)) return sorted.map(({ id }) => id)
  const byRack = [...Map.groupBy(sorted, ({ rack }) => rack ?? '')].toSorted(([a], [b]) => (a < b ? -1 : 1))
  const rounds = Math.max(...byRack.map(([, members]) => members.length))
  return Array.from({ length: rounds }, (_, round) =>
    byRack.flatMap(([, members]) => members[round]?.id ?? []),
  ).flat()
}
