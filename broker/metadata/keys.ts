/**
 * The tree's keys and the JSON in their values: those of the znodes that Kafka's users know, so that
 * `/brokers/ids/1`, `/controller` and the others mean what they always meant.
 *
 * Fields that znodes do not have: `shutting_down` and `offline_replicas` of a broker.
 */
import { type QuotaEntity, quotaEntityOf } from './client-quotas.ts'
import type { BrokerRegistration, Endpoint, PartitionImage } from './image.ts'
import { NO_OFFLINE_REPLICAS, type OfflineReplicas } from './offline-replicas.ts'

export const CLUSTER_ID_KEY = '/cluster/id'
export const CONTROLLER_KEY = '/controller'
export const CONTROLLER_EPOCH_KEY = '/controller_epoch'
export const PRODUCER_ID_BLOCK_KEY = '/latest_producer_id_block'

export const brokerKey = (id: number): string => `/brokers/ids/${id}`
export const topicKey = (topic: string): string => `/brokers/topics/${topic}`
export const partitionStateKey = (topic: string, index: number): string =>
  `/brokers/topics/${topic}/partitions/${index}/state`
export const topicConfigKey = (topic: string): string => `/config/topics/${topic}`
/** Settings that can change while brokers run: of one broker, or, by the name "", of all of them. */
export const brokerConfigKey = (broker: string): string => `/config/brokers/${broker || '<default>'}`

/** What a key stands for; undefined for one that the image has no use for. */
export type KeyMeaning =
  | { readonly kind: 'broker'; readonly id: number }
  | { readonly kind: 'topic'; readonly topic: string }
  | { readonly kind: 'state'; readonly topic: string; readonly index: number }
  | { readonly kind: 'config'; readonly topic: string }
  | { readonly kind: 'brokerConfig'; readonly broker: string }
  | { readonly kind: 'quota'; readonly entity: QuotaEntity }
  | { readonly kind: 'controller' | 'controllerEpoch' | 'clusterId' | 'producerIdBlock' }

const singleKeys: Readonly<Record<string, KeyMeaning>> = {
  [CLUSTER_ID_KEY]: { kind: 'clusterId' },
  [CONTROLLER_KEY]: { kind: 'controller' },
  [CONTROLLER_EPOCH_KEY]: { kind: 'controllerEpoch' },
  [PRODUCER_ID_BLOCK_KEY]: { kind: 'producerIdBlock' },
}

export function meaningOf(key: string): KeyMeaning | undefined {
  const [root, second, name, fourth, index, sixth, ...rest] = key.slice(1).split('/')
  if (rest.length > 0 || !key.startsWith('/')) return undefined
  if (root === 'brokers' && second === 'topics' && name) {
    if (fourth === undefined) return { kind: 'topic', topic: name }
    if (fourth !== 'partitions' || sixth !== 'state' || !isIndex(index)) return undefined
    return { kind: 'state', topic: name, index: Number(index) }
  }
  if (root === 'brokers' && second === 'ids' && isIndex(name) && fourth === undefined) {
    return { kind: 'broker', id: Number(name) }
  }
  if (root === 'config' && second === 'topics' && name && fourth === undefined)
    return { kind: 'config', topic: name }
  if (root === 'config' && second === 'brokers' && fourth === undefined) {
    if (name === '<default>') return { kind: 'brokerConfig', broker: '' }
    return isIndex(name) ? { kind: 'brokerConfig', broker: String(name) } : undefined
  }
  const entity = quotaEntityOf(key)
  return entity === undefined ? singleKeys[key] : { kind: 'quota', entity }
}

export interface BrokerValue extends Pick<
  BrokerRegistration,
  'endpoints' | 'rack' | 'shuttingDown' | 'offlineReplicas'
> {
  /** undefined: since this registration. */
  readonly completeSince: number | undefined
  readonly timestampMs: number
}

/** `host` and `port` are the first endpoint's, as old tools expect them. */
export function encodeBroker(broker: BrokerValue): string {
  const { endpoints, rack, shuttingDown, offlineReplicas, completeSince, timestampMs } = broker
  return JSON.stringify({
    listener_security_protocol_map: Object.fromEntries(
      endpoints.map((e) => [e.listener, e.securityProtocol]),
    ),
    endpoints: endpoints.map(
      ({ listener, host, port }) => `${listener}://${host.includes(':') ? `[${host}]` : host}:${port}`,
    ),
    rack,
    host: endpoints[0]?.host ?? null,
    port: endpoints[0]?.port ?? -1,
    version: 5,
    timestamp: String(timestampMs),
    ...(shuttingDown ? { shutting_down: true } : {}),
    ...(offlineReplicas.size > 0 ? { offline_replicas: encodeReplicas(offlineReplicas) } : {}),
    ...(completeSince === undefined ? {} : { complete_since: completeSince }),
  })
}

export function decodeBroker(text: string): BrokerValue {
  const value = object(JSON.parse(text), 'the value')
  const protocols = object(value['listener_security_protocol_map'], 'listener_security_protocol_map')
  return {
    endpoints: array(value['endpoints'], 'endpoints').map((uri) => decodeEndpoint(String(uri), protocols)),
    rack: typeof value['rack'] === 'string' ? value['rack'] : null,
    shuttingDown: value['shutting_down'] === true,
    offlineReplicas: decodeReplicas(value['offline_replicas']),
    completeSince: typeof value['complete_since'] === 'number' ? value['complete_since'] : undefined,
    timestampMs: Number(value['timestamp']),
  }
}

