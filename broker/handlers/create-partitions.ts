/**
 * CreatePartitions: adds partitions behind those that topics have (KIP-195), on brokers that the request chooses or
 * that are chosen as for a new topic. What is written stays where it is: only new records go to new partitions.
 */
import type { TopicImage } from '../metadata/image.ts'
import type { CreatePartitions } from '../protocol/apis/create-partitions.ts'
import { KafkaError } from '../protocol/errors.ts'
import type { RequestOf, ResponseOf } from '../protocol/schema.ts'
import type { Handler, RequestContext } from './context.ts'
import { toKafkaError } from './each-partition.ts'
import { checkReplicas } from './manual-assignment.ts'
import { Deadline, quorumErrors } from './quorum-errors.ts'
import { isInternalTopic } from './topic-names.ts'

type Request = RequestOf<typeof CreatePartitions>
type Topic = Request['topics'][number]
type Result = ResponseOf<typeof CreatePartitions>['results'][number]

/** Partitions that one request may add to a topic. */
const MAX_PARTITIONS = 10_000
/** How often a change of the topic by somebody else is looked at anew. */
const ATTEMPTS = 5
/** Older clients do not know THROTTLING_QUOTA_EXCEEDED (KIP-599). */
const FIRST_VERSION_WITH_QUOTA_ERROR = 3

export const createPartitions: Handler<typeof CreatePartitions> = async (request, context) => {
  const deadline = new Deadline(context.clock, request.timeoutMs)
  const byName = Map.groupBy(request.topics, ({ name }) => name)
  const results = await Promise.all(
    [...byName.values()].map((topics) => growTopic(topics, request.validateOnly, deadline, context)),
  )
  return { throttleTimeMs: context.quotas.mutationDebtMs(context.clientId), results }
}

async function growTopic(
  [topic, ...others]: readonly Topic[],
  validateOnly: boolean,
  deadline: Deadline,
  context: RequestContext,
): Promise<Result> {
  const { name, count } = topic!
  try {
    if (others.length > 0) throw new KafkaError('INVALID_REQUEST', `topic "${name}" is named more than once`)
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const { image, added } = additionOf(topic!, context)
      if (validateOnly) return { name, errorCode: 0 }
      if (attempt === 0) {
        const strict = context.apiVersion >= FIRST_VERSION_WITH_QUOTA_ERROR
        context.quotas.mutate(context.clientId, added.length, strict)
      }
      if (await quorumErrors(() => context.metadata.addPartitions(image, added), deadline)) {
        context.logger.info(
          { topic: name, partitions: count, clientId: context.clientId },
          'partitions added',
        )
        return { name, errorCode: 0 }
      }
    }
    throw new KafkaError('REQUEST_TIMED_OUT', `topic "${name}" was changed by others meanwhile; try again`)
  } catch (error) {
    const { code, detail } = toKafkaError(error, context.logger, { topic: name })
    return { name, errorCode: code, errorMessage: detail ?? null }
  }
}

/** The topic as it is, and the replicas of its new partitions. Throws what makes them impossible. */
function additionOf(
  { name, count, assignments }: Topic,
  context: RequestContext,
): { image: TopicImage; added: number[][] } {
  const image = context.metadata.image.topics.get(name)
  if (image === undefined) throw new KafkaError('UNKNOWN_TOPIC_OR_PARTITION', `there is no topic "${name}"`)
  const present = image.partitions.length
  const more = count - present
  if (more <= 0) {
    throw new KafkaError(
      'INVALID_PARTITIONS',
      `topic "${name}" has ${present} partitions: ${count} would ${more === 0 ? 'change nothing' : 'be fewer'}, and partitions cannot be taken away`,
    )
  }
  if (isInternalTopic(name)) {
    throw new KafkaError(
      'INVALID_PARTITIONS',
      `the brokers find what is theirs in "${name}" by its number of partitions, which must not change`,
    )
  }
  if (more > MAX_PARTITIONS) {
    throw new KafkaError(
      'POLICY_VIOLATION',
      `${more} new partitions in one request: at most ${MAX_PARTITIONS}`,
    )
  }
  const replicationFactor = image.partitions[0]!.replicas.length
  if (assignments === null) return { image, added: context.topics.assign(more, replicationFactor) }
  if (assignments.length !== more) {
    throw new KafkaError(
      'INVALID_REPLICA_ASSIGNMENT',
      `${assignments.length} assignments for ${more} new partitions of topic "${name}"`,
    )
  }
  const added = assignments.map(({ brokerIds }, index) => {
    checkReplicas(present + index, brokerIds, replicationFactor, context.metadata.image.brokers)
    return [...brokerIds]
  })
  return { image, added }
}
