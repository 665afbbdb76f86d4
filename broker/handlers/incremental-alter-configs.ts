/**
 * IncrementalAlterConfigs: sets and removes single settings of topics and brokers, and adds elements to lists or takes
 * them away (KIP-339).
 */
import { formatValue, type KeyRow } from '../config/key-row.ts'
import type { Settings } from '../metadata/alter-settings.ts'
import type { IncrementalAlterConfigs } from '../protocol/apis/incremental-alter-configs.ts'
import { KafkaError } from '../protocol/errors.ts'
import type { RequestOf } from '../protocol/schema.ts'
import { alterResources, type ResourceChange } from './config-resources.ts'
import type { Handler } from './context.ts'

type Resource = RequestOf<typeof IncrementalAlterConfigs>['resources'][number]
type Operation = Resource['configs'][number]

/** Codes of the protocol. */
const SET = 0
const DELETE = 1
const APPEND = 2
const SUBTRACT = 3

export const incrementalAlterConfigs: Handler<typeof IncrementalAlterConfigs> = async (request, context) => ({
  throttleTimeMs: 0,
  responses: await alterResources(request.resources.map(increment), request.validateOnly, context),
})

function increment({ resourceType, resourceName, configs }: Resource): ResourceChange {
  return {
    resourceType,
    resourceName,
    keys: configs.map(({ name }) => name),
    apply: (current, rowOf) => {
      const next = new Map(current)
      for (const operation of configs) {
        const text = valueAfter(operation, current, rowOf(operation.name))
        if (text === undefined) next.delete(operation.name)
        else next.set(operation.name, text)
      }
      return next
    },
  }
}

/** What the setting becomes; undefined when it is removed. */
function valueAfter(
  { name, configOperation, value }: Operation,
  current: Settings,
  row: KeyRow | undefined,
): string | undefined {
  if (configOperation === DELETE) return undefined
  if (value === null) throw new KafkaError('INVALID_REQUEST', `${name} has no value`)
  if (configOperation === SET) return value
  if (configOperation !== APPEND && configOperation !== SUBTRACT) {
    throw new KafkaError(
      'INVALID_REQUEST',
      `${name}: there is no operation ${configOperation}; 0 sets, 1 deletes, 2 appends, 3 subtracts`,
    )
  }
  if (row?.type !== 'list') {
    throw new KafkaError(
      'INVALID_CONFIG',
      `${name} is no list, to which something could be added or taken away`,
    )
  }
  const before = elements(current.get(name) ?? formatValue(row.default, row.type) ?? '')
  const given = elements(value)
  const after =
    configOperation === APPEND
      ? [...new Set([...before, ...given])]
      : before.filter((element) => !given.includes(element))
  return after.join(',')
}

function elements(text: string): string[] {
  return text
    .split(',')
    .map((element) => element.trim())
    .filter((element) => element !== '')
}
