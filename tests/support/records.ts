/** Record batches for tests: as a client sends them, and read back as text. */
import { splitBatches } from '../../broker/protocol/record-batch.ts'
import { type BatchOptions, decodeRecords, encodeBatch } from '../../broker/protocol/record-codec.ts'
import type { RecordsToSend } from '../../broker/protocol/kinds.ts'

/** One batch whose records have these values; now, unless `timestamp` is given. */
export function batchOfTexts(
  values: readonly string[],
  options: BatchOptions & { timestamp?: number } = {},
): Buffer {
  const timestamp = options.timestamp ?? Date.now()
  return encodeBatch(
    values.map((value) => ({ timestamp, key: null, value: Buffer.from(value) })),
    options,
  )
}

/** "offset:value" of every record, as they lie in a fetch response. */
export function textsIn(records: RecordsToSend | null): string[] {
  if (records === null) return []
  const bytes = Buffer.isBuffer(records) ? records : Buffer.concat(records)
  return splitBatches(bytes).flatMap((batch) =>
    decodeRecords(batch).map(({ offset, value }) => `${offset}:${value?.toString() ?? 'null'}`),
  )
}
