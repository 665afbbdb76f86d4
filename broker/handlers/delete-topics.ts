/**
 * DeleteTopics: removes topics by name (v1-5), from v6 by name or id (KIP-516). v5 adds errorMessage.
 * The change of the metadata commits first; each part drops its own state when it sees the new image.
 */
import type { DeleteTopics } from '../protocol/apis/delete-topics.ts'
import type { TopicImage } from '../metadata/image.ts'
import { KafkaError } from '../protocol/errors.ts'
import { type RequestOf, type ResponseOf, ZERO_UUID } from '../protocol/schema.ts'
import type { Handler, RequestContext } from './context.ts'
import { toKafkaError } from './each-partition.ts'
import { Deadline, quorumErrors } from './quorum-errors.ts'

type TopicResponse = ResponseOf<typeof DeleteTopics>['responses'][number]

interface Target {
  readonly name: string | null
  readonly topicId: string
}

const FIRST_VERSION_WITH_DISABLED_ERROR = 3
/** Older clients do not know THROTTLING_QUOTA_EXCEEDED (KIP-599). */
const FIRST_VERSION_WITH_QUOTA_ERROR = 5

export const deleteTopics: Handler<typeof DeleteTopics> = async (request, context) => {
  if (!context.config.get('delete.topic.enable')) {
    const known = context.apiVersion >= FIRST_VERSION_WITH_DISABLED_ERROR
    throw new KafkaError(
      known ? 'TOPIC_DELETION_DISABLED' : 'INVALID_REQUEST',
      'delete.topic.enable is false on this broker',
    )
  }
  const deadline = new Deadline(context.clock, request.timeoutMs)
  const byIdentity = Map.groupBy(targetsOf(request), (target) => identityOf(target, context))
  const responses = await Promise.all(
    [...byIdentity.values()].map((targets) =>
      deleteTopic(distinctTarget(targets, context), targets.length > 1, deadline, context),
    ),
  )
  return { throttleTimeMs: context.quotas.mutationDebtMs(context.clientId), responses }
}

function targetsOf(request: RequestOf<typeof DeleteTopics>): Target[] {
  return [...request.topicNames.map((name) => ({ name, topicId: ZERO_UUID })), ...request.topics]
}

/** What stands for all of them in the answer: a topic that is named in two ways is told by both. */
function distinctTarget(targets: readonly Target[], context: RequestContext): Target {
  const target = targets[0]!
  const isNamedInOneWay = targets.every(({ topicId }) => topicId === target.topicId)
  const topic = isNamedInOneWay ? undefined : lookup(target, context)
  return topic === undefined ? target : { name: topic.name, topicId: topic.id }
}

/** The same for a topic that is named once by its name and once by its id. */
function identityOf(target: Target, context: RequestContext): string {
  return lookup(target, context)?.id ?? `${target.name} ${target.topicId}`
}

function lookup({ name, topicId }: Target, context: RequestContext): TopicImage | undefined {
  const { topics, topicNames } = context.metadata.image
  return topics.get((topicId === ZERO_UUID ? name : topicNames.get(topicId)) ?? '')
}

async function deleteTopic(
  target: Target,
  repeated: boolean,
  deadline: Deadline,
  context: RequestContext,
): Promise<TopicResponse> {
  try {
    checkTarget(target, repeated)
    const topic = lookup(target, context)
    if (topic === undefined) throw unknownTopic(target)
    const strict = context.apiVersion >= FIRST_VERSION_WITH_QUOTA_ERROR
    context.quotas.mutate(context.clientId, topic.partitions.length, strict)
    await quorumErrors(() => context.metadata.deleteTopic(topic.name, topic.id), deadline)
    context.logger.info({ topic: topic.name, topicId: topic.id, clientId: context.clientId }, 'topic deleted')
    return { name: topic.name, topicId: topic.id, errorCode: 0 }
  } catch (error) {
    const { code, detail } = toKafkaError(error, context.logger, { topic: target.name ?? target.topicId })
    return { name: target.name, topicId: target.topicId, errorCode: code, errorMessage: detail ?? null }
  }
}

function checkTarget({ name, topicId }: Target, repeated: boolean): void {
  if (repeated) throw new KafkaError('INVALID_REQUEST', `topic ${name ?? topicId} is named more than once`)
  if (name === null && topicId === ZERO_UUID) {
    throw new KafkaError('INVALID_REQUEST', 'a topic has neither a name nor an id')
  }
  if (name !== null && topicId !== ZERO_UUID) {
    throw new KafkaError('INVALID_REQUEST', `topic "${name}" has a name and an id: give one`)
  }
}

function unknownTopic({ name, topicId }: Target): KafkaError {
  return name === null
    ? new KafkaError('UNKNOWN_TOPIC_ID', `there is no topic with the id ${topicId}`)
    : new KafkaError('UNKNOWN_TOPIC_OR_PARTITION', `there is no topic "${name}"`)
}
