/** docs/configuration.md, made from the tables of keys: `npm run docs` writes it, a test holds the page to the tables. */
import { BROKER_KEY_AREAS } from '../broker/config/broker-keys.ts'
import { formatValue, type KeyRow } from '../broker/config/key-row.ts'
import { KEYS_WITHOUT_EFFECT } from '../broker/config/other-keys.ts'
import { TOPIC_KEYS, type TopicKeyRow } from '../broker/config/topic-keys.ts'

type Rows = Readonly<Record<string, KeyRow>>

const INTRODUCTION = `# Configuration

The keys of \`server.properties\` and of topics. They are Apache Kafka's, with its types and defaults unless a line says
otherwise; \`quorum.*\`, \`disk.reserve.*\` and \`metrics.listener\` are this broker's own. This page is written by
\`npm run docs\` from the tables in \`broker/config/\`.

A value that is wrong stops the start, with file, line and what would be right. A key that is unknown is told in the log,
with the known key nearest to it.

**Live** keys can change while brokers run, without a restart: for all brokers with
\`kafka-configs --alter --entity-type brokers --entity-default --add-config key=value\`, for one with \`--entity-name <id>\`.
The one broker's value wins over that of all, and both win over \`server.properties\`. Settings of topics always count at
once: \`kafka-configs --alter --entity-type topics --entity-name <topic> --add-config key=value\`.
`

/** The whole page, as Markdown that still has to be formatted. */
export function configurationPage(): string {
  const areas = Object.entries(BROKER_KEY_AREAS).map(([area, rows]) => `## ${area}\n\n${brokerTable(rows)}`)
  return [
    INTRODUCTION,
    ...areas,
    `## Settings of topics\n\nWhat a topic does not set itself comes from the broker's key, if that is set, else it is the default.\n\n${topicTable()}`,
    `## Keys that change nothing here\n\nThey are accepted, and named in the log at start or when they are set. A key that ends in \`*\` stands for all that begin so.\n\n${reasonTable()}`,
  ].join('\n')
}

function brokerTable(rows: Rows): string {
  const lines = Object.entries(rows).map(([key, row]) => [
    `\`${key}\``,
    row.type,
    defaultOf(row),
    range(row),
    row.dynamic === undefined ? '' : 'live',
    explained(row),
  ])
  return table(['key', 'type', 'default', 'values', '', 'what it is for'], lines)
}

function topicTable(): string {
  const rows: readonly [string, TopicKeyRow][] = Object.entries(TOPIC_KEYS)
  const lines = rows.map(([key, row]) => [
    `\`${key}\``,
    row.type,
    defaultOf(row),
    range(row),
    row.broker.map((synonym) => `\`${synonym.key}\``).join(', '),
    explained(row),
  ])
  return table(['key', 'type', 'default', 'values', "the broker's key", 'what it is for'], lines)
}

function reasonTable(): string {
  const lines = KEYS_WITHOUT_EFFECT.map(({ keys, why }) => [
    keys.map((key) => `\`${key.endsWith('.') ? `${key}*` : key}\``).join(', '),
    cell(why),
  ])
  return table(['keys', 'why'], lines)
}

function defaultOf(row: KeyRow): string {
  if (row.required === true) return 'must be given'
  const text = formatValue(row.default, row.type)
  return text === null || text === '' ? '' : `\`${text}\``
}

function range({ min, max, orElse, values, type }: KeyRow): string {
  if (values !== undefined) return values.map((value) => `\`${value}\``).join(', ')
  const bound = (value: number): string => formatValue(value, type)
  const other = orElse === undefined ? '' : `, or ${bound(orElse)}`
  if (min !== undefined && max !== undefined) return `${bound(min)} to ${bound(max)}${other}`
  if (min !== undefined) return `${bound(min)} or more${other}`
  return max === undefined ? '' : `${bound(max)} or less${other}`
}

const explained = ({ doc, withoutEffect }: KeyRow): string =>
  cell(withoutEffect === undefined ? doc : `${doc} Without effect: ${withoutEffect}.`)

/** Text that fits into one cell. */
const cell = (text: string): string => text.replaceAll('|', '\\|')

function table(header: readonly string[], lines: readonly (readonly string[])[]): string {
  const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |\n`
  return row(header) + row(header.map(() => '---')) + lines.map(row).join('')
}
