/** What a batch must satisfy before a leader appends it, by the settings of its topic. */
import type { TopicConfig } from '../config/topic-config.ts'
import { KafkaError } from '../protocol/errors.ts'
import { type BatchView, validateClientBatch } from '../protocol/record-batch.ts'
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
