/** Batches that compaction does not go through at once, so that everybody else need not wait for them. */
import { decompressInBackground } from '../../protocol/compression.ts'
import type { BatchView } from '../../protocol/record-batch.ts'
import { MAX_DECOMPRESSED_BYTES, RecordCursor, recordsOf } from '../../protocol/record-cursor.ts'

/** What is decompressed, and what is gone through, in a few milliseconds. */
const MAX_COMPRESSED_BYTES = 32 * 1024
const MAX_RECORDS = 2000

export function isLarge({ codec, sizeBytes, recordCount }: BatchView): boolean {
  return recordCount > MAX_RECORDS || (codec !== 'none' && sizeBytes > MAX_COMPRESSED_BYTES)
}

/** recordsOf, decompressed while others run; the batch must stay as it is meanwhile. */
export async function recordsInBackground(batch: BatchView): Promise<RecordCursor> {
  const { codec, recordBytes, recordCount } = batch
  if (codec === undefined || codec === 'none') return recordsOf(batch)
  const plain = await decompressInBackground(codec, recordBytes, MAX_DECOMPRESSED_BYTES)
  return new RecordCursor(plain, recordCount)
}
