/**
 * Fetch: record batches as they lie in the log, to consumers (up to the high watermark, or to the last stable offset
 * with read_committed) and to followers (up to the end).
 *
 *   begin    which partitions: those of the request, or of its session (fetch-sessions.ts)
 *   read     up to the limits of the request, or where it wants more than one byte see how much there is (fetch-read.ts)
 *   wait     up to maxWaitMs for minBytes, and read then (fetch-wait.ts)
 *   answer   all partitions, or those of which the session has something to tell
 *
 * v7 adds sessions (KIP-227), v9 checks the leader epoch, v12 tells a reader whose log has parted from this one
 * (KIP-595), v13 names topics by id (KIP-516), v16 tells where the leader is (KIP-951).
 */
import type { Fetch } from '../protocol/apis/fetch.ts'
import { errorCode, KafkaError } from '../protocol/errors.ts'
import type { RequestOf, ResponseOf } from '../protocol/schema.ts'
import type { FetchingReplica } from '../replication/leadership.ts'
import type { FetchedRecords } from '../replication/partition-read.ts'
import type { Handler, RequestContext } from './context.ts'
import { type FetchOutcome, type FetchReader, type PartitionRefusal, readAll } from './fetch-read.ts'
import type { FetchRound, FetchTarget } from './fetch-sessions.ts'
import { waitForMore } from './fetch-wait.ts'
import { isReadCommitted } from './isolation-level.ts'
import { leaderEndpoints, leaderHint, type LeaderHint } from './leader-hint.ts'

type Request = RequestOf<typeof Fetch>
type Response = ResponseOf<typeof Fetch>
type TopicResponse = Response['responses'][number]
type PartitionResponse = TopicResponse['partitions'][number]

const FIRST_VERSION_WITH_STORAGE_ERROR = 6
const FIRST_VERSION_WITH_TOPIC_IDS = 13
const FIRST_VERSION_WITH_LEADER_HINTS = 16
const NO_RECORDS = Buffer.alloc(0)

export const fetch: Handler<typeof Fetch> = async (request, context) => {
  const reader = readerOf(request, context)
  if (reader.replica !== undefined && isStale(reader.replica, context)) {
    return { throttleTimeMs: 0, errorCode: errorCode('STALE_BROKER_EPOCH'), responses: [] }
  }
  try {
    const round = context.fetchSessions.begin(request, {
      byId: context.apiVersion >= FIRST_VERSION_WITH_TOPIC_IDS,
      isFollower: reader.replica !== undefined,
    })
    // Nothing is read before it is wanted: a part of it would be kept for as long as the wait takes.
    const sizeOnly = request.minBytes > 1 && request.maxWaitMs > 0
    let outcomes = readAll(round.targets, reader, context, sizeOnly)
    const hasChanged = await waitForMore(round.targets, outcomes, request, reader, context)
    if (hasChanged || sizeOnly) {
      const maxBytes = maxBytesOf(request, reader.replica, context)
      outcomes = readAll(round.targets, { ...reader, maxBytes }, context)
    }
    const throttleTimeMs = throttleTime(outcomes, reader, context)
    if (throttleTimeMs > 0) return { throttleTimeMs, errorCode: 0, sessionId: round.putOff(), responses: [] }
    return answer(round, outcomes, reader, context)
  } catch (error) {
    if (!(error instanceof KafkaError)) throw error
    return { throttleTimeMs: 0, errorCode: error.code, responses: [] }
  }
}

function readerOf(request: Request, context: RequestContext): FetchReader {
  const readCommitted = isReadCommitted(request.isolationLevel)
  const replica = fetchingReplica(request)
  return {
    replica,
    readCommitted: readCommitted && replica === undefined,
    maxBytes: maxBytesOf(request, replica, context),
  }
}

