/**
 * Produce: appends one record batch to each partition named. acks=1 is answered when the leader has it,
 * acks=-1 when the whole in-sync set has, acks=0 never.
 *
 * v7 allows zstd. v8 adds errorMessage, and recordErrors for each record at fault (KIP-467). v10 tells where the leader is (KIP-951). v13 names topics by id
 * (KIP-516).
 */
import type { Produce } from '../protocol/apis/produce.ts'
import { errorName, KafkaError } from '../protocol/errors.ts'
import { BATCH_HEADER_BYTES, BatchView } from '../protocol/record-batch.ts'
import { InvalidRecordsError } from '../protocol/record-errors.ts'
import type { RequestOf, ResponseOf } from '../protocol/schema.ts'
import { isOneBatch } from '../storage/append-rules.ts'
import type { Handler, RequestContext } from './context.ts'
import { answerPartition } from './each-partition.ts'
import { leaderEndpoints, leaderHint } from './leader-hint.ts'

type Request = RequestOf<typeof Produce>
type TopicResponse = ResponseOf<typeof Produce>['responses'][number]
type PartitionResponse = TopicResponse['partitionResponses'][number]

const FIRST_VERSION_WITH_ZSTD = 7
const FIRST_VERSION_WITH_TOPIC_IDS = 13

/** Written by the brokers themselves, from anybody else they are refused. */
const INTERNAL_TOPICS: ReadonlySet<string> = new Set(['__consumer_offsets', '__transaction_state'])

/** Refusals that leave out where the log starts; all others tell it, so that producers can tell what was deleted. */
const WITHOUT_LOG_START: ReadonlySet<string> = new Set([
  'UNKNOWN_TOPIC_OR_PARTITION',
  'UNKNOWN_TOPIC_ID',
  'NOT_LEADER_OR_FOLLOWER',
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
  'CORRUPT_MESSAGE',
  'KAFKA_STORAGE_ERROR',
])

export const produce: Handler<typeof Produce> = async (request, context) => {
  const topics = request.topicData.filter(({ partitionData }) => partitionData.length > 0)
  const responses = await Promise.all(topics.map((topic) => produceTopic(topic, request, context)))
  if (request.acks === 0) return acknowledgeNothing(responses)
  const leaderIds = responses.flatMap(({ partitionResponses }) =>
    partitionResponses.flatMap(({ currentLeader }) => currentLeader?.leaderId ?? []),
  )
  return { responses, nodeEndpoints: leaderEndpoints(leaderIds, context) }
}

/**
 * With acks=0 a client cannot be told of an error: closing its connection makes it look for the leader again.
 */
function acknowledgeNothing(responses: readonly TopicResponse[]): null {
  const failed = responses
    .flatMap(({ partitionResponses }) => partitionResponses)
    .find(({ errorCode }) => errorCode !== 0)
  if (failed === undefined) return null
  throw new KafkaError(errorName(failed.errorCode), `with acks=0: ${failed.errorMessage ?? ''}`)
}

async function produceTopic(
  topic: Request['topicData'][number],
  request: Request,
  context: RequestContext,
): Promise<TopicResponse> {
  const byId = context.apiVersion >= FIRST_VERSION_WITH_TOPIC_IDS
  const name = byId ? context.metadata.image.topicNames.get(topic.topicId) : topic.name
  const partitionResponses = await Promise.all(
    topic.partitionData.map(({ index, records }) =>
      answerPartition<PartitionResponse>(
        () => {
          if (name === undefined) {
            throw new KafkaError('UNKNOWN_TOPIC_ID', `the cluster has no topic with the id ${topic.topicId}`)
          }
          return appendBatch(name, index, records, request, context)
        },
        (error) => refused(error, name, index, context),
        context.logger,
        { topic: name ?? topic.topicId, partition: index },
      ),
    ),
  )
  return { name: topic.name, topicId: topic.topicId, partitionResponses }
}

async function appendBatch(
  name: string,
  index: number,
  records: Buffer | null,
  request: Request,
  context: RequestContext,
): Promise<PartitionResponse> {
  const { acks, timeoutMs } = request
  if (INTERNAL_TOPICS.has(name) && context.metadata.image.topics.has(name)) {
    throw new KafkaError('INVALID_TOPIC_EXCEPTION', `${name} is written by the brokers only`)
  }
  const partition = context.replicas.leader(name, index)
  const batch = checkBatch(records, request, context.apiVersion)
  if (acks !== -1 && acks !== 0 && acks !== 1) {
    throw new KafkaError('INVALID_REQUIRED_ACKS', `acks is ${acks}, it may be -1 (all), 0 or 1`)
  }
  try {
    const info = await partition.append(batch, { acks, timeoutMs, origin: 'client' })
    return {
      index,
      errorCode: 0,
      baseOffset: info.baseOffset,
      logAppendTimeMs: info.logAppendTimeMs,
      logStartOffset: info.logStartOffset,
    }
  } catch (error) {
    if (!(error instanceof KafkaError) || WITHOUT_LOG_START.has(error.error) || !isOneBatch(batch))
      throw error
    return { ...refused(error, name, index, context), logStartOffset: partition.log.logStartOffset }
  }
}

/** What depends on the request rather than on the batch alone; the log checks the rest. */
function checkBatch(records: Buffer | null, request: Request, apiVersion: number): Buffer {
  if (records === null) {
    throw new KafkaError('INVALID_RECORD', 'the request has no record batch for the partition')
  }
  if (records.length < BATCH_HEADER_BYTES) return records
  const batch = new BatchView(records)
  if (batch.isTransactional) throw transactionRefused(request.transactionalId)
  if (batch.codec === 'zstd' && apiVersion < FIRST_VERSION_WITH_ZSTD) {
    throw new KafkaError(
      'UNSUPPORTED_COMPRESSION_TYPE',
      `zstd needs Produce v${FIRST_VERSION_WITH_ZSTD}, the request is v${apiVersion}`,
    )
  }
  return records
}

function transactionRefused(transactionalId: string | null): KafkaError {
  return transactionalId === null
    ? new KafkaError(
        'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
        'the batch is transactional, and the request has no transactional id',
      )
    : new KafkaError('INVALID_TXN_STATE', 'this broker does not serve transactions')
}

function refused(
  error: KafkaError,
  name: string | undefined,
  index: number,
  context: RequestContext,
): PartitionResponse {
  const hint = name === undefined ? undefined : leaderHint(error, name, index, context)
  return {
    index,
    errorCode: error.code,
    baseOffset: -1,
    errorMessage: error.detail ?? error.error,
    ...(error instanceof InvalidRecordsError ? { recordErrors: recordErrors(error) } : {}),
    ...(hint === undefined ? {} : { currentLeader: hint }),
  }
}

function recordErrors(error: InvalidRecordsError): NonNullable<PartitionResponse['recordErrors']> {
  return error.recordErrors.map(({ batchIndex, message }) => ({
    batchIndex,
    batchIndexErrorMessage: message,
  }))
}
