/** What DeleteRecords may drop of a partition (KIP-107). */
import type { TopicConfig } from '../config/config.ts'
import { KafkaError } from '../protocol/errors.ts'

const HIGH_WATERMARK = -1

export interface DeletablePartition {
  readonly topic: string
  readonly index: number
  readonly highWatermark: number
  readonly topicConfig: TopicConfig
}

/** The offset before which the records go. Throws POLICY_VIOLATION or OFFSET_OUT_OF_RANGE. */
export function deletionEnd(partition: DeletablePartition, offset: number): number {
  const { topic, index, highWatermark, topicConfig } = partition
  const policies = topicConfig.get('cleanup.policy')
  if (policies.includes('compact') && !policies.includes('delete')) {
    throw new KafkaError(
      'POLICY_VIOLATION',
      `${topic} is compacted and nothing else: its cleanup.policy does not let records be deleted by offset`,
    )
  }
  if (offset === HIGH_WATERMARK) return highWatermark
  if (offset >= 0 && offset <= highWatermark) return offset
  throw new KafkaError(
    'OFFSET_OUT_OF_RANGE',
    `${topic}-${index}: offset ${offset} is not one of 0 to ${highWatermark}, the high watermark`,
  )
}
