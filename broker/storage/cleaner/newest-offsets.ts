/** First half of a compaction: reads the dirty part of the log, to know the newest offset of each key. */
import type { BatchView } from '../../protocol/record-batch.ts'
import { type RecordCursor, recordsOf } from '../../protocol/record-cursor.ts'
import type { Segment } from '../segment.ts'
import { CleanedTransactions } from './cleaned-transactions.ts'
import { UncleanableLogError } from './compaction-errors.ts'
import type { CompactionJob } from './compaction-job.ts'
import { isLarge, recordsInBackground } from './large-batch.ts'
import { markerTypeOf } from './marker-type.ts'
import { OffsetMap, type OffsetMapOptions } from './offset-map.ts'

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
  const reached = (batch: BatchView, isIn: boolean): boolean => {
    if (isIn && batch.lastOffset >= firstDirtyOffset) map.reached(batch.lastOffset)
    return isIn
  }
  const visit = (batch: BatchView): boolean | Promise<boolean> => {
    if (!isWanted(batch, transactions)) return reached(batch, true)
    const entries = new BatchEntries(batch, firstDirtyOffset, map)
    if (isLarge(batch)) return entries.putInPortions(job).then((isIn) => reached(batch, isIn))
    return reached(batch, entries.putAll())
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

/** Records that are gone through before others may have a turn. */
const RECORDS_AT_ONCE = 1000

/**
 * Puts the records of one batch into the map. Where that is full some of them may be in it, which does no harm: of a key
 * the newer record counts.
 */
class BatchEntries {
  readonly #batch: BatchView
  readonly #firstDirtyOffset: number
  readonly #map: OffsetMap

  constructor(batch: BatchView, firstDirtyOffset: number, map: OffsetMap) {
    this.#batch = batch
    this.#firstDirtyOffset = firstDirtyOffset
    this.#map = map
  }

  /** False when the map was full. */
  putAll(): boolean {
    return this.#put(recordsOf(this.#batch), this.#batch.recordCount + 1) === 'all'
  }

  /** The same for a large batch, with rests in between. */
  async putInPortions(job: CompactionJob): Promise<boolean> {
    const cursor = await recordsInBackground(this.#batch)
    for (;;) {
      const done = this.#put(cursor, RECORDS_AT_ONCE)
      if (done !== 'some') return done === 'all'
      if (job.slices.isOver()) await job.slices.rest()
    }
  }

  #put(cursor: RecordCursor, count: number): 'all' | 'some' | 'full' {
    const { baseOffset } = this.#batch
    for (let left = count; left > 0; left--) {
      if (!cursor.next()) return 'all'
      const offset = baseOffset + cursor.offsetDelta
      const { key } = cursor
      if (key !== undefined && offset >= this.#firstDirtyOffset && !this.#map.put(key, offset)) return 'full'
    }
    return 'some'
  }
}

function mustReach(map: OffsetMap, firstDirtyOffset: number): OffsetMap {
  if (map.latestOffset >= firstDirtyOffset) return map
  throw new UncleanableLogError(
    `the batch at offset ${firstDirtyOffset} has more keys than the ${map.capacity} for which log.cleaner.dedupe.buffer.size has room`,
  )
}
