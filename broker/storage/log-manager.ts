/**
 * All partition logs of one broker, in all its log directories. Opening it locks the directories, checks that they
 * belong to this cluster and node, and recovers every log in them; closing it leaves the clean-shutdown marks.
 */
import type { Config } from '../config/config.ts'
import type { TopicConfig } from '../config/topic-config.ts'
import { KafkaError } from '../protocol/errors.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/logger.ts'
import { type DirectoryLock, lockDirectory } from './directory-lock.ts'
import { partitionDirectoryName, type TopicPartition } from './file-names.ts'
import { type Files, nodeFiles } from './files.ts'
import { LogDirectory, type PartitionOffset } from './log-directory.ts'
import { checkMetaProperties, writeMetaProperties } from './meta-properties.ts'
import {
  countPartitionsIn,
  readPartitionMetadata,
  writePartitionMetadata,
  ZERO_TOPIC_ID,
} from './partition-metadata.ts'
import { PartitionLog } from './partition-log.ts'

export interface LogManagerOptions {
  readonly dirs: readonly string[]
  readonly config: Config
  readonly clusterId: string
  readonly nodeId: number
  readonly clock: Clock
  readonly logger: Logger
  readonly files?: Files
  readonly lock?: (directory: string) => DirectoryLock
  /** Whether the quorum knows this topic id: tells, should meta.properties be foreign, what is likely wrong. */
  readonly knowsTopic?: (topicId: string) => boolean
  /** A log directory went offline; `remaining` are still good. A broker without any should stop. */
  readonly onDirectoryOffline?: (directory: string, remaining: number) => void
}

export class LogManager {
  readonly #o: LogManagerOptions
  readonly #files: Files
  readonly #logger: Logger
  readonly #directories: LogDirectory[] = []
  readonly #logs = new Map<string, PartitionLog>()
  readonly #cancels = new Set<() => void>()
  #cancelCheckpoint: (() => void) | undefined

