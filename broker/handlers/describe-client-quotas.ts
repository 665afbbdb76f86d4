/**
 * DescribeClientQuotas: the quotas of all entities that a filter finds (KIP-546). Each component of the filter asks for one
 * type, by a name, for the default, or for anything; strict finds only entities that have no other type.
 */
import { QUOTA_ENTITY_TYPES, type QuotaEntity, type QuotaEntityType } from '../metadata/client-quotas.ts'
import type { DescribeClientQuotas } from '../protocol/apis/describe-client-quotas.ts'
import { KafkaError } from '../protocol/errors.ts'
import type { RequestOf } from '../protocol/schema.ts'
import type { Handler } from './context.ts'

type Component = RequestOf<typeof DescribeClientQuotas>['components'][number]

/** Codes of the protocol. */
const EXACT = 0
const DEFAULT = 1
const ANY = 2

export const describeClientQuotas: Handler<typeof DescribeClientQuotas> = (request, context) => {
  const wanted = filterOf(request.components)
  const found = [...context.metadata.image.clientQuotas.values()].filter(
    ({ entity }) => matches(entity, wanted) && !(request.strict && entity.size !== wanted.size),
  )
  return {
    throttleTimeMs: 0,
    errorCode: 0,
    errorMessage: '',
    entries: found.map(({ entity, limits }) => ({
      entity: Array.from(entity, ([entityType, entityName]) => ({ entityType, entityName })),
      values: Array.from(limits, ([key, value]) => ({ key, value })),
    })),
  }
}

/** What a name has to be, by type: undefined for anything. */
type Filter = ReadonlyMap<QuotaEntityType, string | null | undefined>

function matches(entity: QuotaEntity, wanted: Filter): boolean {
  return [...wanted].every(
    ([type, name]) => entity.has(type) && (name === undefined || entity.get(type) === name),
  )
}

function filterOf(components: readonly Component[]): Filter {
  const wanted = new Map<QuotaEntityType, string | null | undefined>()
  for (const component of components) {
    const type = typeOf(component.entityType)
    if (wanted.has(type)) throw invalid(`the filter asks for ${type} more than once`)
    wanted.set(type, nameOf(component))
  }
  if (wanted.has('ip') && wanted.size > 1) {
    throw invalid(
      'addresses (ip) have quotas of their own: the filter cannot ask for user or client-id as well',
    )
  }
  return wanted
}

function typeOf(text: string): QuotaEntityType {
  if (text === '') throw invalid('the type of an entity is empty')
  const type = QUOTA_ENTITY_TYPES.find((known) => known === text)
  if (type !== undefined) return type
  throw new KafkaError(
    'UNSUPPORTED_VERSION',
    `there are no quotas of ${text}: it may be ${QUOTA_ENTITY_TYPES.join(', ')}`,
  )
}

function nameOf({ entityType, matchType, match }: Component): string | null | undefined {
  if (matchType === EXACT) {
    if (match !== null) return match
    throw invalid(`the filter asks for one ${entityType} without saying which`)
  }
  if (matchType !== DEFAULT && matchType !== ANY) {
    throw invalid(
      `${entityType}: there is no match type ${matchType}; 0 is by name, 1 the default, 2 anything`,
    )
  }
  if (match !== null) throw invalid(`${entityType}: match type ${matchType} goes without the name "${match}"`)
  return matchType === DEFAULT ? null : undefined
}

function invalid(detail: string): KafkaError {
  return new KafkaError('INVALID_REQUEST', detail)
}
