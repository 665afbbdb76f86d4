/**
 * Compacts one log: keeps of every key the newest record up to where the dirty part ends.
 *
 *   1. The dirty part is read once, to know the newest offset of each key (newest-offsets.ts). Where the map is full,
 *      the dirty part ends for this time.
 *   2. All segments up to there are read from the start of the log, in groups that fit into one segment each, and what
 *      stays of them (batch-filter.ts) is written to a new one, `.cleaned`.
 *   3. That is flushed and takes the place of its group.
 *
 * Everybody else runs in between: segments may be truncated or removed at any time. The compaction is aborted then; what
 * took its place stays, the rest is as it was. Batches beyond the end of the dirty part are copied as they are. The last
 * batch of a group keeps its header when it loses its records, so that no segment ends before the next one begins.
 */
import type { BatchView } from '../../protocol/record-batch.ts'
import type { PartitionLog } from '../partition-log.ts'
import type { Segment } from '../segment.ts'
import { filterBatch, type FilteredBatch, filterLargeBatch, type FilterRules } from './batch-filter.ts'
import { CleanedTransactions } from './cleaned-transactions.ts'
import { CleanedWriter } from './cleaned-writer.ts'
import type { CompactionJob } from './compaction-job.ts'
import { groupSegments } from './dirty-range.ts'
import { isLarge } from './large-batch.ts'
import { markerTypeOf } from './marker-type.ts'
import { newestOffsets } from './newest-offsets.ts'
import type { OffsetMap } from './offset-map.ts'

export interface CompactionOptions {
  /** `log.cleaner.dedupe.buffer.size` and `log.cleaner.io.buffer.load.factor` */
  readonly map: { readonly maxBytes: number; readonly loadFactor: number }
  /** Bytes that are written at a time. */
  readonly bufferBytes: number
}

export interface CompactionResult {
  /** Everything before it is compacted. */
  readonly compactedUpTo: number
  /** Share of the map for keys that was in use. */
  readonly mapUtilization: number
}

/**
 * Rejects with CompactionAbortedError, SegmentsChangedError, UncleanableLogError, CORRUPT_MESSAGE, or what the file
 * system fails with.
 */
export async function compact(job: CompactionJob, options: CompactionOptions): Promise<CompactionResult> {
  const map = await newestOffsets(job, options.map)
  try {
    const compactedUpTo = map.latestOffset + 1
    const segments = job.segments.filter(({ baseOffset }) => baseOffset < compactedUpTo)
    const pass = new CleaningPass(job, options, map, segments)
    const groups = groupSegments(segments, {
      segmentBytes: job.log.limits.segmentBytes,
      indexBytes: job.log.limits.indexBytes,
      firstUncleanableOffset: job.range.firstUncleanableOffset,
    })
    for (const group of groups) await pass.clean(group)
    return { compactedUpTo, mapUtilization: map.utilization }
  } finally {
    map.release()
  }
}

/** What goes from group to group: the transactions, whose batches may lie in several. */
class CleaningPass {
  readonly #job: CompactionJob
  readonly #options: CompactionOptions
  readonly #map: OffsetMap
  readonly #rules: FilterRules
  readonly #transactions: CleanedTransactions
  #writer: CleanedWriter | undefined
  /** Where the segment after the group begins. */
  #groupEndOffset = -1

