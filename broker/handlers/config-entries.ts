/**
 * Settings as DescribeConfigs and CreateTopics tell them: each with its value, where that comes from, and, if asked
 * for, everything that it would be without (synonyms), strongest first.
 */
import { BROKER_KEYS, type BrokerKey, isBrokerKey } from '../config/broker-keys.ts'
import type { Config, GivenSource, TopicConfig } from '../config/config.ts'
import { type ConfigValue, formatValue, type KeyRow, type KeyType } from '../config/key-row.ts'
import { TOPIC_KEYS, type TopicKey, type TopicKeyRow } from '../config/topic-keys.ts'
import type { Settings } from '../metadata/alter-settings.ts'

/** Codes of the protocol for where a value comes from. */
const SOURCE = {
  topic: 1,
  dynamicBroker: 2,
  dynamicCluster: 3,
  static: 4,
  default: 5,
} as const satisfies Record<GivenSource | 'topic' | 'default', number>

const TYPE_CODES: Readonly<Record<KeyType, number>> = {
  boolean: 1,
  string: 2,
  int: 3,
  short: 4,
  long: 5,
  double: 6,
  list: 7,
}
const UNKNOWN_TYPE = 0

export interface ConfigSynonym {
  readonly name: string
  readonly value: string | null
  readonly source: number
}

export interface ConfigEntry {
  readonly name: string
  readonly value: string | null
  readonly readOnly: boolean
  readonly configSource: number
  readonly isSensitive: boolean
  readonly synonyms: readonly ConfigSynonym[]
  readonly configType: number
  readonly documentation: string | null
}

/** Every setting of a topic, by name. */
export function topicEntries(config: Config, topic: TopicConfig): ConfigEntry[] {
  return Object.keys(TOPIC_KEYS)
    .map((name) => topicEntry(config, topic, name as TopicKey))
    .toSorted(byName)
}

function topicEntry(config: Config, topic: TopicConfig, key: TopicKey): ConfigEntry {
  const overridden = topic.overrides.has(key)
  const value: ConfigValue = topic.get(key)
  const inherited = inheritedSynonyms(config, key)
  const row = TOPIC_KEYS[key]
  const own = { name: key, value: formatValue(value, row.type), source: SOURCE.topic }
  return {
    ...entryOf(key, row, value),
    readOnly: false,
    configSource: overridden ? SOURCE.topic : (inherited[0]?.source ?? SOURCE.default),
    synonyms: overridden ? [own, ...inherited] : inherited,
  }
}

/** What the topic has when it overrides nothing: the broker's keys that were given, then the default of the last. */
function inheritedSynonyms(config: Config, key: TopicKey): ConfigSynonym[] {
  const { broker }: TopicKeyRow = TOPIC_KEYS[key]
  const given = broker.flatMap((synonym) => givenSynonyms(config, synonym.key))
  const [first, last] = [broker[0]?.key, broker.at(-1)?.key]
  // As in Apache Kafka: where the first key says nothing, neither do those that stand in for it.
  if (last === undefined || (given.length === 0 && BROKER_KEYS[first!].default === null)) return given
  const { default: value, type }: KeyRow = BROKER_KEYS[last]
  return [...given, { name: last, value: formatValue(value, type), source: SOURCE.default }]
}

function givenSynonyms(config: Config, key: BrokerKey): ConfigSynonym[] {
  return config.given(key).map(({ source, value }) => ({
    name: key,
    value: formatValue(value, BROKER_KEYS[key].type),
    source: SOURCE[source],
  }))
}

/** Every setting of this broker, by name; `dynamic` are those that were made for it and for all brokers. */
export function brokerEntries(
  config: Config,
  dynamic: { readonly cluster: Settings; readonly broker: Settings },
): ConfigEntry[] {
  const known = Object.keys(BROKER_KEYS).map((name) => brokerEntry(config, name as BrokerKey))
  const unknown = new Map([
    ...[...dynamic.cluster.keys()].map((key) => [key, SOURCE.dynamicCluster] as const),
    ...[...dynamic.broker.keys()].map((key) => [key, SOURCE.dynamicBroker] as const),
  ])
  const others = [...unknown].filter(([key]) => !isBrokerKey(key)).map(([key, source]) => hidden(key, source))
  return [...known, ...others].toSorted(byName)
}

function brokerEntry(config: Config, key: BrokerKey): ConfigEntry {
  const row: KeyRow = BROKER_KEYS[key]
  const value: ConfigValue = config.get(key)
  const hasDefault = row.required !== true && row.default !== null
  const fallback = { name: key, value: formatValue(row.default, row.type), source: SOURCE.default }
  const synonyms = [...givenSynonyms(config, key), ...(hasDefault ? [fallback] : [])]
  return {
    ...entryOf(key, row, value),
    readOnly: row.dynamic === undefined,
    configSource: synonyms[0]?.source ?? SOURCE.default,
    synonyms,
  }
}

/** What was set for all brokers, by name. */
export function clusterEntries(settings: Settings): ConfigEntry[] {
  const source = SOURCE.dynamicCluster
  return [...settings]
    .map(([name, value]): ConfigEntry => {
      if (!isBrokerKey(name)) return hidden(name, source)
      const row: KeyRow = BROKER_KEYS[name]
      const synonyms = [{ name, value, source }]
      return {
        ...entryOf(name, row, value),
        value,
        readOnly: row.dynamic === undefined,
        configSource: source,
        synonyms,
      }
    })
    .toSorted(byName)
}

/** A key that nobody here knows may hold a secret. */
function hidden(name: string, source: number): ConfigEntry {
  return {
    name,
    value: null,
    readOnly: true,
    configSource: source,
    isSensitive: true,
    synonyms: [{ name, value: null, source }],
    configType: UNKNOWN_TYPE,
    documentation: null,
  }
}

function entryOf(
  name: string,
  row: KeyRow,
  value: ConfigValue,
): Pick<ConfigEntry, 'name' | 'value' | 'isSensitive' | 'configType' | 'documentation'> {
  return {
    name,
    value: formatValue(value, row.type),
    isSensitive: false,
    configType: TYPE_CODES[row.type],
    documentation: row.doc,
  }
}

const byName = (a: ConfigEntry, b: ConfigEntry): number => (a.name < b.name ? -1 : 1)
