/** docs/metrics.md, made from the table of metrics: `npm run docs` writes it, a test holds the page to the table. */
import { METRICS, type MetricRow } from '../broker/runtime/metric-table.ts'

const INTRODUCTION = `# Metrics

Served in Prometheus' text format at \`metrics.listener\`, off unless that is set, never on a port of clients:

\`\`\`properties
metrics.listener=http://127.0.0.1:9404
\`\`\`

\`\`\`sh
curl http://127.0.0.1:9404/metrics
\`\`\`

There is no password and no encryption: give an address that only those reach who may see it. This page is written by
\`npm run docs\` from \`broker/runtime/metric-table.ts\`.

## What to watch

- \`kafka_metadata_offline_partitions > 0\`: records of these partitions can be neither written nor read.
- \`kafka_replication_under_min_isr_partitions > 0\`: acks=all is refused for these.
- \`kafka_replication_under_replicated_partitions > 0\` for more than some minutes: a broker is down or too slow.
- \`kafka_storage_short_directories > 0\`, \`kafka_storage_offline_directories > 0\`: a disk is nearly full, or failed.
- \`kafka_metadata_quorum_silent_seconds > 5\`: etcd is out of reach. Records flow on; nothing else changes.
- \`kafka_runtime_event_loop_delay_seconds{quantile="1"} > 0.1\`: something holds up every client of this broker.

## All of them
`

/** The whole page, as Markdown that still has to be formatted. */
export function metricsPage(): string {
  const rows: readonly [string, MetricRow][] = Object.entries(METRICS)
  const lines = rows.map(
    ([name, { type, labels = [], help }]) => `| \`${name}\` | ${type} | ${labels.join(', ')} | ${help} |`,
  )
  return `${INTRODUCTION}\n| name | type | labels | what it tells |\n| --- | --- | --- | --- |\n${lines.join('\n')}\n`
}
