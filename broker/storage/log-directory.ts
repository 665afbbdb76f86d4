/**
 * One of `log.dirs`: its lock, its clean-shutdown mark, its checkpoints, and the partition directories in it.
 *
 *   .kafka_cleanshutdown   {"version":0,"brokerEpoch":N}: all was flushed and closed; gone while a broker runs
 */
import { randomBytes } from 'node:crypto'
import type { Logger } from '../runtime/logger.ts'
import { SerialQueue } from '../runtime/queue.ts'
import {
  checkpointNumber,
  CorruptCheckpointError,
  readCheckpoint,
  writeCheckpoint,
} from './checkpoint-file.ts'
import { Completeness } from './completeness.ts'
import type { DirectoryHealth } from './directory-health.ts'
import type { DirectoryLock } from './directory-lock.ts'
import {
  deletedDirectoryName,
  isDeletedDirectory,
  parseFutureDirectory,
  parsePartitionDirectory,
  partitionDirectoryName,
  type TopicPartition,
} from './file-names.ts'
import { type Files, replaceFile } from './files.ts'
import type { PartitionLog } from './partition-log.ts'
import { writePartitionMetadata } from './partition-metadata.ts'

const CLEAN_SHUTDOWN = '.kafka_cleanshutdown'
const RECOVERY_POINTS = 'recovery-point-offset-checkpoint'
const START_OFFSETS = 'log-start-offset-checkpoint'
const HIGH_WATERMARKS = 'replication-offset-checkpoint'
const COMPACTION_ENDS = 'cleaner-offset-checkpoint'
/** Kafka's own metadata log, should it have used this directory: its name is a partition's, its content is not. */
const FOREIGN = new Set(['__cluster_metadata-0'])
const MAX_QUEUED_CHECKPOINTS = 10_000

export interface PartitionOffset extends TopicPartition {
  readonly offset: number
}

export class LogDirectory {
  readonly path: string
  readonly health: DirectoryHealth
  readonly logs = new Map<string, PartitionLog>()
  /** Copies that are being made here of logs in other directories; under the name of the partition as well. */
  readonly futures = new Map<string, PartitionLog>()
  /** Logs that are on their way into `logs`. */
  beingMade = 0
  readonly stoppedCleanly: boolean
  readonly completeness: Completeness
  /** What the checkpoints said at the start, by partition directory name. */
  readonly recoveryPoints: Map<string, number>
  readonly startOffsets: Map<string, number>
  readonly highWatermarks: Map<string, number>
  readonly compactionEnds: Map<string, number>
  readonly #files: Files
  readonly #logger: Logger
  readonly #lock: DirectoryLock
  readonly #checkpoints = new SerialQueue(MAX_QUEUED_CHECKPOINTS)
  #queuedCheckpoint: Promise<void> | undefined

  /** Takes over a locked directory: reads its checkpoints and takes its clean-shutdown mark away. */
  constructor(o: {
    health: DirectoryHealth
    lock: DirectoryLock
    files: Files
    logger: Logger
    bootId: string | undefined
  }) {
    this.health = o.health
    this.path = o.health.path
    this.#files = o.files
    this.#logger = o.logger
    this.#lock = o.lock
    this.recoveryPoints = this.#readOffsets(RECOVERY_POINTS)
    this.startOffsets = this.#readOffsets(START_OFFSETS)
    this.highWatermarks = this.#readOffsets(HIGH_WATERMARKS)
    this.compactionEnds = this.#readOffsets(COMPACTION_ENDS)
    const mark = `${this.path}/${CLEAN_SHUTDOWN}`
    this.stoppedCleanly = o.files.exists(mark)
    const { files, bootId } = o
    this.completeness = new Completeness({
      files,
      bootId,
      directory: this.path,
      stoppedCleanly: this.stoppedCleanly,
    })
    o.files.remove(mark)
  }

