/** Finds records by timestamp: index, then batch headers, then the records of one batch. */
import { type BatchView, BATCH_HEADER_BYTES } from '../protocol/record-batch.ts'
import { recordsOf } from '../protocol/record-cursor.ts'
import type { Segment } from './segment.ts'

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

/** The first record in the range whose timestamp is `timestamp` or later. */
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
  const { leaderEpoch } = batch
  if (batch.sizeBytes === BATCH_HEADER_BYTES) {
    const offset = Math.max(batch.baseOffset, range.startOffset)
    return { offset, timestamp: batch.maxTimestamp, leaderEpoch }
  }
  const appendTime = batch.timestampType === 'LogAppendTime' ? batch.maxTimestamp : undefined
  const cursor = recordsOf(batch)
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
