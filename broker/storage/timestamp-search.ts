/** Finds records by timestamp: index, then batch headers, then the records of one batch. */
import { KafkaError } from '../protocol/errors.ts'
import { type BatchView, BATCH_HEADER_BYTES } from '../protocol/record-batch.ts'
import { recordsOf } from '../protocol/record-cursor.ts'
import type { Segment } from './segment.ts'

/** What is decompressed for one lookup: some 10 ms of work. */
const MAX_SEARCHED_BYTES = 8 * 1024 * 1024

export interface FoundRecord {
  readonly offset: number
  readonly timestamp: number
  readonly leaderEpoch: number
}

/** Offsets from `startOffset` (included) to `endOffset` (excluded). */
export interface OffsetRange {
  readonly startOffset: number
  readonly endOffset: number
}

/**
 * The first record in the range whose timestamp is `timestamp` or later. Where the records of a batch cannot be read, or
 * become more than MAX_SEARCHED_BYTES, its first offset stands for them.
 */
export function findByTimestamp(
  segments: readonly Segment[],
  timestamp: number,
  range: OffsetRange,
): FoundRecord | undefined {
  for (const segment of segments) {
    if (segment.maxTimestamp < timestamp || segment.endOffset <= range.startOffset) continue
    const found = findInSegment(segment, timestamp, range)
    if (found !== undefined) return found
  }
  return undefined
}

function findInSegment(segment: Segment, timestamp: number, range: OffsetRange): FoundRecord | undefined {
  const scanner = segment.scan(segment.positionForTimestamp(timestamp))
  for (;;) {
    const position = scanner.position
    const header = scanner.nextHeader()
    if (header === undefined || header.baseOffset >= range.endOffset) return undefined
    if (header.maxTimestamp < timestamp || header.lastOffset < range.startOffset) continue
    const found = firstAtOrAfter(scanner.batchAt(position, header.sizeBytes), timestamp, range)
    if (found !== undefined) return found
  }
}

function firstAtOrAfter(batch: BatchView, timestamp: number, range: OffsetRange): FoundRecord | undefined {
  if (batch.sizeBytes === BATCH_HEADER_BYTES) return firstOf(batch, range)
  try {
    return findInRecords(batch, timestamp, range)
  } catch (error) {
    // Written as it came, by a client that broke it or made it huge (decision 102): no reason to find nothing behind it.
    if (error instanceof KafkaError) return firstOf(batch, range)
    throw error
  }
}

/** The batch itself: a reader that begins there misses nothing. */
function firstOf({ baseOffset, maxTimestamp, leaderEpoch }: BatchView, range: OffsetRange): FoundRecord {
  return { offset: Math.max(baseOffset, range.startOffset), timestamp: maxTimestamp, leaderEpoch }
}

function findInRecords(batch: BatchView, timestamp: number, range: OffsetRange): FoundRecord | undefined {
  const { leaderEpoch } = batch
  const appendTime = batch.timestampType === 'LogAppendTime' ? batch.maxTimestamp : undefined
  const cursor = recordsOf(batch, MAX_SEARCHED_BYTES)
  while (cursor.next()) {
    const offset = batch.baseOffset + cursor.offsetDelta
    const time = appendTime ?? batch.baseTimestamp + cursor.timestampDelta
    if (offset >= range.endOffset) return undefined
    if (time >= timestamp && offset >= range.startOffset) return { offset, timestamp: time, leaderEpoch }
  }
  return undefined
}

/** The first record with the largest timestamp; undefined in an empty log. */
export function findMaxTimestamp(segments: readonly Segment[], range: OffsetRange): FoundRecord | undefined {
  const largest = segments.reduce((max, segment) => Math.max(max, segment.maxTimestamp), -1)
  return largest < 0 ? undefined : findByTimestamp(segments, largest, range)
}
