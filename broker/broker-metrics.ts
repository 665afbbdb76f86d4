/** What the metrics tell of each part of the broker: asked for when they are read, so that it costs nothing else. */
import type { FetchSessions } from './handlers/fetch-sessions.ts'
import type { ClusterMetadata } from './metadata/cluster-metadata.ts'
import { countLed, countWithoutLeader } from './metadata/led-partitions.ts'
import type { Connections } from './network/connections.ts'
import type { RequestMemory } from './network/request-memory.ts'
import type { ReplicaManager } from './replication/replica-manager.ts'
import type { Metrics } from './runtime/metrics.ts'
import type { DirectoryHealth } from './storage/directory-health.ts'
import type { LogManager } from './storage/log-manager.ts'

/** Topics that have a series of their own. */
const MAX_TOPICS = 100
const OTHER_TOPICS = '(others)'

export interface WatchedParts {
  readonly brokerId: number
  readonly metadata: ClusterMetadata
  readonly logs: LogManager
  readonly replicas: ReplicaManager
  readonly connections: Connections
  readonly memory: RequestMemory
  readonly fetchSessions: FetchSessions
}

export function watchParts(metrics: Metrics, parts: WatchedParts): void {
  watchNetwork(metrics, parts)
  watchStorage(metrics, parts)
  watchPartitions(metrics, parts)
  watchFetchSessions(metrics, parts)
  watchMetadata(metrics, parts)
}

function watchNetwork(metrics: Metrics, { connections, memory }: WatchedParts): void {
  metrics.watch('kafka_network_connections', () => connections.size)
  metrics.watch('kafka_network_received_bytes_total', () => connections.traffic.bytesRead)
  metrics.watch('kafka_network_sent_bytes_total', () => connections.traffic.bytesWritten)
  metrics.watch('kafka_network_request_memory_bytes', () => memory.requestBytes)
  metrics.watch('kafka_network_answer_memory_bytes', () => memory.answerBytes)
  metrics.watch('kafka_network_waiting_connections', () => memory.waiting)
}

function watchFetchSessions(metrics: Metrics, { fetchSessions }: WatchedParts): void {
  metrics.watch('kafka_fetch_sessions', () => fetchSessions.size)
  metrics.watch('kafka_fetch_session_partitions', () => fetchSessions.partitions)
}

function watchStorage(metrics: Metrics, { logs }: WatchedParts): void {
  const directories = (condition: (health: DirectoryHealth) => boolean) => () =>
    logs.healths.filter(condition).length
  metrics.watch(
    'kafka_storage_offline_directories',
    directories(({ isOnline }) => !isOnline),
  )
  metrics.watch(
    'kafka_storage_short_directories',
    directories(({ isOnline, isShort }) => isOnline && isShort),
  )
  metrics.watch('kafka_storage_partitions', () => [...logs.logs()].length)
  metrics.watch('kafka_storage_log_bytes', () =>
    [...logs.logs()].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
  )
  metrics.watch('kafka_storage_topic_bytes', () => largest(topicBytes(logs), MAX_TOPICS))
}

function topicBytes(logs: LogManager): Map<string, number> {
  const bytes = new Map<string, number>()
  for (const { topic, sizeBytes } of logs.logs()) bytes.set(topic, (bytes.get(topic) ?? 0) + sizeBytes)
  return bytes
}

/** The `count` largest, and the sum of the others if there are any: a cluster may have any number of topics. */
export function largest(values: ReadonlyMap<string, number>, count: number): [string, number][] {
  const sorted = [...values].toSorted(([, a], [, b]) => b - a)
  if (sorted.length <= count) return sorted
  const others = sorted.slice(count).reduce((sum, [, value]) => sum + value, 0)
  return [...sorted.slice(0, count), [OTHER_TOPICS, others]]
}

function watchPartitions(metrics: Metrics, { brokerId, metadata, replicas }: WatchedParts): void {
  metrics.watch('kafka_replication_led_partitions', () => countLed(metadata.image, brokerId, () => true))
  metrics.watch('kafka_replication_under_replicated_partitions', () =>
    countLed(metadata.image, brokerId, ({ isr, replicas }) => isr.length < replicas.length),
  )
  metrics.watch(
    'kafka_replication_under_min_isr_partitions',
    () =>
      [...replicas.partitions()].filter(({ isLeader, isUnderMinIsr }) => isLeader && isUnderMinIsr).length,
  )
}

function watchMetadata(metrics: Metrics, { metadata }: WatchedParts): void {
  metrics.watch('kafka_metadata_offline_partitions', () => countWithoutLeader(metadata.image))
  metrics.watch('kafka_metadata_brokers', () => metadata.image.brokers.size)
  metrics.watch('kafka_metadata_topics', () => metadata.image.topics.size)
  metrics.watch('kafka_metadata_quorum_silent_seconds', () => metadata.silentMs() / 1000)
}
