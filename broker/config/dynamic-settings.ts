/** Settings that can change while the broker runs, as the cluster keeps them: text by key. */
import { BROKER_KEYS, type BrokerKey, isBrokerKey } from './broker-keys.ts'
import { type ConfigValue, InvalidValueError, type KeyRow, parseValue } from './key-row.ts'

export interface DynamicSettings {
  /** Of all brokers. */
  readonly cluster: ReadonlyMap<string, string>
  /** Of this broker; they win over those of all. */
  readonly broker: ReadonlyMap<string, string>
}

type DynamicKey = {
  [Key in BrokerKey]: (typeof BROKER_KEYS)[Key] extends { readonly dynamic: string } ? Key : never
}[BrokerKey]

/** Whether the key can change while the broker runs. */
export function isDynamicKey(key: string): key is DynamicKey {
  if (!isBrokerKey(key)) return false
  const row: KeyRow = BROKER_KEYS[key]
  return row.dynamic !== undefined
}

/**
 * The values of those that have an effect. Settings are checked where they are made; `problem` is told of one that
 * is wrong all the same, and it does not count.
 */
export function parseDynamic(
  settings: ReadonlyMap<string, string>,
  problem: (key: string, text: string, reason: string) => void,
): ReadonlyMap<BrokerKey, ConfigValue> {
  const values = new Map<BrokerKey, ConfigValue>()
  for (const [key, text] of settings) {
    if (!isDynamicKey(key)) continue
    try {
      values.set(key, parseValue(BROKER_KEYS[key], text))
    } catch (error) {
      if (!(error instanceof InvalidValueError)) throw error
      problem(key, text, error.message)
    }
  }
  return values
}