function encodeReplicas(replicas: OfflineReplicas): Record<string, number[]> {
  return Object.fromEntries(
    [...replicas].map(([topicId, indexes]) => [topicId, [...indexes].toSorted((a, b) => a - b)]),
  )
}

function decodeReplicas(value: unknown): OfflineReplicas {
  if (value === undefined) return NO_OFFLINE_REPLICAS
  const entries = Object.entries(object(value, 'offline_replicas'))
  return new Map(
    entries.map(([topicId, indexes]) => [
      topicId,
      new Set(array(indexes, topicId).map((index) => integer(index, topicId))),
    ]),
  )
}

function decodeEndpoint(uri: string, protocols: Readonly<Record<string, unknown>>): Endpoint {
  const match = /^([^:]+):\/\/(?:\[([^\]]*)\]|([^:]*)):(\d+)$/.exec(uri)
  if (match === null) throw new Error(`endpoint "${uri}" is not LISTENER://host:port`)
  const listener = match[1]!
  const protocol = protocols[listener]
  return {
    listener,
    securityProtocol: typeof protocol === 'string' ? protocol : listener,
    host: match[2] ?? match[3] ?? '',
    port: Number(match[4]),
  }
}

export interface TopicValue {
  readonly id: string
  /** Broker ids by partition index. */
  readonly assignment: readonly (readonly number[])[]
}

export function encodeTopic({ id, assignment }: TopicValue): string {
  return JSON.stringify({
    version: 3,
    topic_id: id,
    partitions: Object.fromEntries(assignment.map((replicas, index) => [String(index), replicas])),
    adding_replicas: {},
    removing_replicas: {},
  })
}

export function decodeTopic(text: string): TopicValue {
  const value = object(JSON.parse(text), 'the value')
  const partitions = object(value['partitions'], 'partitions')
  const assignment = Object.keys(partitions).map((_, index) =>
    brokerIds(partitions[String(index)], `partition ${index}`),
  )
  if (typeof value['topic_id'] !== 'string') throw new Error('topic_id is missing')
  return { id: value['topic_id'], assignment }
}

export interface PartitionState extends Pick<PartitionImage, 'leader' | 'leaderEpoch' | 'isr'> {
  /** Only where it is not the revision at which this state is written. */
  readonly isrRevision?: number
}

export function encodePartitionState(
  { leader, leaderEpoch, isr, isrRevision }: PartitionState,
  controllerEpoch: number,
): string {
  return JSON.stringify({
    controller_epoch: controllerEpoch,
    leader,
    version: 1,
    leader_epoch: leaderEpoch,
    isr,
    ...(isrRevision === undefined ? {} : { isr_revision: isrRevision }),
  })
}

export function decodePartitionState(text: string): PartitionState {
  const value = object(JSON.parse(text), 'the value')
  return {
    leader: integer(value['leader'], 'leader'),
    leaderEpoch: integer(value['leader_epoch'], 'leader_epoch'),
    isr: brokerIds(value['isr'], 'isr'),
    ...(value['isr_revision'] === undefined
      ? {}
      : { isrRevision: integer(value['isr_revision'], 'isr_revision') }),
  }
}

export function encodeConfigs(configs: ReadonlyMap<string, string>): string {
  return JSON.stringify({ version: 1, config: Object.fromEntries(configs) })
}

export function decodeConfigs(text: string): ReadonlyMap<string, string> {
  const config = object(object(JSON.parse(text), 'the value')['config'], 'config')
  return new Map(Object.entries(config).map(([key, value]) => [key, String(value)]))
}

export function encodeController(brokerId: number, timestampMs: number): string {
  return JSON.stringify({ version: 1, brokerid: brokerId, timestamp: String(timestampMs) })
}

export function decodeController(text: string): number {
  return integer(object(JSON.parse(text), 'the value')['brokerid'], 'brokerid')
}

export function decodeControllerEpoch(text: string): number {
  return integer(JSON.parse(text), 'the value')
}

export function encodeClusterId(id: string): string {
  return JSON.stringify({ version: '1', id })
}

export function decodeClusterId(text: string): string {
  const { id } = object(JSON.parse(text), 'the value')
  if (typeof id !== 'string') throw new Error('id is missing')
  return id
}

/** `last` is the block's last id, itself included. */
export interface ProducerIdBlockValue {
  readonly brokerId: number
  readonly first: number
  readonly last: number
}

/** The ids are text, as Kafka writes them: they are 64 bits wide. */
export function encodeProducerIdBlock({ brokerId, first, last }: ProducerIdBlockValue): string {
  return JSON.stringify({ version: 1, broker: brokerId, block_start: String(first), block_end: String(last) })
}

export function decodeProducerIdBlock(text: string): ProducerIdBlockValue {
  const value = object(JSON.parse(text), 'the value')
  return {
    brokerId: integer(value['broker'], 'broker'),
    first: integer(Number(value['block_start']), 'block_start'),
    last: integer(Number(value['block_end']), 'block_end'),
  }
}

function isIndex(text: string | undefined): boolean {
  return text !== undefined && /^(0|[1-9]\d{0,9})$/.test(text)
}

function object(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error(`${what} is not an object`)
  return value as Readonly<Record<string, unknown>>
}

function array(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new Error(`${what} is not a list`)
  return value
}

function brokerIds(value: unknown, what: string): readonly number[] {
  return array(value, what).map((id) => integer(id, what))
}

function integer(value: unknown, what: string): number {
  if (!Number.isSafeInteger(value)) throw new Error(`${what} is not an integer`)
  return value as number
}
