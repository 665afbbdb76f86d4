/**
 * Fetch: record batches as they lie in the log, to consumers (up to the high watermark) and to followers (up
 * to the end). Waits up to maxWaitMs for minBytes. The first batch is sent whole even when it is larger than
 * every limit, so that no reader is ever stuck.
 *
 * Sessions (v7, KIP-227) are optional for a broker and never made here: every answer has the session id 0. v9
 * checks the leader epoch, v12 tells a reader whose log has parted from this one (KIP-595), v13 names topics
 * by id (KIP-516), v16 tells where the leader is (KIP-951).
 */
import type { Fetch } from '../protocol/apis/fetch.ts'
import { errorCode, KafkaError } from '../protocol/errors.ts'
import type { RequestOf, ResponseOf } from '../protocol/schema.ts'
import type { FetchingReplica } from '../replication/leadership.ts'
import type { FetchedRecords, Partition } from '../replication/partition.ts'
import { type ByteSource, waitForBytes } from '../replication/waiters.ts'
import type { Handler, RequestContext } from './context.ts'
import { toKafkaError } from './each-partition.ts'
import { leaderEndpoints, leaderHint, type LeaderHint } from './leader-hint.ts'

type Request = RequestOf<typeof Fetch>
type Response = ResponseOf<typeof Fetch>
type PartitionResponse = Response['responses'][number]['partitions'][number]

const FIRST_VERSION_WITH_TOPIC_IDS = 13
const READ_COMMITTED = 1
const NO_RECORDS = Buffer.alloc(0)

/** One partition that is asked for, in the order of the request. */
interface Target {
  /** undefined: there is no topic with that id. */
  readonly topic: string | undefined
  readonly topicId: string
  readonly request: Request['topics'][number]['partitions'][number]
}

type Outcome =
  | { readonly partition: Partition; readonly leaderEpoch: number; readonly read: FetchedRecords }
  | { readonly error: KafkaError }

export const fetch: Handler<typeof Fetch> = async (request, context) => {
  if (request.sessionId !== 0 && request.sessionEpoch > 0) {
    return { throttleTimeMs: 0, errorCode: errorCode('FETCH_SESSION_ID_NOT_FOUND'), responses: [] }
  }
  const replica = fetchingReplica(request)
  if (replica !== undefined && isStale(replica, context)) {
    return { throttleTimeMs: 0, errorCode: errorCode('STALE_BROKER_EPOCH'), responses: [] }
  }
  const targets = resolve(request, context)
  let outcomes = readAll(targets, request, replica, context)
  const waitsFor = missingBytes(outcomes, request)
  if (waitsFor > 0) {
    await waitForBytes(sources(targets, outcomes, replica, waitsFor), {
      missingBytes: waitsFor,
      maxWaitMs: request.maxWaitMs,
      clock: context.clock,
      signal: context.signal,
    })
    outcomes = readAll(targets, request, replica, context)
  }
  return answer(request, targets, outcomes, context)
}

/** The follower that asks; undefined for a consumer. */
function fetchingReplica(request: Request): FetchingReplica | undefined {
  const { replicaId, replicaEpoch } = request.replicaState
  if (replicaId >= 0) return { id: replicaId, brokerEpoch: replicaEpoch }
  return request.replicaId >= 0 ? { id: request.replicaId, brokerEpoch: -1 } : undefined
}

/** A request of an earlier life of the broker: what it says of its log does not hold any more (KIP-903). */
function isStale(replica: FetchingReplica, context: RequestContext): boolean {
  const present = context.metadata.image.brokers.get(replica.id)?.epoch
  return replica.brokerEpoch !== -1 && present !== undefined && replica.brokerEpoch < present
}

function resolve(request: Request, context: RequestContext): Target[] {
  const byId = context.apiVersion >= FIRST_VERSION_WITH_TOPIC_IDS
  return request.topics.flatMap(({ topic, topicId, partitions }) =>
    partitions.map((partition) => ({
      topic: byId ? context.metadata.image.topicNames.get(topicId) : topic,
      topicId,
      request: partition,
    })),
  )
}

/**
 * Reads the partitions in the order of the request, each within its own limit and what is left of the whole.
 */
function readAll(
  targets: readonly Target[],
  request: Request,
  replica: FetchingReplica | undefined,
  context: RequestContext,
): Outcome[] {
  let left = Math.min(request.maxBytes, context.config.get('fetch.max.bytes'))
  let isFirst = true
  return targets.map((target) => {
    const limits = {
      maxBytes: Math.max(0, Math.min(target.request.partitionMaxBytes, left)),
      minOneBatch: isFirst,
    }
    const outcome = readOne(target, limits, replica, context)
    if ('read' in outcome && outcome.read.sizeBytes > 0) {
      left -= outcome.read.sizeBytes
      isFirst = false
    }
    return outcome
  })
}

