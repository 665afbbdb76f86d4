/**
 * ListOffsets: an offset of each partition by timestamp: -1 the latest, -2 the earliest, -3 the one of the
 * largest timestamp (v7, KIP-734), -4 the earliest on local disk (v8), -5 the latest in tiered storage (v9:
 * there is none), and from 0 on the first record that is not older.
 *
 * v2 adds the isolation level, v4 leader epochs.
 */
import type { ListOffsets } from '../protocol/apis/list-offsets.ts'
import { type ErrorName, KafkaError } from '../protocol/errors.ts'
import type { RequestOf, ResponseOf } from '../protocol/schema.ts'
import type { Partition } from '../replication/partition.ts'
import type { Handler, RequestContext } from './context.ts'
import { answerPartition } from './each-partition.ts'

type Request = RequestOf<typeof ListOffsets>
type PartitionResponse = ResponseOf<typeof ListOffsets>['topics'][number]['partitions'][number]

interface FoundOffset {
  readonly offset: number
  /** -1 for the special timestamps that name no record. */
  readonly timestamp: number
  readonly leaderEpoch: number
}

const LATEST = -1
const EARLIEST = -2
const MAX_TIMESTAMP = -3
const EARLIEST_LOCAL = -4
const LATEST_TIERED = -5
const READ_COMMITTED = 1
const FIRST_VERSION_WITH_OFFSET_NOT_AVAILABLE = 5

const NOTHING: FoundOffset = { offset: -1, timestamp: -1, leaderEpoch: -1 }

export const listOffsets: Handler<typeof ListOffsets> = async (request, context) => {
  const topics = await Promise.all(
    request.topics.map(async ({ name, partitions }) => ({
      name,
      partitions: await Promise.all(
        partitions.map((asked) =>
          answerPartition<PartitionResponse>(
            () => listOne(name, asked, request, context),
            (error) => ({ partitionIndex: asked.partitionIndex, errorCode: error.code }),
            context.logger,
            { topic: name, partition: asked.partitionIndex },
          ),
        ),
      ),
    })),
  )
  return { throttleTimeMs: 0, topics }
}

function listOne(
  name: string,
  asked: Request['topics'][number]['partitions'][number],
  request: Request,
  context: RequestContext,
): PartitionResponse {
  const partition = context.replicas.leader(name, asked.partitionIndex, asked.currentLeaderEpoch)
  const found = find(partition, asked.timestamp, readableEnd(partition, request, context.apiVersion))
  return { partitionIndex: asked.partitionIndex, errorCode: 0, ...found }
}

/** Where the log ends for whoever asks. */
function readableEnd(partition: Partition, request: Request, apiVersion: number): number {
  if (request.replicaId >= 0) return partition.log.logEndOffset
  if (!partition.highWatermarkIsCurrent) {
    const error: ErrorName =
      apiVersion >= FIRST_VERSION_WITH_OFFSET_NOT_AVAILABLE ? 'OFFSET_NOT_AVAILABLE' : 'LEADER_NOT_AVAILABLE'
    throw new KafkaError(error, 'the new leader does not know the high watermark yet')
  }
  return request.isolationLevel === READ_COMMITTED ? partition.lastStableOffset : partition.highWatermark
}

function find(partition: Partition, timestamp: number, upTo: number): FoundOffset {
  const { log, leaderEpoch } = partition
  switch (timestamp) {
    case LATEST:
      return { offset: upTo, timestamp: -1, leaderEpoch }
    case EARLIEST:
    case EARLIEST_LOCAL:
      return { offset: log.logStartOffset, timestamp: -1, leaderEpoch: log.epochAt(log.logStartOffset) }
    case MAX_TIMESTAMP:
      return readable(log.maxTimestampOffset(), upTo)
    case LATEST_TIERED:
      return NOTHING
    default:
      if (timestamp < 0) throw new KafkaError('INVALID_REQUEST', `the timestamp ${timestamp} has no meaning`)
      return readable(log.offsetForTimestamp(timestamp, upTo), upTo)
  }
}

/** A record that the asker may not read yet is as good as none. */
function readable(found: FoundOffset | undefined, upTo: number): FoundOffset {
  return found !== undefined && found.offset < upTo ? found : NOTHING
}
