/**
 * CreateTopics: creates topics, or only says whether it could (validateOnly).
 * v4 takes -1 for the broker's default of partitions or replicas. v5 answers with the settings (KIP-525), v7 with the
 * topic id (KIP-516). Any broker does it; the answer leaves when this broker's image shows the topic and its leaders.
 */
import { checkTopicConfigs, checkTopicConfigsTogether } from '../config/topic-config.ts'
import type { CreateTopics } from '../protocol/apis/create-topics.ts'
import { newUuid } from '../metadata/new-uuid.ts'
import { KafkaError } from '../protocol/errors.ts'
import { type RequestOf, type ResponseOf, ZERO_UUID } from '../protocol/schema.ts'
import { topicEntries } from './config-entries.ts'
import type { Handler, RequestContext } from './context.ts'
import { toKafkaError } from './each-partition.ts'
import { manualAssignment } from './manual-assignment.ts'
import { Deadline, quorumErrors } from './quorum-errors.ts'
import { checkCollision, checkNewTopicName } from './topic-names.ts'

type Topic = RequestOf<typeof CreateTopics>['topics'][number]
type TopicResponse = ResponseOf<typeof CreateTopics>['topics'][number]

/** Partitions that one request may ask for, over all of its topics. */
const MAX_PARTITIONS = 10_000
const DEFAULT = -1
/** Older clients do not know THROTTLING_QUOTA_EXCEEDED (KIP-599). */
const FIRST_VERSION_WITH_QUOTA_ERROR = 6

export const createTopics: Handler<typeof CreateTopics> = async (request, context) => {
  const deadline = new Deadline(context.clock, request.timeoutMs)
  checkSize(request.topics)
  const names = request.topics.map(({ name }) => name)
  const repeated = new Set(names.filter((name, index) => names.indexOf(name) !== index))
  const once = request.topics.filter(({ name }) => !repeated.has(name))
  const topics: TopicResponse[] = [...repeated].map((name) =>
    refused(name, new KafkaError('INVALID_REQUEST', `topic "${name}" is named more than once`)),
  )
  for (const topic of once) topics.push(await createTopic(topic, request.validateOnly, deadline, context))
  return { throttleTimeMs: context.quotas.mutationDebtMs(context.clientId), topics }
}

function checkSize(topics: readonly Topic[]): void {
  const partitions = topics.reduce(
    (sum, { numPartitions, assignments }) => sum + Math.max(numPartitions, assignments.length, 1),
    0,
  )
  if (partitions <= MAX_PARTITIONS) return
  throw new KafkaError(
    'POLICY_VIOLATION',
    `${partitions} partitions in one request: at most ${MAX_PARTITIONS}`,
  )
}

async function createTopic(
  topic: Topic,
  validateOnly: boolean,
  deadline: Deadline,
  context: RequestContext,
): Promise<TopicResponse> {
  const { name } = topic
  try {
    const configs = checkTopic(topic, context)
    const assignment = assignmentOf(topic, context)
    // An id of nothing, as in Apache Kafka's answer: it tells that the topic could be created.
    if (validateOnly) return created(name, newUuid(), assignment, configs, context)
    const strict = context.apiVersion >= FIRST_VERSION_WITH_QUOTA_ERROR
    context.quotas.mutate(context.clientId, assignment.length, strict)
    const image = await quorumErrors(
      () => context.metadata.createTopic({ name, assignment, configs }),
      deadline,
    )
    const partitions = assignment.length
    const fields = { topic: name, topicId: image.id, partitions, clientId: context.clientId }
    context.logger.info(fields, 'topic created')
    return created(name, image.id, assignment, configs, context)
  } catch (error) {
    return refused(name, toKafkaError(error, context.logger, { topic: name }))
  }
}

/** Throws what makes the topic impossible; returns its overrides. */
function checkTopic(topic: Topic, context: RequestContext): Map<string, string> {
  const { image } = context.metadata
  checkNewTopicName(topic.name)
  if (image.topics.has(topic.name)) {
    throw new KafkaError('TOPIC_ALREADY_EXISTS', `topic "${topic.name}" already exists`)
  }
  checkCollision(topic.name, image)
  checkTopicConfigs(topic.configs.map(({ name, value }) => [name, value]))
  const configs = new Map(topic.configs.map(({ name, value }) => [name, value ?? '']))
  checkTopicConfigsTogether(context.config, configs)
  return configs
}

function assignmentOf(topic: Topic, context: RequestContext): number[][] {
  const { numPartitions, replicationFactor, assignments } = topic
  if (assignments.length === 0) {
    return context.topics.assign(
      numPartitions === DEFAULT ? context.config.get('num.partitions') : numPartitions,
      replicationFactor === DEFAULT ? context.config.get('default.replication.factor') : replicationFactor,
    )
  }
  if (numPartitions !== DEFAULT || replicationFactor !== DEFAULT) {
    throw new KafkaError(
      'INVALID_REQUEST',
      'give either assignments or the numbers of partitions and replicas',
    )
  }
  return manualAssignment(assignments, context.metadata.image.brokers)
}

function created(
  name: string,
  topicId: string,
  assignment: readonly (readonly number[])[],
  configs: ReadonlyMap<string, string>,
  context: RequestContext,
): TopicResponse {
  return {
    name,
    topicId,
    errorCode: 0,
    errorMessage: null,
    numPartitions: assignment.length,
    replicationFactor: assignment[0]?.length ?? 0,
    configs: topicEntries(context.config, context.config.topic(configs)),
  }
}

function refused(name: string, error: KafkaError): TopicResponse {
  return {
    name,
    topicId: ZERO_UUID,
    errorCode: error.code,
    errorMessage: error.detail ?? error.error,
    configs: [],
  }
}
