/** DescribeConfigs: the settings of topics and of this broker with their sources. v3 adds types and documentation (KIP-569). */
import type { DescribeConfigs } from '../protocol/apis/describe-configs.ts'
import { KafkaError } from '../protocol/errors.ts'
import type { RequestOf, ResponseOf } from '../protocol/schema.ts'
import { brokerEntries, type ConfigEntry, topicEntries } from './config-entries.ts'
import type { Handler, RequestContext } from './context.ts'
import { toKafkaError } from './each-partition.ts'
import { checkTopicName } from './topic-names.ts'

type Request = RequestOf<typeof DescribeConfigs>
type Resource = Request['resources'][number]
type Result = ResponseOf<typeof DescribeConfigs>['results'][number]

const TOPIC = 2
const BROKER = 4

export const describeConfigs: Handler<typeof DescribeConfigs> = (request, context) => ({
  throttleTimeMs: 0,
  results: request.resources.map((resource) => describeResource(resource, request, context)),
})

function describeResource(resource: Resource, request: Request, context: RequestContext): Result {
  const { resourceType, resourceName, configurationKeys } = resource
  try {
    const wanted = configurationKeys === null ? undefined : new Set(configurationKeys)
    const configs = entriesOf(resource, context)
      .filter(({ name }) => wanted === undefined || wanted.has(name))
      .map(({ synonyms, documentation, ...entry }) => ({
        ...entry,
        synonyms: request.includeSynonyms ? synonyms : [],
        documentation: request.includeDocumentation ? documentation : null,
      }))
    return { errorCode: 0, errorMessage: null, resourceType, resourceName, configs }
  } catch (error) {
    const { code, detail } = toKafkaError(error, context.logger, { resourceType, resourceName })
    return { errorCode: code, errorMessage: detail ?? null, resourceType, resourceName, configs: [] }
  }
}

function entriesOf({ resourceType, resourceName }: Resource, context: RequestContext): ConfigEntry[] {
  if (resourceType === TOPIC) return topicEntriesOf(resourceName, context)
  if (resourceType === BROKER) return brokerEntriesOf(resourceName, context)
  throw new KafkaError(
    'INVALID_REQUEST',
    `resource type ${resourceType}: 2 (topic) and 4 (broker) have settings here`,
  )
}

function topicEntriesOf(name: string, context: RequestContext): ConfigEntry[] {
  checkTopicName(name)
  const topic = context.metadata.image.topics.get(name)
  if (topic === undefined) {
    throw new KafkaError('UNKNOWN_TOPIC_OR_PARTITION', `there is no topic "${name}"`)
  }
  return topicEntries(context.config, context.config.topic(topic.configs))
}

/** The empty name stands for what all brokers share dynamically: nothing. */
function brokerEntriesOf(name: string, context: RequestContext): ConfigEntry[] {
  if (name === '') return []
  if (name === String(context.brokerId)) return brokerEntries(context.config)
  throw new KafkaError(
    'INVALID_REQUEST',
    `this is broker ${context.brokerId}, which does not know the settings of broker "${name}"; ask that one`,
  )
}
