/** What batches must satisfy before they are appended: a leader's by the settings of the topic, a follower's by its log. */
import type { TopicConfig } from '../config/topic-config.ts'
import { KafkaError } from '../protocol/errors.ts'
import { type BatchView, splitBatches, validateClientBatch } from '../protocol/record-batch.ts'
import { recordsOf } from '../protocol/record-codec.ts'

/**
 * The one batch in `records`. The coordinator's own records are bound by neither size nor timestamp. Throws what
 * validateClientBatch does, and INVALID_RECORD for a record without key in a compacted topic.
 */
export function checkAppended(
  records: Buffer,
  origin: 'client' | 'coordinator',
  config: TopicConfig,
  nowMs: number,
): BatchView {
  const isClient = origin === 'client'
  const batch = validateClientBatch(records, {
    maxBatchBytes: isClient ? config.get('max.message.bytes') : Infinity,
    segmentBytes: config.get('segment.bytes'),
    nowMs,
    timestampBeforeMaxMs: isClient ? config.get('message.timestamp.before.max.ms') : Infinity,
    timestampAfterMaxMs: isClient ? config.get('message.timestamp.after.max.ms') : Infinity,
    origin,
  })
  const needsKeys = isClient && config.get('cleanup.policy').includes('compact')
  if (needsKeys && recordsOf(batch).some(({ key }) => key === null)) {
    throw new KafkaError('INVALID_RECORD', 'the topic is compacted: every record needs a key')
  }
  return batch
}

/**
 * The whole batches that a leader sent to a log that ends at `endOffset`. Throws CORRUPT_MESSAGE for a damaged one, or
 * one that begins before the end of what precedes it.
 */
export function checkReplicated(records: Buffer, endOffset: number): BatchView[] {
  let next = endOffset
  const batches = splitBatches(records)
  for (const batch of batches) {
    const { baseOffset } = batch
    if (!batch.isIntact()) {
      throw new KafkaError(
        'CORRUPT_MESSAGE',
        `the leader sent a batch at offset ${baseOffset} with a wrong checksum`,
      )
    }
    if (baseOffset < next) {
      throw new KafkaError('CORRUPT_MESSAGE', `the leader sent offset ${baseOffset} after ${next - 1}`)
    }
    next = batch.lastOffset + 1
  }
  return batches
}