  constructor(job: CompactionJob, options: CompactionOptions, map: OffsetMap, segments: readonly Segment[]) {
    this.#job = job
    this.#options = options
    this.#map = map
    this.#rules = {
      newestOffset: (key) => map.get(key),
      nowMs: job.nowMs,
      deleteRetentionMs: job.log.topicConfig.get('delete.retention.ms'),
    }
    const [first] = segments
    const last = segments.at(-1)
    const aborted =
      first === undefined || last === undefined
        ? []
        : job.log.abortedTransactions(first.baseOffset, job.endOf(last))
    this.#transactions = new CleanedTransactions(aborted, (transaction) =>
      this.#writer?.addAborted(transaction),
    )
  }

  async clean(group: readonly Segment[]): Promise<void> {
    const { log } = this.#job
    this.#job.mustStillHave(group)
    const cleaned = log.newCleanedSegment(group[0]!.baseOffset)
    try {
      await this.#fill(cleaned, group)
    } catch (error) {
      cleaned.remove()
      throw error
    }
    try {
      await log.replaceSegments(group, [cleaned])
    } catch (error) {
      discard(cleaned, log)
      throw error
    }
  }

  async #fill(cleaned: Segment, group: readonly Segment[]): Promise<void> {
    const job = this.#job
    const { bufferBytes } = this.#options
    const writer = new CleanedWriter({ segment: cleaned, limits: job.log.limits, bufferBytes })
    this.#writer = writer
    this.#groupEndOffset = job.endOf(group.at(-1)!)
    const lastOfProducers = lastBatches(job)
    for (const segment of group) {
      await job.walk(segment, 0, (batch) => this.#cleanBatch(batch, lastOfProducers, writer))
      job.bytesRead += segment.sizeBytes
    }
    await writer.finish()
    job.bytesWritten += writer.bytesWritten
    job.mustStillHave(group)
  }

  #cleanBatch(
    batch: BatchView,
    lastOfProducers: LastBatches,
    writer: CleanedWriter,
  ): boolean | Promise<boolean> {
    const isNeedless = batch.isControl
      ? this.#transactions.passMarker(batch, markerTypeOf(batch))
      : this.#transactions.passRecords(batch)
    const { recordCount, lastOffset } = batch
    if (lastOffset > this.#map.latestOffset) {
      return this.#write(writer, {
        bytes: batch.bytes,
        recordsRead: recordCount,
        recordsKept: recordCount,
      })
    }
    // Segments go on to meet: where one ends before the next begins, recovery would take it for a loss.
    const isLastOfGroup = lastOffset + 1 === this.#groupEndOffset
    const about = { isNeedless, keepsHeader: isLastOfGroup || isLastOfProducer(batch, lastOfProducers) }
    if (!isLarge(batch)) return this.#write(writer, filterBatch(batch, about, this.#rules))
    const { slices } = this.#job
    const rest = async (): Promise<void> => {
      if (slices.isOver()) await slices.rest()
    }
    return filterLargeBatch(batch, about, this.#rules, rest).then((result) => this.#write(writer, result))
  }

  #write(writer: CleanedWriter, { bytes, recordsRead, recordsKept }: FilteredBatch): boolean {
    this.#job.recordsRead += recordsRead
    this.#job.recordsKept += recordsKept
    if (bytes === undefined) return true
    writer.add(bytes)
    this.#job.slices.spend(bytes.length)
    return true
  }
}

/** What did not take its place: where the log went offline, its files are left for the next start to judge. */
function discard(cleaned: Segment, log: PartitionLog): void {
  if (log.segments().includes(cleaned)) return
  if (log.isUsable) cleaned.remove()
  else cleaned.close()
}

/** By producer id: its last batch of records, or -1 where only a marker is known, and its epoch. */
type LastBatches = ReadonlyMap<number, { readonly lastOffset: number; readonly epoch: number }>

function lastBatches({ log }: CompactionJob): LastBatches {
  return new Map(
    log
      .activeProducers()
      .map(({ producerId, producerEpoch, lastOffset }) => [producerId, { lastOffset, epoch: producerEpoch }]),
  )
}

/**
 * Whether the batch is the last that tells where the sequence of a producer is, which would be refused without it; or,
 * where no batch does, the marker that tells its epoch.
 */
function isLastOfProducer(batch: BatchView, lastOfProducers: LastBatches): boolean {
  const last = batch.producerId < 0 ? undefined : lastOfProducers.get(batch.producerId)
  if (last === undefined) return false
  if (last.lastOffset >= 0) return batch.lastOffset === last.lastOffset
  return batch.isControl && batch.producerEpoch === last.epoch
}
