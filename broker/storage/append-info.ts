/** What an append comes to. */
import type { BatchView } from '../protocol/record-batch.ts'

export interface AppendInfo {
  readonly baseOffset: number
  readonly lastOffset: number
  /** -1 when the records keep the producer's time. */
  readonly logAppendTimeMs: number
  readonly logStartOffset: number
  /** The batch was there already; the offsets are those of its first appearance. */
  readonly duplicate: boolean
  readonly sizeBytes: number
}

/** Of a batch that got these offsets now. */
export function appendInfo(
  batch: BatchView,
  offsets: Pick<AppendInfo, 'baseOffset' | 'lastOffset' | 'logStartOffset'>,
): AppendInfo {
  return {
    baseOffset: offsets.baseOffset,
    lastOffset: offsets.lastOffset,
    logAppendTimeMs: batch.timestampType === 'LogAppendTime' ? batch.maxTimestamp : -1,
    logStartOffset: offsets.logStartOffset,
    duplicate: false,
    sizeBytes: batch.sizeBytes,
  }
}
