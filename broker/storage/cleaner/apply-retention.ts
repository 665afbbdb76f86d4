/** Removes from one log what its topic's retention rules no longer keep. */
import type { PartitionLog } from '../partition-log.ts'
import { removals, type RetentionRules } from './retention.ts'

/** Resolves to the number of segments that went. Rejects with what PartitionLog.removeSegmentsBefore does. */
export async function applyRetention(log: PartitionLog, nowMs: number): Promise<number> {
  let removed = 0
  for (const { beforeOffset, reason } of removals(retainedLog(log), rulesOf(log, nowMs))) {
    removed += await log.removeSegmentsBefore(beforeOffset, reason)
  }
  return removed
}

function retainedLog(log: PartitionLog) {
  const { logStartOffset, logEndOffset, highWatermark } = log
  return { segments: log.segments(), logStartOffset, logEndOffset, highWatermark }
}

function rulesOf({ topicConfig }: PartitionLog, nowMs: number): RetentionRules | undefined {
  if (!topicConfig.get('cleanup.policy').includes('delete')) return undefined
  const retentionMs = topicConfig.get('retention.ms')
  const retentionBytes = topicConfig.get('retention.bytes')
  return { retentionMs, retentionBytes, nowMs }
}
