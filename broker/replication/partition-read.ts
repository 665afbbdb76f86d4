/** What a reader of a partition, consumer or follower, gets of its log. */
import { KafkaError } from '../protocol/errors.ts'
import type { EpochEnd } from '../storage/leader-epochs.ts'
import { endOfBatches, haveNoRecords, NO_RECORDS, type ReadResult } from '../storage/log-reader.ts'
import type { PartitionLog } from '../storage/partition-log.ts'
import type { AbortedTransaction } from '../storage/transaction-index.ts'
import type { FetchingReplica } from './leadership.ts'

export interface PartitionFetch {
  readonly offset: number
  /** Epoch of the last record that the reader has; -1 when it does not say. */
  readonly lastFetchedEpoch: number
  readonly maxBytes: number
  /** Return the first batch whole even if it is larger than maxBytes. */
  readonly minOneBatch: boolean
  /** Find out how many bytes there are, and read none. */
  readonly sizeOnly?: boolean
  /** Gives the memory for the records; it is their own unless given. */
  readonly lend?: ((sizeBytes: number) => Buffer) | undefined
  /** undefined for a consumer, who reads up to the high watermark; a follower reads up to the end. */
  readonly replica: FetchingReplica | undefined
  /** Where a follower's log begins. */
  readonly logStartOffset?: number
  /** A consumer that wants committed records only: it reads up to the last stable offset. */
  readonly readCommitted?: boolean
}

export interface FetchedRecords {
  readonly records: Buffer | Buffer[]
  readonly sizeBytes: number
  readonly highWatermark: number
  readonly lastStableOffset: number
  readonly logStartOffset: number
  /** Where there was nothing more to read. */
  readonly readableEnd: number
  /** Set when the reader's log has parted from this one: where its last epoch ended here. */
  readonly divergingEpoch: { readonly epoch: number; readonly endOffset: number } | undefined
  /** Whose records among these a reader of committed ones must skip; undefined for other readers. */
  readonly abortedTransactions: readonly AbortedTransaction[] | undefined
}

/** Where a reader finds nothing more. */
export function readableEnd(log: PartitionLog, isFollower: boolean, readCommitted: boolean): number {
  if (isFollower) return log.logEndOffset
  return readCommitted ? log.lastStableOffset : log.highWatermark
}

/**
 * Holds the reader's position against the log. Where its log has parted from this one, gives the end of its last epoch
 * here (KIP-595). Throws OFFSET_OUT_OF_RANGE.
 */
export function checkPosition(
  log: PartitionLog,
  { offset, lastFetchedEpoch }: PartitionFetch,
): EpochEnd | undefined {
  if (lastFetchedEpoch !== -1) {
    const end = log.endOffsetForEpoch(lastFetchedEpoch)
    if (end.epoch === -1) throw unknownEpoch(log, lastFetchedEpoch)
    if (end.epoch < lastFetchedEpoch || end.endOffset < offset) return end
  }
  if (offset < log.logStartOffset || offset > log.logEndOffset) throw outOfRange(log, offset)
  return undefined
}

function unknownEpoch({ topic, partition, latestEpoch }: PartitionLog, epoch: number): KafkaError {
  return new KafkaError(
    'OFFSET_OUT_OF_RANGE',
    `${topic}-${partition}: the reader's last epoch ${epoch} is newer than any here (${latestEpoch})`,
  )
}

function outOfRange(
  { topic, partition, logStartOffset, logEndOffset }: PartitionLog,
  offset: number,
): KafkaError {
  return new KafkaError(
    'OFFSET_OUT_OF_RANGE',
    `${topic}-${partition}: offset ${offset} is outside of the log's ${logStartOffset} to ${logEndOffset}`,
  )
}

/** Reads whole batches up to the limits of the request; none for a reader whose log has parted from this one. */
export function readLog(
  log: PartitionLog,
  request: PartitionFetch,
  divergingEpoch: EpochEnd | undefined,
): FetchedRecords {
  const { offset, replica, readCommitted = false } = request
  const upTo = readableEnd(log, replica !== undefined, readCommitted)
  const isNothing = divergingEpoch !== undefined || offset >= upTo
  const { records, sizeBytes } = isNothing ? NO_RECORDS : readRecords(log, request, upTo)
  return {
    records,
    sizeBytes,
    highWatermark: log.highWatermark,
    lastStableOffset: log.lastStableOffset,
    logStartOffset: log.logStartOffset,
    readableEnd: upTo,
    divergingEpoch,
    abortedTransactions: readCommitted ? abortedIn(log, records, offset) : undefined,
  }
}

/** Reads that are passed over for one request: more would hold up everybody else. */
const MAX_READS_WITHOUT_RECORDS = 100

function readRecords(log: PartitionLog, request: PartitionFetch, upTo: number): ReadResult {
  const { offset, maxBytes, minOneBatch, sizeOnly, lend, replica } = request
  if (sizeOnly === true) {
    return { records: NO_RECORDS.records, sizeBytes: Math.min(maxBytes, log.readableBytes(offset, upTo)) }
  }
  let read = log.read(offset, maxBytes, { upTo, minOneBatch, lend })
  if (replica !== undefined) return read
  // A consumer gets records as long as there are any: not every client goes on from an answer that has none (kafkajs).
  for (let left = MAX_READS_WITHOUT_RECORDS; left > 0 && haveNoRecords(read.records); left--) {
    const next = log.read(endOfBatches(read.records, offset), maxBytes, { upTo, minOneBatch, lend })
    if (next.sizeBytes === 0) break
    read = next
  }
  return read
}

function abortedIn(log: PartitionLog, records: Buffer, offset: number): AbortedTransaction[] {
  return records.length === 0 ? [] : log.abortedTransactions(offset, endOfBatches(records, offset))
}
