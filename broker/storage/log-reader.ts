/** Reads whole batches from the segments of a partition, and what readers of committed records must skip in them. */
import { BATCH_HEADER_BYTES, BATCH_OVERHEAD_BYTES, BatchView } from '../protocol/record-batch.ts'
import type { Lend, Segment } from './segment.ts'
import type { AbortedTransaction } from './transaction-index.ts'

export interface ReadResult {
  readonly records: Buffer
  readonly sizeBytes: number
}

export interface ReadBounds {
  /** In the log, and below `end`. */
  readonly offset: number
  /** Batches that hold this offset or a later one are left out. */
  readonly end: number
  readonly maxBytes: number
  /** Returns the first batch even if it is larger than `maxBytes`. */
  readonly minOneBatch: boolean
  /** Where the records are read to; memory of their own unless given. */
  readonly lend?: Lend | undefined
}

export const NO_RECORDS: ReadResult = { records: Buffer.alloc(0), sizeBytes: 0 }

/** Whole batches from the one that holds `offset` on, out of one segment. */
export function readBatches(segments: readonly Segment[], bounds: ReadBounds): ReadResult {
  const { offset, end, maxBytes, minOneBatch } = bounds
  if (maxBytes <= 0 && !minOneBatch) return NO_RECORDS
  const segment = segmentFor(segments, offset)
  const start = segment.positionOf(offset)
  const limit = limitIn(segment, end)
  if (limit <= start) return NO_RECORDS
  const bytes = segment.read(start, Math.min(maxBytes, limit - start), bounds.lend)
  const size = wholeBatchesSize(bytes)
  if (size > 0) return { records: bytes.subarray(0, size), sizeBytes: size }
  const first = minOneBatch ? segment.batchAt(start)?.bytes : undefined
  return first === undefined ? NO_RECORDS : { records: first, sizeBytes: first.length }
}

/** How many bytes there are from the batch that holds `offset` to `end`, in all segments, without reading them. */
export function sizeOfBatches(segments: readonly Segment[], offset: number, end: number): number {
  let size = -segmentFor(segments, offset).positionOf(offset)
  for (const segment of segments.slice(indexOfSegment(segments, offset))) {
    if (segment.baseOffset >= end) break
    if (segment.endOffset > offset) size += limitIn(segment, end)
  }
  return Math.max(size, 0)
}

/** Where the batches below `end` end in the segment. */
function limitIn(segment: Segment, end: number): number {
  return end >= segment.endOffset ? segment.sizeBytes : segment.positionOf(end)
}

/** The segment that holds `offset`, or the next one that holds any when compaction has taken the record away. */
function segmentFor(segments: readonly Segment[], offset: number): Segment {
  const found = indexOfSegment(segments, offset)
  for (let index = found; index < segments.length; index++) {
    const segment = segments[index]!
    if (segment.sizeBytes > 0 && offset < segment.endOffset) return segment
  }
  return segments[found]!
}

function indexOfSegment(segments: readonly Segment[], offset: number): number {
  return Math.max(
    0,
    segments.findLastIndex(({ baseOffset }) => baseOffset <= offset),
  )
}

/** The aborted transactions with records from `from` on and below `upTo`, in order of their markers. */
export function abortedTransactionsIn(
  segments: readonly Segment[],
  from: number,
  upTo: number,
): AbortedTransaction[] {
  const found: AbortedTransaction[] = []
  for (const segment of segments.slice(indexOfSegment(segments, from))) {
    for (const aborted of segment.abortedTransactions(from)) {
      if (aborted.firstOffset < upTo) found.push(aborted)
      if (aborted.lastStableOffset >= upTo) return found
    }
  }
  return found
}

/** One past the last offset of whole batches; `offset` when there are none. */
export function endOfBatches(records: Buffer, offset: number): number {
  let end = offset
  for (let position = 0; position < records.length;) {
    const batch = new BatchView(records, position)
    end = batch.lastOffset + 1
    position += batch.sizeBytes
  }
  return end
}

/** Whether these are batches, at least one, of which compaction has left nothing but the headers. */
export function haveNoRecords(records: Buffer): boolean {
  let position = 0
  while (position < records.length) {
    if (new BatchView(records, position).sizeBytes !== BATCH_HEADER_BYTES) return false
    position += BATCH_HEADER_BYTES
  }
  return position > 0
}

/** Size of the whole batches that `bytes` begins with. */
function wholeBatchesSize(bytes: Buffer): number {
  let position = 0
  while (position + BATCH_OVERHEAD_BYTES <= bytes.length) {
    const next = position + BATCH_OVERHEAD_BYTES + bytes.readInt32BE(position + 8)
    if (next > bytes.length) break
    position = next
  }
  return position
}