  /** A damaged checkpoint counts as none: recovery then reads more, followers start lower; nothing is lost. */
  #readOffsets(name: string): Map<string, number> {
    const path = `${this.path}/${name}`
    try {
      return new Map(
        readCheckpoint(this.#files, path, 3).map(([topic, partition, offset]) => [
          partitionDirectoryName(topic!, checkpointNumber(partition!, path)),
          checkpointNumber(offset!, path),
        ]),
      )
    } catch (error) {
      if (!(error instanceof CorruptCheckpointError)) throw error
      this.#logger.warn({ path, reason: error.message }, 'checkpoint unreadable, taken as empty')
      return new Map()
    }
  }

  /** The partitions found; removes what an earlier deletion left, and leaves alone what is not known. */
  partitions(): TopicPartition[] {
    const found: TopicPartition[] = []
    for (const { name, isDirectory } of this.#files.list(this.path)) {
      if (!isDirectory) continue
      const partition = FOREIGN.has(name) ? undefined : parsePartitionDirectory(name)
      if (parseFutureDirectory(name) !== undefined) continue
      if (isDeletedDirectory(name)) {
        this.#files.remove(`${this.path}/${name}`)
        this.#logger.info({ directory: `${this.path}/${name}` }, 'deleted partition removed')
      } else if (partition === undefined) {
        this.#logger.warn({ directory: `${this.path}/${name}` }, 'directory is not a partition, left alone')
      } else found.push(partition)
    }
    return found
  }

  /** The copies that were being made here. */
  futurePartitions(): (TopicPartition & { readonly path: string })[] {
    return this.#files.list(this.path).flatMap(({ name, isDirectory }) => {
      const at = isDirectory ? parseFutureDirectory(name) : undefined
      return at === undefined ? [] : { ...at, path: `${this.path}/${name}` }
    })
  }

  partitionPath({ topic, partition }: TopicPartition): string {
    return `${this.path}/${partitionDirectoryName(topic, partition)}`
  }

  /** A new partition's directory, with the id of its topic. Rejects with KAFKA_STORAGE_ERROR, and nothing is left. */
  makePartition(at: TopicPartition, topicId: string): Promise<void> {
    return this.makeDirectory(this.partitionPath(at), topicId)
  }

  /** The same with another name. */
  async makeDirectory(path: string, topicId: string): Promise<void> {
    try {
      this.#files.makeDirectory(path)
      await this.#files.syncDirectory(this.path)
      await writePartitionMetadata(this.#files, path, topicId)
    } catch (error) {
      throw this.health.failedWrite(path, error, () => this.#files.remove(path))
    }
  }

  /** What the checkpoints say of a partition that was deleted must not be taken for a new one of its name. */
  forget(name: string): void {
    for (const offsets of [
      this.recoveryPoints,
      this.startOffsets,
      this.highWatermarks,
      this.compactionEnds,
    ]) {
      offsets.delete(name)
    }
  }

  /** Gives the partition's directory, or that at `from`, a name under which it is never opened again; returns its path. */
  async renameDeleted({ topic, partition }: TopicPartition, from?: string): Promise<string> {
    const name = deletedDirectoryName(topic, partition, randomBytes(16).toString('hex'))
    const path = `${this.path}/${name}`
    this.#files.rename(from ?? this.partitionPath({ topic, partition }), path)
    await this.#files.syncDirectory(this.path)
    return path
  }

  /** Gives a copy the name of the partition. */
  async takePlace(future: string, at: TopicPartition): Promise<void> {
    this.#files.rename(future, this.partitionPath(at))
    await this.#files.syncDirectory(this.path)
  }

  remove(path: string): void {
    this.#files.remove(path)
  }

  /** Writes the recovery points, start offsets and ends of compaction of all logs, as they are when the turn comes. */
  checkpoint(): Promise<void> {
    this.#queuedCheckpoint ??= this.#checkpoints.run(async () => {
      this.#queuedCheckpoint = undefined
      const logs = [...this.logs.values(), ...this.futures.values()]
      const entry = (log: PartitionLog, offset: number) => ({
        topic: log.topic,
        partition: log.partition,
        offset,
      })
      await this.#writeOffsets(
        RECOVERY_POINTS,
        logs.map((log) => entry(log, log.recoveryPoint)),
      )
      const raised = logs.filter((log) => log.logStartOffset > log.firstSegmentOffset)
      await this.#writeOffsets(
        START_OFFSETS,
        raised.map((log) => entry(log, log.logStartOffset)),
      )
      const compacted = logs.filter((log) => log.compactedUpTo > 0)
      await this.#writeOffsets(
        COMPACTION_ENDS,
        compacted.map((log) => entry(log, log.compactedUpTo)),
      )
    })
    return this.#queuedCheckpoint
  }

  /** Replaces the checkpoint of high watermarks. */
  checkpointHighWatermarks(entries: readonly PartitionOffset[]): Promise<void> {
    return this.#checkpoints.run(() => this.#writeOffsets(HIGH_WATERMARKS, entries))
  }

  async #writeOffsets(name: string, entries: readonly PartitionOffset[]): Promise<void> {
    const path = `${this.path}/${name}`
    this.health.mustBeOnline()
    try {
      const lines = entries.map(({ topic, partition, offset }) => [topic, partition, offset])
      await writeCheckpoint(this.#files, path, lines)
    } catch (error) {
      // The old file is replaced once the new one is complete.
      throw this.health.failedWrite(path, error)
    }
  }

  /** All logs are closed: leaves the checkpoints and the mark, unless the directory failed, and unlocks. */
  async close(brokerEpoch: number): Promise<void> {
    try {
      if (!this.health.isOnline) return
      await this.checkpoint()
      const mark = JSON.stringify({ version: 0, brokerEpoch })
      await replaceFile(this.#files, `${this.path}/${CLEAN_SHUTDOWN}`, mark)
    } finally {
      await this.#checkpoints.close()
      this.#lock.release()
    }
  }

  /** Unlocks and leaves no mark: the next start recovers. */
  abandon(): void {
    for (const log of [...this.logs.values(), ...this.futures.values()]) log.abandon()
    this.#lock.release()
  }

  /** Lets go of a directory that failed: whoever waits for it, its files and its lock, so that it can be unmounted. */
  async release(): Promise<void> {
    for (const log of [...this.logs.values(), ...this.futures.values()]) await log.settle()
    await this.#checkpoints.close()
    this.abandon()
  }
}
