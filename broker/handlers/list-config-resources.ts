/**
 * ListConfigResources: the topics and brokers, which are what has settings here (KIP-1142). v0 asks for client metrics,
 * of which there are none; in v1 no type stands for every type.
 */
import type { ListConfigResources } from '../protocol/apis/list-config-resources.ts'
import { KafkaError } from '../protocol/errors.ts'
import { RESOURCE } from './config-resources.ts'
import type { Handler } from './context.ts'

const FIRST_VERSION_WITH_TYPES = 1
const TYPES: ReadonlySet<number> = new Set(Object.values(RESOURCE))

export const listConfigResources: Handler<typeof ListConfigResources> = (request, context) => {
  const asked =
    context.apiVersion < FIRST_VERSION_WITH_TYPES ? [RESOURCE.clientMetrics] : request.resourceTypes
  const unknown = asked.find((type) => !TYPES.has(type))
  if (unknown !== undefined) {
    throw new KafkaError('UNSUPPORTED_VERSION', `there is no resource type ${unknown}`)
  }
  const types = asked.length === 0 ? TYPES : new Set(asked)
  const { brokers, topics } = context.metadata.image
  const named = (resourceType: number, names: Iterable<string | number>) =>
    types.has(resourceType) ? Array.from(names, (name) => ({ resourceName: String(name), resourceType })) : []
  return {
    throttleTimeMs: 0,
    errorCode: 0,
    configResources: [...named(RESOURCE.broker, brokers.keys()), ...named(RESOURCE.topic, topics.keys())],
  }
}