/** Consumers are held to their quotas, and to what room there is beside the answers that clients leave unread. */
function maxBytesOf(
  request: Request,
  replica: FetchingReplica | undefined,
  { config, quotas, clientId, answerRoom }: RequestContext,
): number {
  const limit = Math.min(request.maxBytes, config.get('fetch.max.bytes'))
  return replica === undefined ? Math.min(limit, quotas.maxFetchBytes(clientId), answerRoom()) : limit
}

/** For how long a consumer beyond its quota has to wait for what was read; followers have none. */
function throttleTime(
  outcomes: readonly FetchOutcome[],
  { replica }: FetchReader,
  { quotas, clientId }: RequestContext,
): number {
  if (!quotas.active || replica !== undefined) return 0
  const bytes = outcomes.reduce((sum, outcome) => sum + ('read' in outcome ? outcome.read.sizeBytes : 0), 0)
  return quotas.fetched(clientId, bytes)
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

/** Partitions of one topic that follow one another share an element, as they do in Apache Kafka's answers. */
function answer(
  round: FetchRound,
  outcomes: readonly FetchOutcome[],
  reader: FetchReader,
  context: RequestContext,
): Response {
  const leaderIds: number[] = []
  const responses: (TopicResponse & { readonly partitions: PartitionResponse[] })[] = []
  round.targets.forEach((target, position) => {
    const outcome = outcomes[position]!
    const partition = answerPartition(target, outcome, leaderIds, context)
    const sizeBytes = 'read' in outcome ? outcome.read.sizeBytes : 0
    if (!round.tell(target, partition, sizeBytes)) return
    const { topic, topicId } = target
    const last = responses.at(-1)
    if (last?.topic === topic && last.topicId === topicId) last.partitions.push(partition)
    else responses.push({ topic, topicId, partitions: [partition] })
  })
  // Followers know the brokers.
  const nodeEndpoints = reader.replica === undefined ? leaderEndpoints(leaderIds, context) : []
  return { throttleTimeMs: 0, errorCode: 0, sessionId: round.end(), responses, nodeEndpoints }
}

function answerPartition(
  { asked }: FetchTarget,
  outcome: FetchOutcome,
  leaderIds: number[],
  context: RequestContext,
): PartitionResponse {
  if ('read' in outcome) return found(asked.partition, outcome.read)
  const hint = hintOf(outcome, asked.partition, context)
  if (hint !== undefined) leaderIds.push(hint.leaderId)
  return refused(asked.partition, asKnownTo(context.apiVersion, outcome.error), hint)
}

function hintOf(
  { error, topic }: PartitionRefusal,
  index: number,
  context: RequestContext,
): LeaderHint | undefined {
  if (context.apiVersion < FIRST_VERSION_WITH_LEADER_HINTS || topic === undefined) return undefined
  return leaderHint(error, topic, index, context)
}

function found(partitionIndex: number, read: FetchedRecords): PartitionResponse {
  const { highWatermark, lastStableOffset, logStartOffset, divergingEpoch, records } = read
  const abortedTransactions = read.abortedTransactions ?? null
  return {
    partitionIndex,
    errorCode: 0,
    highWatermark,
    lastStableOffset,
    logStartOffset,
    divergingEpoch,
    abortedTransactions,
    records,
  }
}

function asKnownTo(apiVersion: number, error: KafkaError): KafkaError {
  const isKnown = apiVersion >= FIRST_VERSION_WITH_STORAGE_ERROR || error.error !== 'KAFKA_STORAGE_ERROR'
  return isKnown ? error : new KafkaError('NOT_LEADER_OR_FOLLOWER', error.detail)
}

/** Apache Kafka has an empty list of transactions beside topics and partitions that it does not know. */
function refused(partitionIndex: number, error: KafkaError, hint: LeaderHint | undefined): PartitionResponse {
  const isUnknown = error.error === 'UNKNOWN_TOPIC_OR_PARTITION' || error.error === 'UNKNOWN_TOPIC_ID'
  return {
    partitionIndex,
    errorCode: error.code,
    highWatermark: -1,
    currentLeader: hint,
    abortedTransactions: isUnknown ? [] : null,
    records: NO_RECORDS,
  }
}
