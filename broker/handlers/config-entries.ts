/**
 * Settings as DescribeConfigs and CreateTopics tell them: each with its value, where that comes from, and, if asked
 * for, everything that it would be without (synonyms), strongest first.
 */
import { BROKER_KEYS, type BrokerKey } from '../config/broker-keys.ts'
import type { Config, TopicConfig } from '../config/config.ts'
import { type ConfigValue, formatValue, type KeyRow, type KeyType } from '../config/key-row.ts'
import { topicDefault } from '../config/topic-config.ts'
import { TOPIC_KEYS, type TopicKey } from '../config/topic-keys.ts'

/** Codes of the protocol for where a value comes from. */
const SOURCE = { topic: 1, staticBroker: 4, default: 5 } as const

const TYPE_CODES: Readonly<Record<KeyType, number>> = {
  boolean: 1,
  string: 2,
  int: 3,
  short: 4,
  long: 5,
  double: 6,
  list: 7,
}

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
  readonly documentation: string
}

/** Every setting of a topic, by name. */
export function topicEntries(config: Config, topic: TopicConfig): ConfigEntry[] {
  return Object.keys(TOPIC_KEYS)
    .toSorted()
    .map((name) => topicEntry(config, topic, name as TopicKey))
}

function topicEntry(config: Config, topic: TopicConfig, key: TopicKey): ConfigEntry {
  const overridden = topic.overrides.has(key)
  const value: ConfigValue = topic.get(key)
  const inherited = inheritedSynonyms(config, key)
  return {
    ...entryOf(key, TOPIC_KEYS[key], value),
    readOnly: false,
    configSource: overridden ? SOURCE.topic : (inherited[0]?.source ?? SOURCE.default),
    synonyms: overridden
      ? [{ name: key, value: formatValue(value, TOPIC_KEYS[key].type), source: SOURCE.topic }, ...inherited]
      : inherited,
  }
}

/** What the topic has when it overrides nothing: the broker's keys that were given, then the default. */
function inheritedSynonyms(config: Config, key: TopicKey): ConfigSynonym[] {
  const brokerKeys: readonly { readonly key: BrokerKey }[] = TOPIC_KEYS[key].broker
  const given = brokerKeys
    .filter((synonym) => config.isSet(synonym.key))
    .map((synonym) => ({
      name: synonym.key,
      value: formatValue(config.get(synonym.key), BROKER_KEYS[synonym.key].type),
      source: SOURCE.staticBroker,
    }))
  const last = brokerKeys.at(-1)
  const fallback =
    last === undefined
      ? { name: key, value: formatValue(TOPIC_KEYS[key].default, TOPIC_KEYS[key].type) }
      : {
          name: last.key,
          value:
            formatValue(BROKER_KEYS[last.key].default, BROKER_KEYS[last.key].type) ??
            formatValue(topicDefault(config, key), TOPIC_KEYS[key].type),
        }
  return [...given, { ...fallback, source: SOURCE.default }]
}

/** Every setting of this broker, by name. */
export function brokerEntries(config: Config): ConfigEntry[] {
  return Object.keys(BROKER_KEYS)
    .toSorted()
    .map((name) => brokerEntry(config, name as BrokerKey))
}

function brokerEntry(config: Config, key: BrokerKey): ConfigEntry {
  const value: ConfigValue = config.get(key)
  const given = config.isSet(key)
    ? [{ name: key, value: formatValue(value, BROKER_KEYS[key].type), source: SOURCE.staticBroker }]
    : []
  const row: KeyRow = BROKER_KEYS[key]
  const fallback =
    row.required === true
      ? []
      : [{ name: key, value: formatValue(row.default, row.type), source: SOURCE.default }]
  const synonyms = [...given, ...fallback]
  return {
    ...entryOf(key, row, value),
    readOnly: true,
    configSource: synonyms[0]?.source ?? SOURCE.default,
    synonyms,
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
