/** What a partition's log is opened with. */
import type { TopicConfig } from '../config/topic-config.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/logger.ts'
import type { DirectoryHealth } from './directory-health.ts'
import type { Files } from './files.ts'

export interface PartitionLogOptions {
  readonly topic: string
  readonly partition: number
  /** 22 characters of base64url. */
  readonly topicId: string
  /** The partition's own directory, which exists. */
  readonly directory: string
  readonly topicConfig: TopicConfig
  /** `producer.id.expiration.ms` of the moment. */
  readonly producerExpirationMs: () => number
  readonly files: Files
  readonly health: DirectoryHealth
  readonly clock: Clock
  readonly logger: Logger
  /** From 0 to 1. */
  readonly random: () => number
  /** What the checkpoints say; 0 when they say nothing. */
  readonly recoveryPoint: number
  readonly logStartOffset: number
  readonly compactedUpTo: number
  readonly stoppedCleanly: boolean
  /** Makes the recovery points, start offsets and ends of compaction of the log directory durable. */
  readonly checkpoint: () => Promise<void>
}