  /**
   * Throws DirectoryLockedError, MetaPropertiesError, or what reading the directories fails with; nothing stays
   * locked then.
   */
  static async open(options: LogManagerOptions): Promise<LogManager> {
    const manager = new LogManager(options)
    try {
      await manager.#open()
      return manager
    } catch (error) {
      for (const directory of manager.#directories) directory.abandon()
      throw error
    }
  }

  private constructor(options: LogManagerOptions) {
    this.#o = options
    this.#files = options.files ?? nodeFiles
    this.#logger = options.logger.child({ part: 'storage' })
  }

  async #open(): Promise<void> {
    const { dirs, clusterId, nodeId, knowsTopic } = this.#o
    for (const path of dirs) this.#files.makeDirectory(path)
    const locks = this.#lockAll(dirs)
    try {
      const countPartitions = knowsTopic && (() => countPartitionsIn(this.#files, dirs, knowsTopic))
      const check = { directories: dirs, clusterId, nodeId, countPartitions, files: this.#files }
      for (const { directory, properties } of checkMetaProperties(check)) {
        await writeMetaProperties(directory, properties, this.#files)
        this.#logger.info({ directory, clusterId, nodeId }, 'meta.properties written')
      }
    } catch (error) {
      for (const lock of locks) lock.release()
      throw error
    }
    for (const [index, path] of dirs.entries()) {
      this.#directories.push(this.#takeOver(path, locks[index]!))
    }
    for (const directory of this.#directories) await this.#openLogs(directory)
    this.#scheduleCheckpoint()
  }

  #lockAll(dirs: readonly string[]): DirectoryLock[] {
    const locks: DirectoryLock[] = []
    try {
      for (const path of dirs) locks.push((this.#o.lock ?? lockDirectory)(path))
      return locks
    } catch (error) {
      for (const lock of locks) lock.release()
      throw error
    }
  }

  #takeOver(path: string, lock: DirectoryLock): LogDirectory {
    const onOffline = (): void => {
      const remaining = this.#directories.filter(({ health }) => health.isOnline).length
      this.#o.onDirectoryOffline?.(path, remaining)
    }
    return new LogDirectory({ path, lock, files: this.#files, logger: this.#logger, onOffline })
  }

  async #openLogs(directory: LogDirectory): Promise<void> {
    const startedMs = this.#o.clock.monotonicMs()
    const partitions = directory.partitions()
    await this.#files.syncDirectory(directory.path)
    const topicConfig = this.#o.config.topic(new Map())
    for (const at of partitions) {
      const other = this.get(at.topic, at.partition)
      if (other !== undefined) {
        throw new Error(
          `${directory.partitionPath(at)} and ${other.directory} hold the same partition: move one of them out of log.dirs`,
        )
      }
      const topicId = readPartitionMetadata(this.#files, directory.partitionPath(at)) ?? ZERO_TOPIC_ID
      await this.#openLog(directory, at, topicId, topicConfig, directory.stoppedCleanly)
    }
    if (!directory.stoppedCleanly && partitions.length > 0) await directory.checkpoint()
    this.#logger.info(
      {
        directory: directory.path,
        partitions: partitions.length,
        stoppedCleanly: directory.stoppedCleanly,
        tookMs: Math.round(this.#o.clock.monotonicMs() - startedMs),
      },
      'log directory opened',
    )
  }

  async #openLog(
    directory: LogDirectory,
    at: TopicPartition,
    topicId: string,
    topicConfig: TopicConfig,
    stoppedCleanly: boolean,
  ): Promise<PartitionLog> {
    const name = partitionDirectoryName(at.topic, at.partition)
    const log = await PartitionLog.open({
      ...at,
      topicId,
      topicConfig,
      directory: directory.partitionPath(at),
      producerExpirationMs: this.#o.config.get('producer.id.expiration.ms'),
      files: this.#files,
      health: directory.health,
      clock: this.#o.clock,
      logger: this.#logger.child(at),
      recoveryPoint: directory.recoveryPoints.get(name) ?? 0,
      logStartOffset: directory.startOffsets.get(name) ?? 0,
      stoppedCleanly,
      checkpoint: () => directory.checkpoint(),
    })
    directory.logs.set(name, log)
    this.#logs.set(name, log)
    return log
  }

  #scheduleCheckpoint(): void {
    const intervalMs = this.#o.config.get('log.flush.offset.checkpoint.interval.ms')
    this.#cancelCheckpoint = this.#o.clock.after(intervalMs, () => {
      for (const directory of this.#onlineDirectories()) {
        directory.checkpoint().catch((error: unknown) => {
          this.#logger.error({ directory: directory.path, err: error }, 'checkpoint failed')
        })
      }
      this.#scheduleCheckpoint()
    })
  }

  #onlineDirectories(): LogDirectory[] {
    return this.#directories.filter(({ health }) => health.isOnline)
  }

  get(topic: string, partition: number): PartitionLog | undefined {
    return this.#logs.get(partitionDirectoryName(topic, partition))
  }

  logs(): Iterable<PartitionLog> {
    return this.#logs.values()
  }

  /** Makes an empty log in the directory with the fewest partitions. Rejects with KAFKA_STORAGE_ERROR. */
  async create(
    topic: string,
    partition: number,
    topicId: string,
    topicConfig: TopicConfig,
  ): Promise<PartitionLog> {
    if (this.get(topic, partition) !== undefined) throw new Error(`${topic}-${partition} exists already`)
    const [directory] = this.#onlineDirectories().sort((a, b) => a.logs.size - b.logs.size)
    if (directory === undefined)
      throw new KafkaError('KAFKA_STORAGE_ERROR', 'all log directories are offline')
    const at = { topic, partition }
    try {
      const path = await directory.makePartition(at)
      await writePartitionMetadata(this.#files, path, topicId)
    } catch (error) {
      throw directory.health.failure(directory.partitionPath(at), error)
    }
    return this.#openLog(directory, at, topicId, topicConfig, false)
  }

  /** Takes the log away at once; its files go after `log.segment.delete.delay.ms`. An unknown one is fine. */
  async delete(topic: string, partition: number): Promise<void> {
    const name = partitionDirectoryName(topic, partition)
    const log = this.#logs.get(name)
    const directory = this.#directories.find(({ logs }) => logs.get(name) === log)
    if (log === undefined || directory === undefined) return
    this.#logs.delete(name)
    directory.logs.delete(name)
    await log.settle()
    log.abandon()
    directory.health.mustBeOnline()
    try {
      const path = await directory.renameDeleted({ topic, partition })
      this.#removeLater(directory, path)
    } catch (error) {
      throw directory.health.failure(directory.partitionPath({ topic, partition }), error)
    }
  }

  #removeLater(directory: LogDirectory, path: string): void {
    const cancel = this.#o.clock.after(this.#o.config.get('log.segment.delete.delay.ms'), () => {
      this.#cancels.delete(cancel)
      try {
        directory.remove(path)
      } catch (error) {
        this.#logger.warn(
          { directory: path, err: error },
          'deleted partition not removed, the next start will',
        )
      }
    })
    this.#cancels.add(cancel)
  }

  /** As checkpointed before this start; 0 when unknown. */
  highWatermark(topic: string, partition: number): number {
    const name = partitionDirectoryName(topic, partition)
    const directory = this.#directories.find(({ logs }) => logs.has(name))
    return directory?.highWatermarks.get(name) ?? 0
  }

  /** `entries`: all partitions of this broker; each goes to the checkpoint of its log directory. */
  async checkpointHighWatermarks(entries: readonly PartitionOffset[]): Promise<void> {
    await Promise.all(
      this.#onlineDirectories().map((directory) =>
        directory.checkpointHighWatermarks(
          entries.filter(({ topic, partition }) =>
            directory.logs.has(partitionDirectoryName(topic, partition)),
          ),
        ),
      ),
    )
  }

  /** Flushes and closes every log, writes the checkpoints, leaves the clean-shutdown marks, unlocks. */
  async close(brokerEpoch = -1): Promise<void> {
    this.#cancelCheckpoint?.()
    for (const cancel of this.#cancels) cancel()
    for (const directory of this.#directories) await this.#closeDirectory(directory, brokerEpoch)
  }

  async #closeDirectory(directory: LogDirectory, brokerEpoch: number): Promise<void> {
    const results = await Promise.allSettled([...directory.logs.values()].map((log) => log.close()))
    const failed = results.find((result) => result.status === 'rejected')
    if (failed === undefined) return directory.close(brokerEpoch)
    this.#logger.error({ directory: directory.path, err: failed.reason }, 'log directory not closed cleanly')
    return directory.abandon()
  }
}
