/**
 * Metadata: brokers, topics, partitions and their leaders, with the addresses of the listener that was asked.
 *
 * v0 asks for all topics with an empty list, v1 with null. v4 may forbid automatic creation. v6 tells a leader
 * without that listener from a missing leader. v12 finds topics by id (KIP-516).
 *
 * Whoever names topics is a client at work, and is told of brokers that have just gone too (departed-brokers.ts). Whoever
 * asks for all topics, or for none, looks at the cluster, and sees it as it is.
 */
import type { Metadata } from '../protocol/apis/metadata.ts'
import type { PartitionImage, TopicImage } from '../metadata/image.ts'
import { errorCode, KafkaError } from '../protocol/errors.ts'
import { type RequestOf, type ResponseOf, ZERO_UUID } from '../protocol/schema.ts'
import { CLUSTER_OPERATIONS, NOT_ASKED, TOPIC_OPERATIONS } from './authorized-operations.ts'
import { type BrokerView, brokersOf, controllerOf } from './cluster-view.ts'
import type { Handler, RequestContext } from './context.ts'
import { viewPartition } from './partition-view.ts'
import { checkTopicName, isInternalTopic } from './topic-names.ts'

type Request = RequestOf<typeof Metadata>
type TopicResponse = ResponseOf<typeof Metadata>['topics'][number]
type PartitionResponse = TopicResponse['partitions'][number]

const LISTENER_NOT_FOUND = errorCode('LISTENER_NOT_FOUND')
const FIRST_VERSION_WITH_NULL = 1
const FIRST_VERSION_WITH_LISTENER_ERROR = 6
const FIRST_VERSION_BY_ID = 12

export const metadata: Handler<typeof Metadata> = (request, context) => {
  const { image } = context.metadata
  const live = brokersOf(image.brokers.values(), context.listener)
  return {
    brokers: brokersFor(request, context).map(({ id, host, port, rack }) => ({
      nodeId: id,
      host,
      port,
      rack,
    })),
    clusterId: context.clusterId,
    controllerId: controllerOf(image, live),
    topics: describeTopics(request, context),
    clusterAuthorizedOperations: request.includeClusterAuthorizedOperations ? CLUSTER_OPERATIONS : NOT_ASKED,
    errorCode: 0,
  }
}

function brokersFor({ topics }: Request, { metadata, departed, listener }: RequestContext): BrokerView[] {
  const live = metadata.image.brokers.values()
  const isAtWork = topics !== null && topics.length > 0
  return brokersOf(isAtWork ? [...live, ...departed.recent()] : live, listener)
}

function describeTopics(request: Request, context: RequestContext): TopicResponse[] {
  const { image } = context.metadata
  const { topics } = request
  if (topics === null || (topics.length === 0 && context.apiVersion < FIRST_VERSION_WITH_NULL)) {
    return [...image.topics.values()].map((topic) => describeTopic(topic, request, context))
  }
  return distinct(topics).map(({ name, topicId }) =>
    topicId === ZERO_UUID ? describeByName(name, request, context) : describeById(topicId, request, context),
  )
}

/** A topic that is asked for twice is described once. */
function distinct(topics: NonNullable<Request['topics']>): NonNullable<Request['topics']> {
  const byIdentity = new Map(
    topics.map((topic) => [topic.topicId === ZERO_UUID ? `name ${topic.name}` : topic.topicId, topic]),
  )
  return byIdentity.size === topics.length ? topics : [...byIdentity.values()]
}

function describeByName(name: string | null, request: Request, context: RequestContext): TopicResponse {
  if (name === null) throw new KafkaError('INVALID_REQUEST', 'a topic has neither a name nor an id')
  const topic = context.metadata.image.topics.get(name)
  if (topic !== undefined) return describeTopic(topic, request, context)
  try {
    checkTopicName(name)
  } catch (error) {
    if (error instanceof KafkaError) return missing({ name, topicId: ZERO_UUID }, error.code)
    throw error
  }
  if (request.allowAutoTopicCreation && context.config.get('auto.create.topics.enable')) {
    // Topics of the brokers' own are created by the part that they belong to, with settings of their own.
    if (!isInternalTopic(name)) context.topics.createAutomatically(name)
  }
  return missing({ name, topicId: ZERO_UUID }, errorCode('UNKNOWN_TOPIC_OR_PARTITION'))
}

function describeById(topicId: string, request: Request, context: RequestContext): TopicResponse {
  if (context.apiVersion < FIRST_VERSION_BY_ID) {
    throw new KafkaError('INVALID_REQUEST', `topic ids are looked up from version ${FIRST_VERSION_BY_ID} on`)
  }
  const { image } = context.metadata
  const topic = image.topics.get(image.topicNames.get(topicId) ?? '')
  if (topic !== undefined) return describeTopic(topic, request, context)
  return missing({ name: null, topicId }, errorCode('UNKNOWN_TOPIC_ID'))
}

function missing(topic: { name: string | null; topicId: string }, code: number): TopicResponse {
  return { ...topic, errorCode: code, isInternal: isInternalTopic(topic.name ?? ''), partitions: [] }
}

function describeTopic(topic: TopicImage, request: Request, context: RequestContext): TopicResponse {
  return {
    errorCode: 0,
    name: topic.name,
    topicId: topic.id,
    isInternal: isInternalTopic(topic.name),
    partitions: topic.partitions.map((partition) => describePartition(topic.id, partition, context)),
    topicAuthorizedOperations: request.includeTopicAuthorizedOperations ? TOPIC_OPERATIONS : NOT_ASKED,
  }
}

function describePartition(
  topicId: string,
  partition: PartitionImage,
  context: RequestContext,
): PartitionResponse {
  const view = viewPartition(topicId, partition, context)
  const isTooOld = context.apiVersion < FIRST_VERSION_WITH_LISTENER_ERROR
  if (isTooOld && view.errorCode === LISTENER_NOT_FOUND) {
    return { ...view, errorCode: errorCode('LEADER_NOT_AVAILABLE') }
  }
  return view
}
