/**
 * DescribeConfigs: the settings of topics, of this broker and of all brokers (the empty name) with their sources.
 * v3 adds types and documentation (KIP-569).
 */
import type { DescribeConfigs } from '../protocol/apis/describe-configs.ts'
import { KafkaError } from '../protocol/errors.ts'
import type { RequestOf, ResponseOf } from '../protocol/schema.ts'
import { brokerEntries, clusterEntries, type ConfigEntry, topicEntries } from './config-entries.ts'
import { ownBrokerId, RESOURCE, unknownType } from './config-resources.ts'
import type { Handler, RequestContext } from './context.ts'
import { toKafkaError } from './each-partition.ts'
import { checkTopicName } from './topic-names.ts'

type Request = RequestOf<typeof DescribeConfigs>
type Resource = Request['resources'][number]
type Result = ResponseOf<typeof DescribeConfigs>['results'][number]

const NONE: ReadonlyMap<string, string> = new Map()

export const describeConfigs: Handler<typeof DescribeConfigs> = (request, context) => ({
  throttleTimeMs: 0,
  results: request.resources.map((resource) => describeResource(resource, request, context)),
})

function describeResource(resource: Resource, request: Request, context: RequestContext): Result {
  const { resourceType, resourceName, configurationKeys } = resource
  try {
    const wanted =
      configurationKeys === null || configurationKeys.length === 0 ? undefined : new Set(configurationKeys)
    const configs = entriesOf(resource, context)
      .filter(({ name }) => wanted === undefined || wanted.has(name))
      .map(({ synonyms, documentation, ...entry }) => ({
        ...entry,
        synonyms: request.includeSynonyms ? synonyms : [],
        documentation: request.includeDocumentation ? documentation : null,
      }))
    return { errorCode: 0, errorMessage: '', resourceType, resourceName, configs }
  } catch (error) {
    const { code, detail } = toKafkaError(error, context.logger, { resourceType, resourceName })
    return { errorCode: code, errorMessage: detail ?? null, resourceType, resourceName, configs: [] }
  }
}

function entriesOf({ resourceType, resourceName }: Resource, context: RequestContext): ConfigEntry[] {
  if (resourceType === RESOURCE.topic) return topicEntriesOf(resourceName, context)
  if (resourceType === RESOURCE.broker) return brokerEntriesOf(resourceName, context)
  throw unknownType(resourceType)
}

function topicEntriesOf(name: string, context: RequestContext): ConfigEntry[] {
  checkTopicName(name)
  const topic = context.metadata.image.topics.get(name)
  if (topic === undefined) {
    throw new KafkaError('UNKNOWN_TOPIC_OR_PARTITION', `there is no topic "${name}"`)
  }
  return topicEntries(context.config, context.config.topic(topic.configs))
}

function brokerEntriesOf(name: string, context: RequestContext): ConfigEntry[] {
  const { brokerConfigs } = context.metadata.image
  const cluster = brokerConfigs.get('') ?? NONE
  if (name === '') return clusterEntries(cluster)
  const id = ownBrokerId(name, context)
  return brokerEntries(context.config, { cluster, broker: brokerConfigs.get(String(id)) ?? NONE })
}
