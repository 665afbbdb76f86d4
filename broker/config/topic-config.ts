/** The settings of one topic: what it overrides, else what the broker says, else the default. */
import type { Config } from './config.ts'
import { type ConfigValue, InvalidValueError, parseValue } from './key-row.ts'
import { nearestKey } from './nearest-key.ts'
import { isTopicKey, TOPIC_KEYS, type TopicKey, type TopicValue } from './topic-keys.ts'
import { KafkaError } from '../protocol/errors.ts'

export class TopicConfig {
  readonly #config: Config
  /** As stored with the topic. */
  readonly overrides: ReadonlyMap<string, string>
  readonly #values = new Map<TopicKey, ConfigValue>()

  /** Overrides are checked where they are set (checkTopicConfigs); one that is wrong all the same does not count. */
  constructor(config: Config, overrides: ReadonlyMap<string, string>) {
    this.#config = config
    this.overrides = overrides
    for (const [key, text] of overrides) {
      if (isTopicKey(key) && problemOf(key, text) === undefined) {
        this.#values.set(key, parseValue(TOPIC_KEYS[key], text))
      }
    }
  }

  get<Key extends TopicKey>(key: Key): TopicValue<Key> {
    const override = this.#values.get(key)
    return (override ?? topicDefault(this.#config, key)) as TopicValue<Key>
  }
}

/** What a topic has that does not override `key`. */
export function topicDefault(config: Config, key: TopicKey): ConfigValue {
  for (const synonym of TOPIC_KEYS[key].broker) {
    const value: ConfigValue = config.get(synonym.key)
    if (value === null || !config.isSet(synonym.key)) continue
    const unitMs = 'unitMs' in synonym ? synonym.unitMs : 1
    return typeof value === 'number' && value > 0 ? value * unitMs : value
  }
  return TOPIC_KEYS[key].default
}

/** Throws INVALID_CONFIG for a key that topics do not have, or a value that it cannot have. */
export function checkTopicConfigs(overrides: Iterable<readonly [string, string | null]>): void {
  for (const [key, text] of overrides) {
    if (text === null) throw new KafkaError('INVALID_CONFIG', `${key} has no value`)
    if (isTopicKey(key)) {
      if (key === 'remote.storage.enable' && text.trim().toLowerCase() === 'true') {
        throw new KafkaError('INVALID_CONFIG', `${key}=${text}: there is no remote storage`)
      }
      const problem = problemOf(key, text)
      if (problem !== undefined) throw new KafkaError('INVALID_CONFIG', `${key}=${text}: ${problem}`)
    } else {
      const near = nearestKey(key, Object.keys(TOPIC_KEYS))
      const hint = near === undefined ? '' : `; is ${near} meant?`
      throw new KafkaError('INVALID_CONFIG', `${key} is not a setting of topics${hint}`)
    }
  }
}

/** Throws INVALID_CONFIG when values that are right by themselves contradict each other. */
export function checkTopicConfigsTogether(config: Config, overrides: ReadonlyMap<string, string>): void {
  const topic = new TopicConfig(config, overrides)
  const [min, max] = [topic.get('min.compaction.lag.ms'), topic.get('max.compaction.lag.ms')]
  if (min <= max) return
  throw new KafkaError(
    'INVALID_CONFIG',
    `min.compaction.lag.ms=${min} is more than max.compaction.lag.ms=${max}: no record could ever be compacted in time`,
  )
}

function problemOf(key: TopicKey, text: string): string | undefined {
  try {
    parseValue(TOPIC_KEYS[key], text)
    return undefined
  } catch (error) {
    if (error instanceof InvalidValueError) return error.message
    throw error
  }
}
