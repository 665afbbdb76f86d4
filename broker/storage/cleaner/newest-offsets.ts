/** First half of a compaction: reads the dirty part of the log, to know the newest offset of each key. */
import type { BatchView } from '../../protocol/record-batch.ts'
import type { Segment } from '../segment.ts'
import { CleanedTransactions } from './cleaned-transactions.ts'
import { UncleanableLogError } from './compaction-errors.ts'
import type { CompactionJob } from './compaction-job.ts'
import { markerTypeOf } from './marker-type.ts'
import { OffsetMap, type OffsetMapOptions } from './offset-map.ts'
import { recordsOf } from '../../protocol/record-cursor.ts'

/**
 * Resolves to a map of the dirty part, up to where it was full. Aborted records do not count, nor records without a
 * key. Rejects with UncleanableLogError where not even the first batch fits.
 */
export async function newestOffsets(
  job: CompactionJob,
  limits: Pick<OffsetMapOptions, 'maxBytes' | 'loadFactor'>,
): Promise<OffsetMap> {
  const { log, range } = job
  const { firstDirtyOffset, firstUncleanableOffset } = range
  const map = new OffsetMap({ ...limits, expectedKeys: firstUncleanableOffset - firstDirtyOffset })
  const transactions = new CleanedTransactions(
    log.abortedTransactions(firstDirtyOffset, firstUncleanableOffset),
  )
  const visit = (batch: BatchView): boolean => {
    if (isWanted(batch, transactions) && !putAll(batch, firstDirtyOffset, map)) return false
    if (batch.lastOffset >= firstDirtyOffset) map.reached(batch.lastOffset)
    return true
  }
  for (const segment of job.segments) {
    if (job.endOf(segment) <= firstDirtyOffset) continue
    job.mustStillHave([segment])
    const isComplete = await job.walk(segment, startIn(segment, firstDirtyOffset), visit)
    if (!isComplete) return mustReach(map, firstDirtyOffset)
    map.reached(job.endOf(segment) - 1)
  }
  return mustReach(map, firstDirtyOffset)
}

function startIn(segment: Segment, firstDirtyOffset: number): number {
  return firstDirtyOffset <= segment.baseOffset ? 0 : segment.positionOf(firstDirtyOffset)
}

function isWanted(batch: BatchView, transactions: CleanedTransactions): boolean {
  if (!batch.isControl) return !transactions.passRecords(batch)
  transactions.passMarker(batch, markerTypeOf(batch))
  return false
}

/** False when the map is full; some of the batch may be in it then, which does no harm: the newer record counts. */
function putAll(batch: BatchView, firstDirtyOffset: number, map: OffsetMap): boolean {
  const { baseOffset } = batch
  const cursor = recordsOf(batch)
  while (cursor.next()) {
    const offset = baseOffset + cursor.offsetDelta
    const { key } = cursor
    if (key !== undefined && offset >= firstDirtyOffset && !map.put(key, offset)) return false
  }
  return true
}

function mustReach(map: OffsetMap, firstDirtyOffset: number): OffsetMap {
  if (map.latestOffset >= firstDirtyOffset) return map
  throw new UncleanableLogError(
    `the batch at offset ${firstDirtyOffset} has more keys than the ${map.capacity} for which log.cleaner.dedupe.buffer.size has room`,
  )
}
