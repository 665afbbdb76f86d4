/** What others are told of a log directory. */
import type { PartitionLog } from './partition-log.ts'

/** A log directory went offline. */
export interface DirectoryLoss {
  readonly directory: string
  /** What it held; these logs are not served any more. */
  readonly logs: readonly PartitionLog[]
  /** How many directories are still good. A broker without any should stop. */
  readonly remaining: number
}

/** What DescribeLogDirs tells of a directory. */
export interface DirectoryView {
  readonly path: string
  readonly isOnline: boolean
  /** Of its file system; -1 when not known. */
  readonly totalBytes: number
  readonly usableBytes: number
  readonly logs: readonly PartitionLog[]
  /** Copies that are being made there of logs in other directories. */
  readonly futures: readonly PartitionLog[]
}
