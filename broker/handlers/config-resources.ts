/**
 * What has settings: topics, this broker, and all brokers together (a broker without a name). Both APIs that change
 * settings end here: the first says what the settings become, this says whether they may, and makes it so.
 */
import { BROKER_KEYS, isBrokerKey } from '../config/broker-keys.ts'
import { isDynamicKey } from '../config/dynamic-settings.ts'
import { InvalidValueError, type KeyRow, parseValue } from '../config/key-row.ts'
import { whyIgnored } from '../config/ignored-key.ts'
import { checkTopicConfigs, checkTopicConfigsTogether } from '../config/topic-config.ts'
import { isTopicKey, TOPIC_KEYS } from '../config/topic-keys.ts'
import { alterSettings, type Settings, settingsAt } from '../metadata/alter-settings.ts'
import { brokerConfigKey, topicConfigKey, topicKey } from '../metadata/keys.ts'
import type { Condition } from '../metadata/store.ts'
import { KafkaError } from '../protocol/errors.ts'
import type { RequestContext } from './context.ts'
import { toKafkaError } from './each-partition.ts'
import { quorumErrors } from './quorum-errors.ts'
import { checkTopicName } from './topic-names.ts'

/** Codes of the protocol for the types of resources. */
export const RESOURCE = { topic: 2, broker: 4, brokerLogger: 8, clientMetrics: 16, group: 32 } as const

export interface ResourceChange {
  readonly resourceType: number
  readonly resourceName: string
  /** The keys that the request names. */
  readonly keys: readonly string[]
  /** What the settings become. `rowOf` gives the row of a key of this resource. Throws KafkaError. */
  readonly apply: (current: Settings, rowOf: (key: string) => KeyRow | undefined) => Settings
}

export interface ResourceResponse {
  readonly errorCode: number
  readonly errorMessage: string | null
  readonly resourceType: number
  readonly resourceName: string
}

/** Makes each change by itself, or only says whether it could (`validateOnly`). */
export function alterResources(
  changes: readonly ResourceChange[],
  validateOnly: boolean,
  context: RequestContext,
): Promise<ResourceResponse[]> {
  const counts = Map.groupBy(changes, identityOf)
  return Promise.all(
    changes.map((change) =>
      alterResource(change, counts.get(identityOf(change))!.length, validateOnly, context),
    ),
  )
}

const identityOf = ({ resourceType, resourceName }: ResourceChange): string =>
  `${resourceType} ${resourceName}`

async function alterResource(
  change: ResourceChange,
  timesNamed: number,
  validateOnly: boolean,
  context: RequestContext,
): Promise<ResourceResponse> {
  const { resourceType, resourceName } = change
  try {
    if (timesNamed > 1)
      throw invalid(`the resource "${resourceName}" is named ${timesNamed} times in one request`)
    const repeated = change.keys.find((key, index) => change.keys.indexOf(key) !== index)
    if (repeated !== undefined) throw invalid(`${repeated} is named more than once`)
    const resource = resourceOf(change, context)
    const next = (current: Settings): Settings => {
      const settings = change.apply(current, resource.rowOf)
      resource.check(changed(current, settings), settings)
      return settings
    }
    if (validateOnly) {
      next(settingsAt(context.metadata, resource.key))
      resource.guards()
    } else await quorumErrors(() => alterSettings(context.metadata, resource.key, next, resource.guards))
    return { errorCode: 0, errorMessage: null, resourceType, resourceName }
  } catch (error) {
    const { code, detail } = toKafkaError(error, context.logger, { resourceType, resourceName })
    return { errorCode: code, errorMessage: detail ?? null, resourceType, resourceName }
  }
}

/** The settings that are new or have another value. */
function changed(current: Settings, next: Settings): [string, string][] {
  return [...next].filter(([key, value]) => current.get(key) !== value)
}

