/**
 * AlterClientQuotas: sets and removes quotas of users, clients, both together, or addresses (KIP-546). Names stand for
 * one entity, null for everybody without a quota of their own. Each entry is made, or refused, by itself.
 */
import { isIP } from 'node:net'
import { alterSettings, type Settings, settingsAt } from '../metadata/alter-settings.ts'
import {
  QUOTA_ENTITY_TYPES,
  type QuotaEntity,
  type QuotaEntityType,
  quotaKey,
} from '../metadata/client-quotas.ts'
import type { AlterClientQuotas } from '../protocol/apis/alter-client-quotas.ts'
import { KafkaError } from '../protocol/errors.ts'
import type { RequestOf, ResponseOf } from '../protocol/schema.ts'
import type { Handler, RequestContext } from './context.ts'
import { toKafkaError } from './each-partition.ts'
import { quorumErrors } from './quorum-errors.ts'

type Entry = RequestOf<typeof AlterClientQuotas>['entries'][number]
type Operation = Entry['ops'][number]
type Answer = ResponseOf<typeof AlterClientQuotas>['entries'][number]

/** What may be limited, and whether only to whole numbers. */
const CLIENT_QUOTAS: ReadonlyMap<string, { readonly whole: boolean }> = new Map([
  ['producer_byte_rate', { whole: true }],
  ['consumer_byte_rate', { whole: true }],
  ['request_percentage', { whole: false }],
  ['controller_mutation_rate', { whole: false }],
])
const ADDRESS_QUOTAS: ReadonlyMap<string, { readonly whole: boolean }> = new Map([
  ['connection_creation_rate', { whole: true }],
])
/** How far from a whole number a value may be and still be taken for it. */
const WHOLE_WITHIN = 1e-6

export const alterClientQuotas: Handler<typeof AlterClientQuotas> = async (request, context) => {
  const byEntity = Map.groupBy(request.entries, ({ entity }) =>
    JSON.stringify([...namesByType(entity)].toSorted(([a], [b]) => (a < b ? -1 : 1))),
  )
  const entries = await Promise.all(
    [...byEntity.values()].map(([entry, ...others]) =>
      alterEntry(entry!, others.length > 0, request.validateOnly, context),
    ),
  )
  return { throttleTimeMs: 0, entries }
}

/** Of a type that is named twice, the last name counts, as it does in Apache Kafka. */
function namesByType(entity: Entry['entity']): Map<string, string | null> {
  return new Map(entity.map(({ entityType, entityName }) => [entityType, entityName]))
}

async function alterEntry(
  { entity, ops }: Entry,
  repeated: boolean,
  validateOnly: boolean,
  context: RequestContext,
): Promise<Answer> {
  const names = namesByType(entity)
  const told = Array.from(names, ([entityType, entityName]) => ({ entityType, entityName }))
  try {
    if (repeated) throw invalid('the entity is named more than once in the request')
    const known = knownEntity(names)
    const allowed = known.has('ip') ? ADDRESS_QUOTAS : CLIENT_QUOTAS
    const change = (current: Settings): Settings => altered(current, ops, allowed)
    const key = quotaKey(known)
    if (validateOnly) change(settingsAt(context.metadata, key))
    else await quorumErrors(() => alterSettings(context.metadata, key, change))
    return { errorCode: 0, errorMessage: null, entity: told }
  } catch (error) {
    const { code, detail } = toKafkaError(error, context.logger, { entity: told })
    return { errorCode: code, errorMessage: detail ?? null, entity: told }
  }
}

function knownEntity(names: ReadonlyMap<string, string | null>): QuotaEntity {
  if (names.size === 0) throw invalid('the entity is empty: it needs a user, a client-id or an ip')
  const entity = new Map<QuotaEntityType, string | null>()
  for (const [type, name] of names) {
    const known = QUOTA_ENTITY_TYPES.find((candidate) => candidate === type)
    if (known === undefined) {
      throw invalid(`there are no quotas of ${type}: it may be ${QUOTA_ENTITY_TYPES.join(', ')}`)
    }
    if (name === '')
      throw invalid(`the name of the ${type} is empty; without a name it stands for the default`)
    entity.set(known, name)
  }
  const ip = entity.get('ip')
  if (ip !== undefined && entity.size > 1)
    throw invalid('an ip cannot be combined with a user or a client-id')
  if (typeof ip === 'string' && isIP(ip) === 0) throw invalid(`"${ip}" is no IP address`)
  return entity
}

function altered(
  current: Settings,
  ops: readonly Operation[],
  allowed: ReadonlyMap<string, { readonly whole: boolean }>,
): Settings {
  const repeated = ops.find(({ key }, index) => ops.findIndex((other) => other.key === key) !== index)
  if (repeated !== undefined) throw invalid(`${repeated.key} is named more than once`)
  const next = new Map(current)
  for (const { key, value, remove } of ops) {
    if (remove) next.delete(key)
    else next.set(key, String(checkedValue(key, value, allowed)))
  }
  return next
}

function checkedValue(
  key: string,
  value: number,
  allowed: ReadonlyMap<string, { readonly whole: boolean }>,
): number {
  const rule = allowed.get(key)
  if (rule === undefined)
    throw invalid(`${key} cannot be limited here: it may be ${[...allowed.keys()].join(', ')}`)
  if (!(value > 0)) throw invalid(`${key}=${value}: must be more than 0`)
  if (!rule.whole) return value
  if (value > Number.MAX_SAFE_INTEGER) throw invalid(`${key}=${value}: is too large`)
  const whole = Math.round(value)
  if (Math.abs(value - whole) > WHOLE_WITHIN) throw invalid(`${key}=${value}: must be a whole number`)
  return whole
}

function invalid(detail: string): KafkaError {
  return new KafkaError('INVALID_REQUEST', detail)
}
