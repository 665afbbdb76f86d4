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
import type { BatchView } from '../../protocol/record-batch.ts'
import { recordsOf } from '../../protocol/record-cursor.ts'
import { emptyBatch, KeptRecords, rewriteBatch } from './rewrite-batch.ts'

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

/** `batch` must hold all its bytes. Throws CORRUPT_MESSAGE when its records cannot be read. */
export function filterBatch(batch: BatchView, about: BatchCircumstances, rules: FilterRules): FilteredBatch {
  if (batch.isControl) return filterMarker(batch, about, rules)
  return about.isNeedless ? emptied(batch, about.keepsHeader) : filterRecords(batch, about, rules)
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
  return rewriteBatch(batch, kept, rules.nowMs + rules.deleteRetentionMs)
}

function filterRecords(batch: BatchView, about: BatchCircumstances, rules: FilterRules): FilteredBatch {
  const { recordCount, baseOffset } = batch
  const dropsTombstones = isPastHorizon(batch, rules.nowMs)
  const kept = new KeptRecords()
  const cursor = recordsOf(batch)
  while (cursor.next()) {
    const { key, hasValue } = cursor
    if (key === undefined || (!hasValue && dropsTombstones)) continue
    if (baseOffset + cursor.offsetDelta >= rules.newestOffset(key)) kept.keep(cursor)
  }
  if (kept.count === 0) return emptied(batch, about.keepsHeader)
  const needsHorizon = kept.hasTombstones && batch.deleteHorizonMs === undefined
  const horizonMs = needsHorizon ? rules.nowMs + rules.deleteRetentionMs : undefined
  const isAsItWas = kept.count === recordCount && !needsHorizon
  const bytes = isAsItWas ? batch.bytes : rewriteBatch(batch, kept, horizonMs)
  return { bytes, recordsRead: recordCount, recordsKept: kept.count }
}

function emptied(batch: BatchView, keepsHeader: boolean): FilteredBatch {
  const { recordCount } = batch
  const bytes = recordCount === 0 ? batch.bytes : emptyBatch(batch)
  return { bytes: keepsHeader ? bytes : undefined, recordsRead: recordCount, recordsKept: 0 }
}
