/**
 * OffsetFetch: how far groups have read. A partition without a commit is answered with offset -1, not with an error.
 *
 * v2 may ask for everything (topics null) and answers errors of the whole group once; v1 has them in each partition.
 * v7 may ask to wait for open transactions (there are none, so what is stored is stable); v8 asks for several groups
 * (KIP-709), v9 adds members of the new protocol, v10 topic ids (KIP-848).
 */
import type { CommittedOffset, CommittedOffsets } from '../coordinator/groups/offsets.ts'
import type { OffsetFetch } from '../protocol/apis/offset-fetch.ts'
import { type ErrorName, errorCode } from '../protocol/errors.ts'
import { type RequestOf, type ResponseOf, ZERO_UUID } from '../protocol/schema.ts'
import type { Handler, RequestContext } from './context.ts'
import { toKafkaError } from './each-partition.ts'

const FIRST_VERSION_WITH_GROUP_ERROR = 2
const FIRST_VERSION_WITH_GROUPS = 8
const FIRST_VERSION_WITH_TOPIC_IDS = 10

type Group = RequestOf<typeof OffsetFetch>['groups'][number]
type GroupAnswer = NonNullable<ResponseOf<typeof OffsetFetch>['groups']>[number]
type TopicAnswer = GroupAnswer['topics'][number] & { readonly name: string }
type PartitionAnswer = TopicAnswer['partitions'][number]

/** A topic of the request, or of the group's commits; `name` is undefined for an id that no topic has. */
interface AskedTopic {
  readonly name: string | undefined
  readonly topicId: string
  readonly partitionIndexes: readonly number[]
}

export const offsetFetch: Handler<typeof OffsetFetch> = (request, context) => {
  const { apiVersion } = context
  if (apiVersion >= FIRST_VERSION_WITH_GROUPS) {
    return {
      groups: request.groups.map((group) => answerGroup(group.groupId, askedTopics(group, context), context)),
    }
  }
  const asked = request.topics?.map((topic) => ({ ...topic, topicId: ZERO_UUID })) ?? null
  const { topics, errorCode: groupError } = answerGroup(request.groupId, asked, context)
  return { topics, errorCode: groupError ?? 0 }
}

function askedTopics(group: Group, { apiVersion, metadata }: RequestContext): AskedTopic[] | null {
  if (group.topics === null) return null
  if (apiVersion < FIRST_VERSION_WITH_TOPIC_IDS) return group.topics
  return group.topics.map((topic) => ({ ...topic, name: metadata.image.topicNames.get(topic.topicId) }))
}

function answerGroup(
  groupId: string,
  asked: readonly AskedTopic[] | null,
  context: RequestContext,
): GroupAnswer & { topics: TopicAnswer[] } {
  try {
    const offsets = context.groups.offsetsOf(groupId)
    const topics = (asked ?? everything(offsets, context)).map((topic) =>
      answerTopic(topic, offsets, context),
    )
    return { groupId, topics, errorCode: 0 }
  } catch (error) {
    const { error: name, code } = toKafkaError(error, context.logger, { group: groupId })
    if (context.apiVersion >= FIRST_VERSION_WITH_GROUP_ERROR) return { groupId, topics: [], errorCode: code }
    const topics = (asked ?? []).map((topic) => eachPartition(topic, () => withoutCommit(name)))
    return { groupId, topics, errorCode: code }
  }
}

/** Every partition for which the group has a commit, of topics that exist if they are to be named by id. */
function everything(offsets: CommittedOffsets, { apiVersion, metadata }: RequestContext): AskedTopic[] {
  return offsets
    .topics()
    .map((name) => {
      const topicId = metadata.image.topics.get(name)?.id
      const partitionIndexes = offsets
        .partitions(name)
        .filter((index) => offsets.get(name, index, topicId) !== undefined)
      return { name, topicId: topicId ?? ZERO_UUID, partitionIndexes }
    })
    .filter(({ topicId, partitionIndexes }) => {
      const canBeNamed = apiVersion < FIRST_VERSION_WITH_TOPIC_IDS || topicId !== ZERO_UUID
      return canBeNamed && partitionIndexes.length > 0
    })
}

function answerTopic(
  topic: AskedTopic,
  offsets: CommittedOffsets,
  { metadata }: RequestContext,
): TopicAnswer {
  const { name } = topic
  if (name === undefined) return eachPartition(topic, () => withoutCommit('UNKNOWN_TOPIC_ID'))
  const topicId = metadata.image.topics.get(name)?.id
  return eachPartition(topic, (index) => {
    const committed = offsets.get(name, index, topicId)
    return committed === undefined ? withoutCommit('NONE') : withCommit(committed)
  })
}

type Position = Omit<PartitionAnswer, 'partitionIndex'>

function eachPartition(topic: AskedTopic, answer: (index: number) => Position): TopicAnswer {
  const partitions = topic.partitionIndexes.map((index) => ({ partitionIndex: index, ...answer(index) }))
  return { name: topic.name ?? '', topicId: topic.topicId, partitions }
}

function withCommit({ offset, leaderEpoch, metadata }: CommittedOffset): Position {
  return { committedOffset: offset, committedLeaderEpoch: leaderEpoch, metadata, errorCode: 0 }
}

function withoutCommit(error: ErrorName): Position {
  return { committedOffset: -1, committedLeaderEpoch: -1, metadata: '', errorCode: errorCode(error) }
}
