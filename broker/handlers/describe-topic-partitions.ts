/**
 * DescribeTopicPartitions: the topics that are named, or all, in the order of their names and page by page (KIP-966): an
 * answer holds at most `responsePartitionLimit` partitions, and says where the next one begins.
 *
 * There are no eligible leader replicas beside the in-sync ones.
 */
import type { DescribeTopicPartitions } from '../protocol/apis/describe-topic-partitions.ts'
import { errorCode, KafkaError } from '../protocol/errors.ts'
import { type RequestOf, type ResponseOf, ZERO_UUID } from '../protocol/schema.ts'
import type { TopicImage } from '../metadata/image.ts'
import { TOPIC_OPERATIONS } from './authorized-operations.ts'
import type { Handler, RequestContext } from './context.ts'
import { viewPartition } from './partition-view.ts'
import { checkTopicName, isInternalTopic } from './topic-names.ts'

type Request = RequestOf<typeof DescribeTopicPartitions>
type Response = ResponseOf<typeof DescribeTopicPartitions>
type TopicResponse = Response['topics'][number]

export const describeTopicPartitions: Handler<typeof DescribeTopicPartitions> = (request, context) => {
  const { cursor } = request
  const topics: TopicResponse[] = []
  let left = pageSize(request, context)
  for (const name of namesFrom(request, context)) {
    if (left === 0) return { throttleTimeMs: 0, topics, nextCursor: { topicName: name, partitionIndex: 0 } }
    const topic = context.metadata.image.topics.get(name)
    if (topic === undefined) {
      topics.push(missing(name))
      continue
    }
    const start = cursor?.topicName === name ? cursor.partitionIndex : 0
    const end = Math.min(topic.partitions.length, start + left)
    topics.push(describe(topic, start, end, context))
    if (end < topic.partitions.length) {
      return { throttleTimeMs: 0, topics, nextCursor: { topicName: name, partitionIndex: end } }
    }
    left -= Math.max(end - start, 0)
  }
  return { throttleTimeMs: 0, topics }
}

/** Each name once, sorted, from the cursor's on. Throws INVALID_REQUEST for a cursor that the request does not lead to. */
function namesFrom({ topics, cursor }: Request, { metadata }: RequestContext): string[] {
  const names = topics.length === 0 ? [...metadata.image.topics.keys()] : topics.map(({ name }) => name)
  const from = cursor === null ? names : names.filter((name) => name >= cursor.topicName)
  if (cursor !== null && topics.length > 0 && !names.includes(cursor.topicName)) {
    throw new KafkaError(
      'INVALID_REQUEST',
      `the cursor's topic ${cursor.topicName} is not one of the request's`,
    )
  }
  if (cursor !== null && cursor.partitionIndex < 0) {
    throw new KafkaError('INVALID_REQUEST', `the cursor's partition ${cursor.partitionIndex} is negative`)
  }
  return [...new Set(from)].toSorted((a, b) => (a < b ? -1 : 1))
}

function pageSize({ responsePartitionLimit }: Request, { config }: RequestContext): number {
  return Math.max(1, Math.min(responsePartitionLimit, config.get('max.request.partition.size.limit')))
}

function describe(topic: TopicImage, start: number, end: number, context: RequestContext): TopicResponse {
  const partitions = topic.partitions.slice(start, end)
  return {
    errorCode: 0,
    name: topic.name,
    topicId: topic.id,
    isInternal: isInternalTopic(topic.name),
    partitions: partitions.map((partition) => ({
      ...viewPartition(topic.id, partition, context),
      eligibleLeaderReplicas: [],
      lastKnownElr: [],
    })),
    topicAuthorizedOperations: TOPIC_OPERATIONS,
  }
}

function missing(name: string): TopicResponse {
  return {
    errorCode: missingError(name),
    name,
    topicId: ZERO_UUID,
    isInternal: isInternalTopic(name),
    partitions: [],
    topicAuthorizedOperations: TOPIC_OPERATIONS,
  }
}

function missingError(name: string): number {
  try {
    checkTopicName(name)
    return errorCode('UNKNOWN_TOPIC_OR_PARTITION')
  } catch (error) {
    if (error instanceof KafkaError) return error.code
    throw error
  }
}
