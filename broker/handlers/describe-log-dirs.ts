/**
 * DescribeLogDirs: every log directory of this broker with the partitions in it that were asked for (null: all) and
 * the space of its file system. One that is offline has KAFKA_STORAGE_ERROR and nothing else.
 *
 * An offset lag is how far a log is behind the high watermark, and of a copy that is being made in another directory
 * how far behind the log that it is a copy of.
 */
import type { DescribeLogDirs } from '../protocol/apis/describe-log-dirs.ts'
import { errorCode } from '../protocol/errors.ts'
import type { RequestOf, ResponseOf } from '../protocol/schema.ts'
import { partitionDirectoryName } from '../storage/file-names.ts'
import type { DirectoryView } from '../storage/directory-view.ts'
import type { PartitionLog } from '../storage/partition-log.ts'
import type { Handler, RequestContext } from './context.ts'

type Result = ResponseOf<typeof DescribeLogDirs>['results'][number]
type PartitionResult = Result['topics'][number]['partitions'][number]

/** Told where there is no partition to compare with. */
const UNKNOWN_LAG = -1

export const describeLogDirs: Handler<typeof DescribeLogDirs> = async (request, context) => {
  const isAsked = filterOf(request)
  const directories = await context.replicas.logDirectories()
  return {
    throttleTimeMs: 0,
    errorCode: 0,
    results: directories.map((directory) => describeDirectory(directory, isAsked, context)),
  }
}

function filterOf({ topics }: RequestOf<typeof DescribeLogDirs>): (log: PartitionLog) => boolean {
  if (topics === null) return () => true
  const asked = new Set(
    topics.flatMap(({ topic, partitions }) =>
      partitions.map((partition) => partitionDirectoryName(topic, partition)),
    ),
  )
  return ({ topic, partition }) => asked.has(partitionDirectoryName(topic, partition))
}

function describeDirectory(
  directory: DirectoryView,
  isAsked: (log: PartitionLog) => boolean,
  context: RequestContext,
): Result {
  const { path, isOnline, totalBytes, usableBytes } = directory
  if (!isOnline) return { errorCode: errorCode('KAFKA_STORAGE_ERROR'), logDir: path, topics: [] }
  const found = [
    ...directory.logs.filter(isAsked).map((log) => [log, false] as const),
    ...directory.futures.filter(isAsked).map((log) => [log, true] as const),
  ]
  const byTopic = Map.groupBy(found, ([{ topic }]) => topic)
  const topics = [...byTopic].map(([name, logs]) => ({
    name,
    partitions: logs.map(([log, isFuture]) => describeLog(log, isFuture, context)),
  }))
  return { errorCode: 0, logDir: path, topics, totalBytes, usableBytes }
}

function describeLog(log: PartitionLog, isFuture: boolean, { replicas }: RequestContext): PartitionResult {
  return {
    partitionIndex: log.partition,
    partitionSize: log.sizeBytes,
    offsetLag: offsetLag(log, isFuture, replicas),
    isFutureKey: isFuture,
  }
}

function offsetLag(log: PartitionLog, isFuture: boolean, replicas: RequestContext['replicas']): number {
  const partition = replicas.partition(log.topic, log.partition)
  if (partition === undefined) return UNKNOWN_LAG
  return isFuture
    ? partition.log.logEndOffset - log.logEndOffset
    : Math.max(partition.highWatermark - log.logEndOffset, 0)
}