function readOne(
  target: Target,
  limits: { maxBytes: number; minOneBatch: boolean },
  replica: FetchingReplica | undefined,
  context: RequestContext,
): Outcome {
  const { topic, topicId, request } = target
  try {
    if (topic === undefined) {
      throw new KafkaError('UNKNOWN_TOPIC_ID', `the cluster has no topic with the id ${topicId}`)
    }
    const partition = context.replicas.leader(topic, request.partition, request.currentLeaderEpoch)
    const read = partition.fetch({
      offset: request.fetchOffset,
      lastFetchedEpoch: request.lastFetchedEpoch,
      replica,
      ...limits,
    })
    return { partition, leaderEpoch: partition.leaderEpoch, read }
  } catch (error) {
    const fields = { topic: topic ?? topicId, partition: request.partition }
    return { error: toKafkaError(error, context.logger, fields) }
  }
}

/** How many bytes to wait for; 0 when the answer should go at once. */
function missingBytes(outcomes: readonly Outcome[], request: Request): number {
  if (request.maxWaitMs <= 0 || outcomes.length === 0) return 0
  let bytes = 0
  for (const outcome of outcomes) {
    if ('error' in outcome || outcome.read.divergingEpoch !== undefined) return 0
    bytes += outcome.read.sizeBytes
  }
  return Math.min(request.minBytes, request.maxBytes) - bytes
}

/** Each partition as the long poll sees it: how many bytes became readable beyond what was there at first. */
function sources(
  targets: readonly Target[],
  outcomes: readonly Outcome[],
  replica: FetchingReplica | undefined,
  waitsFor: number,
): ByteSource[] {
  return outcomes.flatMap((outcome, position): ByteSource[] => {
    if ('error' in outcome) return []
    const { partition, leaderEpoch, read } = outcome
    const { fetchOffset, partitionMaxBytes } = targets[position]!.request
    let from = Math.max(fetchOffset, partition.readableEnd(replica))
    let left = partitionMaxBytes - read.sizeBytes
    const newBytes = (): number | 'changed' => {
      if (!partition.isLeader || partition.leaderEpoch !== leaderEpoch) return 'changed'
      const end = partition.readableEnd(replica)
      if (end <= from || left <= 0) return 0
      if (waitsFor === 1) return 1
      const bytes = bytesBetween(partition, from, end, left)
      if (bytes !== 'changed') left -= bytes
      from = end
      return bytes
    }
    return [{ subscribe: (listener) => partition.subscribe(listener), newBytes }]
  })
}

function bytesBetween(partition: Partition, from: number, end: number, maxBytes: number): number | 'changed' {
  try {
    return partition.log.read(from, maxBytes, { upTo: end, minOneBatch: true }).sizeBytes
  } catch {
    // Retention took the records away: reading once more gives the client the error that it needs.
    return 'changed'
  }
}

function answer(
  request: Request,
  targets: readonly Target[],
  outcomes: readonly Outcome[],
  context: RequestContext,
): Response {
  const leaderIds: number[] = []
  let position = 0
  const responses = request.topics.map(({ topic, topicId, partitions }) => ({
    topic,
    topicId,
    partitions: partitions.map(({ partition }) => {
      const outcome = outcomes[position]!
      const name = targets[position]!.topic
      position += 1
      if ('read' in outcome) return found(partition, outcome.read, request.isolationLevel)
      const hint = name === undefined ? undefined : leaderHint(outcome.error, name, partition, context)
      if (hint !== undefined) leaderIds.push(hint.leaderId)
      return refused(partition, outcome.error, hint)
    }),
  }))
  return { throttleTimeMs: 0, errorCode: 0, responses, nodeEndpoints: leaderEndpoints(leaderIds, context) }
}

function found(partitionIndex: number, read: FetchedRecords, isolationLevel: number): PartitionResponse {
  return {
    partitionIndex,
    errorCode: 0,
    highWatermark: read.highWatermark,
    lastStableOffset: read.lastStableOffset,
    logStartOffset: read.logStartOffset,
    ...(read.divergingEpoch === undefined ? {} : { divergingEpoch: read.divergingEpoch }),
    abortedTransactions: isolationLevel === READ_COMMITTED ? [] : null,
    records: read.records,
  }
}

function refused(partitionIndex: number, error: KafkaError, hint: LeaderHint | undefined): PartitionResponse {
  return {
    partitionIndex,
    errorCode: error.code,
    highWatermark: -1,
    abortedTransactions: null,
    ...(hint === undefined ? {} : { currentLeader: hint }),
    records: NO_RECORDS,
  }
}
