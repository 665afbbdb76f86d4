/**
 * Every key of server.properties that the broker acts on, with Apache Kafka's names and, unless a line says why not,
 * its defaults. The rows are in `keys/`, by area; Kafka's other keys are in other-keys.ts.
 */
import type { KeyRow, ValueOf } from './key-row.ts'
import { CLIENT_KEYS } from './keys/broker-clients.ts'
import { IDENTITY_KEYS } from './keys/broker-identity.ts'
import { BROKER_KEYS_WITHOUT_EFFECT } from './keys/broker-without-effect.ts'
import { LOG_KEYS } from './keys/broker-logs.ts'
import { NETWORK_KEYS } from './keys/broker-network.ts'
import { REPLICATION_KEYS } from './keys/broker-replication.ts'
import { RETENTION_KEYS } from './keys/broker-retention.ts'
import { TOPIC_DEFAULT_KEYS } from './keys/broker-topics.ts'

/** The areas in the order in which the documentation shows them. */
export const BROKER_KEY_AREAS = {
  'The broker and its quorum': IDENTITY_KEYS,
  'Listeners and connections': NETWORK_KEYS,
  Topics: TOPIC_DEFAULT_KEYS,
  'Logs on disk': LOG_KEYS,
  'Retention and compaction': RETENTION_KEYS,
  Replication: REPLICATION_KEYS,
  'Clients, quotas and groups': CLIENT_KEYS,
  'Without effect, for topics': BROKER_KEYS_WITHOUT_EFFECT,
} as const

export const BROKER_KEYS = {
  ...IDENTITY_KEYS,
  ...NETWORK_KEYS,
  ...TOPIC_DEFAULT_KEYS,
  ...LOG_KEYS,
  ...RETENTION_KEYS,
  ...REPLICATION_KEYS,
  ...CLIENT_KEYS,
  ...BROKER_KEYS_WITHOUT_EFFECT,
} as const satisfies Readonly<Record<string, KeyRow>>

export type BrokerKey = keyof typeof BROKER_KEYS
export type BrokerValue<Key extends BrokerKey> = ValueOf<(typeof BROKER_KEYS)[Key]>

export function isBrokerKey(key: string): key is BrokerKey {
  return Object.hasOwn(BROKER_KEYS, key)
}
