/** What a topic may be called, and which topics belong to the brokers. */
import type { MetadataImage } from '../metadata/image.ts'
import { KafkaError } from '../protocol/errors.ts'

const INTERNAL_TOPICS: ReadonlySet<string> = new Set([
  '__consumer_offsets',
  '__transaction_state',
  '__share_group_state',
])

export function isInternalTopic(name: string): boolean {
  return INTERNAL_TOPICS.has(name)
}

/** Throws INVALID_TOPIC_EXCEPTION. */
export function checkTopicName(name: string): void {
  if (/^[a-zA-Z0-9._-]{1,249}$/.test(name) && name !== '.' && name !== '..') return
  throw new KafkaError(
    'INVALID_TOPIC_EXCEPTION',
    `"${name.slice(0, 300)}" cannot be a topic: 1 to 249 letters, digits, dots, underscores and dashes, and neither "." nor ".."`,
  )
}

/** For a topic that is to be created: also throws INVALID_REQUEST for the name of Kafka's own metadata log. */
export function checkNewTopicName(name: string): void {
  checkTopicName(name)
  if (name === '__cluster_metadata') {
    throw new KafkaError(
      'INVALID_REQUEST',
      `"${name}" is the name of Apache Kafka's metadata log, and cannot be a topic`,
    )
  }
}

/** Names that differ in "." and "_" only would share metrics: INVALID_TOPIC_EXCEPTION when there is such a topic. */
export function checkCollision(name: string, image: MetadataImage): void {
  if (!/[._]/.test(name)) return
  const plain = name.replaceAll('.', '_')
  for (const other of image.topics.keys()) {
    if (other !== name && other.replaceAll('.', '_') === plain) {
      throw new KafkaError(
        'INVALID_TOPIC_EXCEPTION',
        `"${name}" collides with "${other}": "." and "_" count as the same`,
      )
    }
  }
}
