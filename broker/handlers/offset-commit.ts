/**
 * OffsetCommit: stores how far a group has read. The offsets that are in order are stored together; each of the others
 * is answered with its own error.
 *
 * v2-4 may say how long to keep them; v6 adds leader epochs, v7 static members (KIP-345), v9 another error for groups
 * that do not exist (KIP-848), v10 topic ids (KIP-848).
 */
import type { OffsetToCommit } from '../coordinator/groups/group-shard.ts'
import type { TopicImage } from '../metadata/image.ts'
import type { OffsetCommit } from '../protocol/apis/offset-commit.ts'
import { type ErrorName, errorCode } from '../protocol/errors.ts'
import type { RequestOf } from '../protocol/schema.ts'
import type { Handler, RequestContext } from './context.ts'
import { toKafkaError } from './each-partition.ts'

const FIRST_VERSION_WITH_GROUP_ID_NOT_FOUND = 9
const FIRST_VERSION_WITH_TOPIC_IDS = 10

type Request = RequestOf<typeof OffsetCommit>
type Topic = Request['topics'][number]
type Partition = Topic['partitions'][number]

/** One partition of the request: what to store, or why not. */
type Checked = OffsetToCommit | ErrorName

export const offsetCommit: Handler<typeof OffsetCommit> = async (request, context) => {
  const checked = request.topics.map((topic) => checkTopic(topic, request, context))
  const good = checked.flat().filter((each) => typeof each !== 'string')
  const outcome = good.length === 0 ? 'NONE' : await commit(good, request, context)
  return {
    topics: request.topics.map(({ name, topicId, partitions }, topicIndex) => ({
      name,
      topicId,
      partitions: partitions.map(({ partitionIndex }, index) => {
        const each = checked[topicIndex]![index]!
        return { partitionIndex, errorCode: errorCode(typeof each === 'string' ? each : outcome) }
      }),
    })),
  }
}

async function commit(
  offsets: readonly OffsetToCommit[],
  request: Request,
  context: RequestContext,
): Promise<ErrorName> {
  const { groupId, memberId, groupInstanceId, generationIdOrMemberEpoch } = request
  const member = { memberId, instanceId: groupInstanceId, generationId: generationIdOrMemberEpoch }
  const unknownGroup =
    context.apiVersion >= FIRST_VERSION_WITH_GROUP_ID_NOT_FOUND ? 'GROUP_ID_NOT_FOUND' : 'ILLEGAL_GENERATION'
  try {
    await context.groups.commitOffsets(groupId, member, offsets, unknownGroup)
    return 'NONE'
  } catch (error) {
    return toKafkaError(error, context.logger, { group: groupId }).error
  }
}

function checkTopic(topic: Topic, request: Request, context: RequestContext): Checked[] {
  const { image } = context.metadata
  const byId = context.apiVersion >= FIRST_VERSION_WITH_TOPIC_IDS
  const name = byId ? image.topicNames.get(topic.topicId) : topic.name
  const found = name === undefined ? undefined : image.topics.get(name)
  const unknown = byId ? 'UNKNOWN_TOPIC_ID' : 'UNKNOWN_TOPIC_OR_PARTITION'
  return topic.partitions.map((partition) =>
    found === undefined ? unknown : checkPartition(partition, found, request, context),
  )
}

function checkPartition(
  partition: Partition,
  topic: TopicImage,
  request: Request,
  { config, clock }: RequestContext,
): Checked {
  const metadata = partition.committedMetadata ?? ''
  if (topic.partitions[partition.partitionIndex] === undefined) return 'UNKNOWN_TOPIC_OR_PARTITION'
  if (Buffer.byteLength(metadata) > config.get('offset.metadata.max.bytes'))
    return 'OFFSET_METADATA_TOO_LARGE'
  const now = clock.now()
  return {
    topic: topic.name,
    partition: partition.partitionIndex,
    committed: {
      offset: partition.committedOffset,
      leaderEpoch: partition.committedLeaderEpoch,
      metadata,
      commitTimestampMs: now,
      expireTimestampMs: request.retentionTimeMs < 0 ? -1 : now + request.retentionTimeMs,
      topicId: topic.id,
    },
  }
}
