/**
 * ListOffsets: an offset of each partition by timestamp: -1 the latest, -2 the earliest, -3 the one of the largest
 * timestamp (v7, KIP-734), -4 the earliest on local disk (v8), -5 the latest in tiered storage (v9), -6 the earliest
 * that tiered storage does not have yet (v11), and from 0 on the first record that is not older. There is no tiered
 * storage.
 *
 * v2 adds the isolation level, v4 leader epochs.
 */
import type { ListOffsets } from '../protocol/apis/list-offsets.ts'
import { type ErrorName, KafkaError } from '../protocol/errors.ts'
import type { RequestOf, ResponseOf } from '../protocol/schema.ts'
import type { Partition } from '../replication/partition.ts'
import type { Handler, RequestContext } from './context.ts'
import { answerPartition, byPartition } from './each-partition.ts'
import { isReadCommitted } from './isolation-level.ts'

type Request = RequestOf<typeof ListOffsets>
type AskedPartition = Request['topics'][number]['partitions'][number]
type PartitionResponse = ResponseOf<typeof ListOffsets>['topics'][number]['partitions'][number]

interface FoundOffset {
  readonly offset: number
  /** -1 for the special timestamps that name no record. */
  readonly timestamp: number
  readonly leaderEpoch: number
}

/** Replicas, and tools that say that they debug, are told of the whole log. */
interface Reader {
  readonly isConsumer: boolean
  readonly readCommitted: boolean
}

const CONSUMER = -1
const LATEST = -1
const EARLIEST = -2
const MAX_TIMESTAMP = -3
const EARLIEST_LOCAL = -4
const LATEST_TIERED = -5
const EARLIEST_PENDING_UPLOAD = -6
const FIRST_VERSION_WITH_OFFSET_NOT_AVAILABLE = 5
/** The first version of each special timestamp. */
const FIRST_VERSIONS: ReadonlyMap<number, number> = new Map([
  [LATEST, 0],
  [EARLIEST, 0],
  [MAX_TIMESTAMP, 7],
  [EARLIEST_LOCAL, 8],
  [LATEST_TIERED, 9],
  [EARLIEST_PENDING_UPLOAD, 11],
])

const NOTHING: FoundOffset = { offset: -1, timestamp: -1, leaderEpoch: -1 }

export const listOffsets: Handler<typeof ListOffsets> = async (request, context) => {
  const reader: Reader = {
    isConsumer: request.replicaId === CONSUMER,
    readCommitted: isReadCommitted(request.isolationLevel),
  }
  const topics = await Promise.all(
    [...byPartition(request.topics)].map(async ([name, asked]) => ({
      name,
      partitions: await Promise.all(
        [...asked].map(([partitionIndex, partitions]) =>
          answerPartition<PartitionResponse>(
            () => listOne(name, partitions, reader, context),
            (error) => ({ partitionIndex, errorCode: error.code }),
            context.logger,
            { topic: name, partition: partitionIndex },
          ),
        ),
      ),
    })),
  )
  return { throttleTimeMs: 0, topics }
}

function listOne(
  name: string,
  [asked, ...more]: readonly AskedPartition[],
  reader: Reader,
  context: RequestContext,
): PartitionResponse {
  const { partitionIndex, timestamp, currentLeaderEpoch } = asked!
  if (more.length > 0) {
    throw new KafkaError('INVALID_REQUEST', `the request names ${name}-${partitionIndex} more than once`)
  }
  checkTimestamp(timestamp, context.apiVersion)
  const partition = context.replicas.leader(name, partitionIndex, currentLeaderEpoch)
  const found = find(partition, timestamp, reader, context)
  return { partitionIndex, errorCode: 0, ...found }
}

function checkTimestamp(timestamp: number, apiVersion: number): void {
  if (timestamp >= 0) return
  const firstVersion = FIRST_VERSIONS.get(timestamp)
  if (firstVersion !== undefined && apiVersion >= firstVersion) return
  throw new KafkaError(
    'UNSUPPORTED_VERSION',
    `the timestamp ${timestamp} has no meaning in version ${apiVersion}`,
  )
}

function find(partition: Partition, timestamp: number, reader: Reader, context: RequestContext): FoundOffset {
  const { log, leaderEpoch } = partition
  switch (timestamp) {
    case LATEST:
      if (reader.isConsumer) mustKnowHighWatermark(partition, context)
      return { offset: readableEnd(partition, reader), timestamp: -1, leaderEpoch }
    case EARLIEST:
    case EARLIEST_LOCAL:
      return { offset: log.logStartOffset, timestamp: -1, leaderEpoch: log.epochAt(log.logStartOffset) }
    case LATEST_TIERED:
    case EARLIEST_PENDING_UPLOAD:
      return NOTHING
    case MAX_TIMESTAMP:
      return readable(log.maxTimestampOffset(), partition, reader, context)
    default:
      return readable(log.offsetForTimestamp(timestamp, log.logEndOffset), partition, reader, context)
  }
}

/** A record that the asker may not read yet is as good as none. */
function readable(
  found: FoundOffset | undefined,
  partition: Partition,
  reader: Reader,
  context: RequestContext,
): FoundOffset {
  if (found === undefined || found.offset < readableEnd(partition, reader)) return found ?? NOTHING
  mustKnowHighWatermark(partition, context)
  return NOTHING
}

function readableEnd(partition: Partition, { isConsumer, readCommitted }: Reader): number {
  if (!isConsumer) return partition.log.logEndOffset
  return readCommitted ? partition.lastStableOffset : partition.highWatermark
}

/** A new leader's high watermark may lie before what its predecessor has told consumers (KIP-207). */
function mustKnowHighWatermark(partition: Partition, { apiVersion }: RequestContext): void {
  if (partition.highWatermarkIsCurrent) return
  const error: ErrorName =
    apiVersion >= FIRST_VERSION_WITH_OFFSET_NOT_AVAILABLE ? 'OFFSET_NOT_AVAILABLE' : 'LEADER_NOT_AVAILABLE'
  throw new KafkaError(
    error,
    `${partition.topic}-${partition.index}: the new leader does not know the high watermark yet`,
  )
}