interface Resource {
  /** Where the tree keeps its settings. */
  readonly key: string
  readonly rowOf: (key: string) => KeyRow | undefined
  /** Throws what makes one of the changed settings, or all of them together, impossible. */
  readonly check: (changed: readonly [string, string][], all: Settings) => void
  /** Throws when there is no such thing. */
  readonly guards: () => readonly Condition[]
}

function resourceOf({ resourceType, resourceName }: ResourceChange, context: RequestContext): Resource {
  if (resourceType === RESOURCE.topic) return topicResource(resourceName, context)
  if (resourceType === RESOURCE.broker) return brokerResource(resourceName, context)
  throw unknownType(resourceType)
}

/** INVALID_REQUEST, with the types that have settings here. */
export function unknownType(resourceType: number): KafkaError {
  return invalid(`resource type ${resourceType}: 2 (topic) and 4 (broker) have settings here`)
}

function topicResource(name: string, context: RequestContext): Resource {
  if (name === '')
    throw invalid('a topic needs a name: there are no settings of all topics, but those of the brokers')
  checkTopicName(name)
  return {
    key: topicConfigKey(name),
    rowOf: (key) => (isTopicKey(key) ? TOPIC_KEYS[key] : undefined),
    check: (settings, all) => {
      checkTopicConfigs(settings)
      checkTopicConfigsTogether(context.config, all)
      for (const [key] of settings) {
        const row: KeyRow | undefined = isTopicKey(key) ? TOPIC_KEYS[key] : undefined
        const reason = row?.withoutEffect
        if (reason !== undefined) warn(context, { topic: name, key, reason })
      }
    },
    guards: () => {
      const topic = context.metadata.image.topics.get(name)
      if (topic === undefined)
        throw new KafkaError('UNKNOWN_TOPIC_OR_PARTITION', `there is no topic "${name}"`)
      return [{ key: topicKey(name), modRevision: topic.revision }]
    },
  }
}

/** Only this broker's own settings, as with Apache Kafka; the empty name is for those of all brokers. */
function brokerResource(name: string, context: RequestContext): Resource {
  const broker = name === '' ? '' : String(ownBrokerId(name, context))
  return {
    key: brokerConfigKey(broker),
    rowOf: (key) => (isBrokerKey(key) ? BROKER_KEYS[key] : undefined),
    check: (settings) => {
      for (const [key, value] of settings) checkBrokerSetting(key, value, context)
    },
    guards: () => [],
  }
}

/** The id that a resource of type broker names. Throws INVALID_REQUEST unless it is this broker's. */
export function ownBrokerId(name: string, { brokerId }: RequestContext): number {
  if (!/^[+-]?\d+$/.test(name)) throw invalid(`"${name}" is no broker id: it must be a whole number`)
  if (Number(name) === brokerId) return brokerId
  throw invalid(
    `this is broker ${brokerId}, which does not answer for the settings of broker ${name}; ask that one`,
  )
}

/** A key that nobody here knows is kept, as Apache Kafka keeps those of its plug-ins, and said to do nothing. */
function checkBrokerSetting(key: string, value: string, context: RequestContext): void {
  if (!isBrokerKey(key)) return warn(context, { key, reason: whyIgnored(key) })
  if (!isDynamicKey(key)) {
    throw invalid(`${key} is read once, when a broker starts: set it in server.properties and restart`)
  }
  try {
    const row: KeyRow = BROKER_KEYS[key]
    parseValue(row, value)
    if (row.withoutEffect !== undefined) warn(context, { key, reason: row.withoutEffect })
  } catch (error) {
    if (error instanceof InvalidValueError) throw invalid(`${key}=${value}: ${error.message}`)
    throw error
  }
}

function warn({ logger, clientId }: RequestContext, fields: object): void {
  logger.warn({ ...fields, clientId }, 'a setting was made that changes nothing here')
}

function invalid(detail: string): KafkaError {
  return new KafkaError('INVALID_REQUEST', detail)
}
