/**
 * What is left of one batch when its log is compacted (KIP-98, KIP-534):
 *
 * - Of each key the newest record stays; records without a key go. Offsets never change, so batches keep their base and
 *   last offset, and with them the sequence numbers of their producer.
 * - A tombstone, a record without a value, stays until the batch's delete horizon, which the first compaction that
 *   keeps it writes into the header: a reader has that long to see it. A marker whose transaction has no records left
 *   is treated alike.
 * - Records of aborted transactions go at once.
 * - A batch that loses all its records goes, unless its header is still needed.
 */
import { compress, compressInBackground } from '../../protocol/compression.ts'
import type { BatchView } from '../../protocol/record-batch.ts'
import { type RecordCursor, recordsOf } from '../../protocol/record-cursor.ts'
import { recordsInBackground } from './large-batch.ts'
import { emptyBatch, KeptRecords, rewriteBatch, type RewrittenBatch } from './rewrite-batch.ts'

export interface FilterRules {
  /** The newest offset of a key in the part that is compacted, -1 for none. */
  newestOffset(key: Buffer): number
  readonly nowMs: number
  readonly deleteRetentionMs: number
}

export interface BatchCircumstances {
  /** Its records belong to an aborted transaction, or it is the marker of one of which no record is left. */
  readonly isNeedless: boolean
  /** Its header says what nothing else does: the last sequence of a producer, or where the compacted part ends. */
  readonly keepsHeader: boolean
}

export interface FilteredBatch {
  /** undefined: nothing is left. The batch's own bytes where nothing changed. */
  readonly bytes: Buffer | undefined
  readonly recordsRead: number
  readonly recordsKept: number
}

/** Records that are gone through before others may have a turn. */
const RECORDS_AT_ONCE = 1000

/** `batch` must hold all its bytes. Throws CORRUPT_MESSAGE when its records cannot be read. */
export function filterBatch(batch: BatchView, about: BatchCircumstances, rules: FilterRules): FilteredBatch {
  if (batch.isControl) return filterMarker(batch, about, rules)
  if (about.isNeedless) return emptied(batch, about.keepsHeader)
  const filter = new RecordFilter(batch, recordsOf(batch), rules)
  filter.advance(batch.recordCount + 1)
  const { bytes, rewritten, ...counts } = filter.result(about)
  return { bytes: rewritten === undefined ? bytes : completed(rewritten), ...counts }
}

/**
 * The same for a batch that takes long (large-batch.ts): calls `rest` again and again, and the batch must stay as it
 * is meanwhile.
 */
export async function filterLargeBatch(
  batch: BatchView,
  about: BatchCircumstances,
  rules: FilterRules,
  rest: () => Promise<void>,
): Promise<FilteredBatch> {
  if (batch.isControl || about.isNeedless) return filterBatch(batch, about, rules)
  const filter = new RecordFilter(batch, await recordsInBackground(batch), rules)
  while (!filter.advance(RECORDS_AT_ONCE)) await rest()
  const { bytes, rewritten, ...counts } = filter.result(about)
  if (rewritten === undefined) return { bytes, ...counts }
  await rest()
  const records = await compressInBackground(rewritten.codec, rewritten.plain)
  return { bytes: rewritten.complete(records), ...counts }
}

function completed(rewritten: RewrittenBatch): Buffer {
  return rewritten.complete(compress(rewritten.codec, rewritten.plain))
}

function filterMarker(batch: BatchView, about: BatchCircumstances, rules: FilterRules): FilteredBatch {
  const isOver = about.isNeedless && isPastHorizon(batch, rules.nowMs)
  if (isOver || batch.recordCount === 0) return emptied(batch, about.keepsHeader)
  const kept = { recordsRead: batch.recordCount, recordsKept: batch.recordCount }
  if (!about.isNeedless || batch.deleteHorizonMs !== undefined) return { bytes: batch.bytes, ...kept }
  return { bytes: withHorizon(batch, rules), ...kept }
}

function isPastHorizon({ deleteHorizonMs }: BatchView, nowMs: number): boolean {
  return deleteHorizonMs !== undefined && deleteHorizonMs <= nowMs
}

/** A control batch that is kept until its horizon from now on. */
function withHorizon(batch: BatchView, rules: FilterRules): Buffer {
  const kept = new KeptRecords()
  const cursor = recordsOf(batch)
  while (cursor.next()) kept.keep(cursor)
  return completed(rewriteBatch(batch, kept, rules.nowMs + rules.deleteRetentionMs))
}

/** Goes through the records of one batch, a portion at a time. */
class RecordFilter {
  readonly #batch: BatchView
  readonly #cursor: RecordCursor
  readonly #rules: FilterRules
  readonly #dropsTombstones: boolean
  readonly #kept = new KeptRecords()

  constructor(batch: BatchView, cursor: RecordCursor, rules: FilterRules) {
    this.#batch = batch
    this.#cursor = cursor
    this.#rules = rules
    this.#dropsTombstones = isPastHorizon(batch, rules.nowMs)
  }

  /** Looks at the next `count` records; true when there are no more. */
  advance(count: number): boolean {
    const cursor = this.#cursor
    const { baseOffset } = this.#batch
    for (let left = count; left > 0; left--) {
      if (!cursor.next()) return true
      const { key, hasValue } = cursor
      if (key === undefined || (!hasValue && this.#dropsTombstones)) continue
      if (baseOffset + cursor.offsetDelta >= this.#rules.newestOffset(key)) this.#kept.keep(cursor)
    }
    return false
  }

  /** Where the batch must be written anew, `rewritten` is there instead of `bytes`. */
  result(about: BatchCircumstances): FilteredBatch & { readonly rewritten?: RewrittenBatch } {
    const batch = this.#batch
    const kept = this.#kept
    if (kept.count === 0) return emptied(batch, about.keepsHeader)
    const { nowMs, deleteRetentionMs } = this.#rules
    const needsHorizon = kept.hasTombstones && batch.deleteHorizonMs === undefined
    const counts = { recordsRead: batch.recordCount, recordsKept: kept.count }
    if (kept.count === batch.recordCount && !needsHorizon) return { bytes: batch.bytes, ...counts }
    const rewritten = rewriteBatch(batch, kept, needsHorizon ? nowMs + deleteRetentionMs : undefined)
    return { bytes: undefined, rewritten, ...counts }
  }
}

function emptied(batch: BatchView, keepsHeader: boolean): FilteredBatch {
  const { recordCount } = batch
  const bytes = recordCount === 0 ? batch.bytes : emptyBatch(batch)
  return { bytes: keepsHeader ? bytes : undefined, recordsRead: recordCount, recordsKept: 0 }
}
