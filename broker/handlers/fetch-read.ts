/**
 * Reads the partitions of a fetch: in their order, each within its own limit and what is left of the whole. The first
 * batch comes whole even when it is larger than every limit, so that no reader is ever stuck.
 */
import { KafkaError } from '../protocol/errors.ts'
import { ZERO_UUID } from '../protocol/schema.ts'
import type { FetchingReplica } from '../replication/leadership.ts'
import type { FetchedRecords } from '../replication/partition-read.ts'
import type { Partition } from '../replication/partition.ts'
import type { RequestContext } from './context.ts'
import { toKafkaError } from './each-partition.ts'
import type { FetchTarget } from './fetch-sessions.ts'

/** Who reads, and how much. */
export interface FetchReader {
  /** undefined for a consumer. */
  readonly replica: FetchingReplica | undefined
  readonly readCommitted: boolean
  /** Of the whole answer. */
  readonly maxBytes: number
}

export interface PartitionRead {
  readonly partition: Partition
  readonly leaderEpoch: number
  readonly read: FetchedRecords
}

export interface PartitionRefusal {
  readonly error: KafkaError
  /** undefined: there is no topic with that id. */
  readonly topic: string | undefined
}

export type FetchOutcome = PartitionRead | PartitionRefusal

interface Limits {
  readonly maxBytes: number
  readonly minOneBatch: boolean
  readonly sizeOnly: boolean
}

/** One outcome for each target; with `sizeOnly` of how much there is to read, without the records. */
export function readAll(
  targets: readonly FetchTarget[],
  reader: FetchReader,
  context: RequestContext,
  sizeOnly = false,
): FetchOutcome[] {
  let left = reader.maxBytes
  let minOneBatch = true
  return targets.map((target) => {
    const maxBytes = Math.max(0, Math.min(target.asked.partitionMaxBytes, left))
    const outcome = readOne(target, { maxBytes, minOneBatch, sizeOnly }, reader, context)
    if ('read' in outcome && outcome.read.sizeBytes > 0) {
      left -= outcome.read.sizeBytes
      minOneBatch = false
    }
    return outcome
  })
}

function readOne(
  target: FetchTarget,
  limits: Limits,
  reader: FetchReader,
  context: RequestContext,
): FetchOutcome {
  const { asked } = target
  try {
    const partition = leaderOf(target, context)
    const read = partition.fetch({
      offset: asked.fetchOffset,
      lastFetchedEpoch: asked.lastFetchedEpoch,
      replica: reader.replica,
      logStartOffset: asked.logStartOffset,
      readCommitted: reader.readCommitted,
      maxBytes: limits.maxBytes,
      minOneBatch: limits.minOneBatch,
      sizeOnly: limits.sizeOnly,
      lend: context.lend,
    })
    return { partition, leaderEpoch: partition.leaderEpoch, read }
  } catch (error) {
    const { topicId, knownName: topic } = target
    const fields = { topic: topic ?? topicId, partition: asked.partition }
    return { error: toKafkaError(error, context.logger, fields), topic }
  }
}

/** In a session it has most often been found before. */
function leaderOf(target: FetchTarget, { metadata, replicas }: RequestContext): Partition {
  const { topicId, asked } = target
  if (target.partition?.isLeader === true) {
    target.partition.checkEpoch(asked.currentLeaderEpoch)
    return target.partition
  }
  target.knownName ??= metadata.image.topicNames.get(topicId)
  if (target.knownName === undefined) {
    throw new KafkaError('UNKNOWN_TOPIC_ID', `the cluster has no topic with the id ${topicId}`)
  }
  const partition = replicas.leader(target.knownName, asked.partition, asked.currentLeaderEpoch)
  if (topicId !== ZERO_UUID && partition.topicId !== topicId) throw inconsistentId(partition, topicId)
  target.partition = partition
  return partition
}

/** The topic was deleted and created again: the asker, or this broker, does not know it yet. */
function inconsistentId({ topic, topicId }: Partition, asked: string): KafkaError {
  return new KafkaError(
    'INCONSISTENT_TOPIC_ID',
    `${topic} has the id ${topicId} here, the request says ${asked}`,
  )
}
