/**
 * Every metric of a broker: one row each. Names are `kafka_<part>_<thing>_<unit>`, what only grows ends in `_total`.
 * docs/metrics.md is made from these rows.
 */

export interface MetricRow {
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly help: string
  readonly labels?: readonly string[]
  /** Of a histogram: upper bounds. */
  readonly buckets?: readonly number[]
}

const REQUEST_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

export const METRICS = {
  kafka_network_requests_total: {
    type: 'counter',
    help: 'Requests by API and outcome: answered, failed (an error nobody expected) or unanswered (acks=0).',
    labels: ['api', 'outcome'],
  },
  kafka_network_request_seconds: {
    type: 'histogram',
    help: 'From the whole request being there to its answer being encoded, waits included.',
    labels: ['api'],
    buckets: REQUEST_SECONDS,
  },
  kafka_network_connections: { type: 'gauge', help: 'Open connections of clients and other brokers.' },
  kafka_network_received_bytes_total: { type: 'counter', help: 'Received from clients and other brokers.' },
  kafka_network_sent_bytes_total: { type: 'counter', help: 'Sent in answers.' },
  kafka_network_request_memory_bytes: {
    type: 'gauge',
    help: 'Received of requests that are not yet answered.',
  },
  kafka_network_answer_memory_bytes: { type: 'gauge', help: 'Answers that clients have not read yet.' },
  kafka_network_waiting_connections: {
    type: 'gauge',
    help: 'Connections that are not read because requests take up all that queued.max.request.bytes allows.',
  },

  kafka_storage_log_bytes: { type: 'gauge', help: 'Records on disk, over all log directories.' },
  kafka_storage_topic_bytes: {
    type: 'gauge',
    help: 'Records on disk by topic: the 100 largest, and all others together as "(others)".',
    labels: ['topic'],
  },
  kafka_storage_partitions: { type: 'gauge', help: 'Partitions that have a log here.' },
  kafka_storage_offline_directories: { type: 'gauge', help: 'Log directories that failed.' },
  kafka_storage_short_directories: {
    type: 'gauge',
    help: 'Log directories with less space than the reserve: records of clients are refused.',
  },
  kafka_storage_cleaner_compactions_total: { type: 'counter', help: 'Compactions of a log since the start.' },
  kafka_storage_cleaner_read_bytes_total: {
    type: 'counter',
    help: 'Bytes of logs that were compacted since the start.',
  },
  kafka_storage_cleaner_written_bytes_total: { type: 'counter', help: 'Bytes that compaction left of them.' },
  kafka_storage_cleaner_seconds_total: {
    type: 'counter',
    help: 'Time that compactions took since the start.',
  },
  kafka_storage_cleaner_max_dirty_ratio: {
    type: 'gauge',
    help: 'Largest share of dirty bytes among the logs.',
  },
  kafka_storage_cleaner_uncleanable_logs: {
    type: 'gauge',
    help: 'Logs set aside since they cannot be compacted.',
  },

  kafka_replication_led_partitions: { type: 'gauge', help: 'Partitions that this broker leads.' },
  kafka_replication_under_replicated_partitions: {
    type: 'gauge',
    help: 'Partitions that this broker leads and that not all replicas are in sync with.',
  },
  kafka_replication_under_min_isr_partitions: {
    type: 'gauge',
    help: 'Partitions that this broker leads with fewer replicas in sync than min.insync.replicas: acks=all is refused.',
  },

  kafka_fetch_sessions: {
    type: 'gauge',
    help: 'Fetch sessions that are kept, up to max.incremental.fetch.session.cache.slots.',
  },
  kafka_fetch_session_partitions: { type: 'gauge', help: 'Partitions in all fetch sessions.' },

  kafka_metadata_offline_partitions: {
    type: 'gauge',
    help: 'Partitions of the whole cluster that no broker leads.',
  },
  kafka_metadata_brokers: { type: 'gauge', help: 'Registered brokers.' },
  kafka_metadata_topics: { type: 'gauge', help: 'Topics of the cluster.' },
  kafka_metadata_quorum_silent_seconds: {
    type: 'gauge',
    help: 'Time since the metadata quorum was last heard of.',
  },

  kafka_runtime_event_loop_delay_seconds: {
    type: 'gauge',
    help: 'How long the event loop kept others waiting, since the metrics were last read: half of the time at most, 99 % of the time at most, at worst.',
    labels: ['quantile'],
  },
  kafka_runtime_memory_bytes: {
    type: 'gauge',
    help: 'Memory of the process: resident, in the heap of V8, in buffers outside of it.',
    labels: ['kind'],
  },
  kafka_runtime_cpu_seconds_total: {
    type: 'counter',
    help: 'Processor time of the process, by mode.',
    labels: ['mode'],
  },
  kafka_runtime_uptime_seconds: { type: 'gauge', help: 'Time since the process was started.' },
} as const satisfies Readonly<Record<string, MetricRow>>

export type MetricName = keyof typeof METRICS

/** The names whose rows have this type. */
export type MetricNameOf<Type extends MetricRow['type']> = {
  [Name in MetricName]: (typeof METRICS)[Name]['type'] extends Type ? Name : never
}[MetricName]
