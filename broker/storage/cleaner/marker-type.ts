/** What the marker in a control batch says, as far as compaction cares. */
import { readEndMarker } from '../../protocol/control-records.ts'
import type { BatchView } from '../../protocol/record-batch.ts'
import type { MarkerType } from './cleaned-transactions.ts'

/** Throws CORRUPT_MESSAGE. */
export function markerTypeOf(batch: BatchView): MarkerType {
  if (batch.recordCount === 0) return 'emptied'
  const marker = readEndMarker(batch)
  if (marker === undefined) return 'other'
  return marker.isAborted ? 'abort' : 'commit'
}
