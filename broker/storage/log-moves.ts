/**
 * Logs on their way from one log directory of this broker to another (KIP-113). The copy is a log of its own, the
 * *future* one, under Kafka's names, until it has everything and takes the place of the *current* one:
 *
 *   b/t-0.<32 hex>-future     the copy, while it is being made; found at a start, it is gone on with
 *   a/t-0/moving-to           "b": from here on, if b/t-0 is there, this one has been replaced
 *   b/t-0                     the copy in its place
 *   a/t-0.<32 hex>-delete     what was moved, until its files are removed
 *
 * One complete log is named t-0 at any time. A crash between the last two steps leaves two, and `moving-to` tells the
 * next start which of them counts; without it two would be an error that a person must resolve.
 */
import { randomBytes } from 'node:crypto'
import type { TopicConfig } from '../config/topic-config.ts'
import { KafkaError } from '../protocol/errors.ts'
import type { Logger } from '../runtime/logger.ts'
import type { DirectoryHealth } from './directory-health.ts'
import { futureDirectoryName, partitionDirectoryName, type TopicPartition } from './file-names.ts'
import { type Files, replaceFile } from './files.ts'
import { DuplicatePartitionError } from './log-directories.ts'
import type { LogDirectory } from './log-directory.ts'
import { readPartitionMetadata } from './partition-metadata.ts'
import type { PartitionLog } from './partition-log.ts'

const MOVING_TO = 'moving-to'

export interface LogToOpen extends TopicPartition {
  readonly topicId: string
  readonly topicConfig: TopicConfig
}

/** How a log is opened other than as the checkpoints say. */
export interface OpenAt {
  /** Of the log; that of the partition in the directory unless given. */
  readonly path?: string
  /** It was closed just now, and begins there. */
  readonly closedWithStart?: number
}

export interface LogMovesOptions {
  readonly files: Files
  readonly logger: Logger
  /** Every one of log.dirs. */
  readonly healths: () => readonly DirectoryHealth[]
  /** Those that are online. */
  readonly directories: () => readonly LogDirectory[]
  readonly current: Map<string, PartitionLog>
  readonly open: (directory: LogDirectory, log: LogToOpen, at?: OpenAt) => Promise<PartitionLog>
  /** Makes `log` the current one of its partition. */
  readonly add: (directory: LogDirectory, log: PartitionLog) => void
  readonly removeLater: (directory: LogDirectory, path: string) => void
}

/** The copy has taken the place of the log; `discard` lets go of that one, which can still be read until then. */
export interface Promoted {
  readonly log: PartitionLog
  readonly discard: () => Promise<void>
}

export class LogMoves {
  readonly #o: LogMovesOptions
  /** Where logs that do not exist yet are to be made, by partition directory name. */
  readonly #preferred = new Map<string, string>()

  constructor(options: LogMovesOptions) {
    this.#o = options
  }

  /** The directory of log.dirs with this path. Throws LOG_DIR_NOT_FOUND, KAFKA_STORAGE_ERROR. */
  target(path: string): LogDirectory {
    const health = this.#o.healths().find((candidate) => candidate.path === path)
    if (health === undefined) {
      const dirs = this.#o.healths().map((known) => known.path)
      throw new KafkaError('LOG_DIR_NOT_FOUND', `${path} is not one of log.dirs: ${dirs.join(', ')}`)
    }
    health.mustBeOnline()
    return this.#o.directories().find((directory) => directory.path === path)!
  }

  /** A log of this name that is made later is made there. */
  prefer(topic: string, partition: number, path: string): void {
    this.#preferred.set(partitionDirectoryName(topic, partition), path)
  }

  /** Of the online directories the preferred one, else that with the fewest partitions. */
  chooseFor(topic: string, partition: number): LogDirectory {
    const name = partitionDirectoryName(topic, partition)
    const preferred = this.#preferred.get(name)
    this.#preferred.delete(name)
    const directories = this.#o.directories()
    const count = ({ logs, futures, beingMade }: LogDirectory): number => logs.size + futures.size + beingMade
    const chosen =
      directories.find(({ path }) => path === preferred) ??
      directories.toSorted((a, b) => count(a) - count(b))[0]
    if (chosen === undefined) throw new KafkaError('KAFKA_STORAGE_ERROR', 'all log directories are offline')
    return chosen
  }

  /** The copy that is being made of a log, and where. */
  future(topic: string, partition: number): { log: PartitionLog; directory: LogDirectory } | undefined {
    const name = partitionDirectoryName(topic, partition)
    for (const directory of this.#o.directories()) {
      const log = directory.futures.get(name)
      if (log !== undefined) return { log, directory }
    }
    return undefined
  }

  /** Whether `log` lies in the directory with this path. */
  isIn(log: PartitionLog, path: string): boolean {
    return this.#directoryOf(log)?.path === path
  }

  #directoryOf(log: PartitionLog): LogDirectory | undefined {
    const name = partitionDirectoryName(log.topic, log.partition)
    return this.#o.directories().find(({ logs }) => logs.get(name) === log)
  }

  /** Begins an empty copy of `log`. Rejects with KAFKA_STORAGE_ERROR. */
  async createFuture(log: PartitionLog, target: LogDirectory): Promise<PartitionLog> {
    const { topic, partition, topicId } = log
    const path = `${target.path}/${futureDirectoryName(topic, partition, randomBytes(16).toString('hex'))}`
    await target.makeDirectory(path, topicId)
    const name = partitionDirectoryName(topic, partition)
    target.forget(name)
    const future = await this.#o.open(target, log, { path, closedWithStart: 0 })
    target.futures.set(name, future)
    // What the checkpoints may say of a log of this name that was here before would be believed at the next start.
    await target.checkpoint()
    return future
  }

  /** Gives a copy up; without one nothing is done. */
  async dropFuture(topic: string, partition: number): Promise<void> {
    const found = this.future(topic, partition)
    if (found === undefined) return
    found.directory.futures.delete(partitionDirectoryName(topic, partition))
    await this.#discard(found.directory, found.log)
  }

  async #discard(directory: LogDirectory, log: PartitionLog): Promise<void> {
    await log.settle()
    log.abandon()
    if (!directory.health.isOnline) return
    try {
      this.#o.removeLater(directory, await directory.renameDeleted(log, log.directory))
    } catch (error) {
      throw directory.health.failure(log.directory, error)
    }
  }

  /**
   * Puts the copy, which has everything, in the place of `current`, to which nobody appends. Rejects with
   * KAFKA_STORAGE_ERROR; the copy is given up then, and the current log goes on unless its own directory went offline.
   */
  async promote(current: PartitionLog): Promise<Promoted> {
    const { topic, partition } = current
    const name = partitionDirectoryName(topic, partition)
    const from = this.#directoryOf(current)
    const found = this.future(topic, partition)
    if (from === undefined || found === undefined) {
      throw new KafkaError('KAFKA_STORAGE_ERROR', `${name} or its copy is not here any more`)
    }
    const { log: future, directory: to } = found
    const closedWithStart = future.logStartOffset
    await this.#mark(from, current, to.path)
    to.futures.delete(name)
    let log: PartitionLog
    try {
      await future.close()
      await to.takePlace(future.directory, current)
      log = await this.#o.open(to, current, { closedWithStart })
    } catch (error) {
      const failure = to.health.failure(future.directory, error)
      await this.#unmark(from, current)
      await this.#discard(to, future)
      throw failure
    }
    from.logs.delete(name)
    from.forget(name)
    this.#o.add(to, log)
    await to.checkpoint().catch((err: unknown) => {
      this.#o.logger.warn(
        { directory: to.path, err },
        'checkpoint failed after a move, the next one will follow',
      )
    })
    return { log, discard: () => this.#discard(from, current) }
  }

  async #mark(directory: LogDirectory, log: PartitionLog, path: string): Promise<void> {
    try {
      await replaceFile(this.#o.files, `${log.directory}/${MOVING_TO}`, path)
    } catch (error) {
      throw directory.health.failedWrite(log.directory, error)
    }
  }

  async #unmark(directory: LogDirectory, log: Pick<PartitionLog, 'directory'>): Promise<void> {
    try {
      this.#o.files.remove(`${log.directory}/${MOVING_TO}`)
      await this.#o.files.syncDirectory(log.directory)
    } catch (error) {
      throw directory.health.failure(log.directory, error)
    }
  }

  // At the start

  /**
   * Whether the partition that was found in `directory` is to be opened. One that was replaced by its copy just when
   * the broker died is removed; one whose copy may be in a directory that is offline is left alone.
   */
  async isCurrent(directory: LogDirectory, at: TopicPartition): Promise<boolean> {
    const path = directory.partitionPath(at)
    const target = this.#o.files.readFile(`${path}/${MOVING_TO}`)?.toString()
    if (target === undefined) return true
    const isKnown = this.#o.healths().find((health) => health.path === target)
    const fields = { directory: path, target }
    if (isKnown?.isOnline === false) {
      this.#o.logger.warn(fields, 'partition was being moved to a directory that is offline: not served')
      return false
    }
    if (
      isKnown !== undefined &&
      this.#o.files.exists(`${target}/${partitionDirectoryName(at.topic, at.partition)}`)
    ) {
      this.#o.logger.info(fields, 'partition was moved when the broker stopped, the former log is removed')
      this.#o.removeLater(directory, await directory.renameDeleted(at))
      return false
    }
    await this.#unmark(directory, { directory: path })
    return true
  }

  /**
   * Which of two logs of one partition stays: one that never held a record was being made when its directory failed, and
   * another was made in its place. True when `log` does; the other one is removed. Rejects with DuplicatePartitionError.
   */
  async supersedes(log: PartitionLog, directory: LogDirectory, other: PartitionLog): Promise<boolean> {
    if (log.logEndOffset === 0) {
      await this.#discard(directory, log)
      return false
    }
    const otherDirectory = this.#directoryOf(other)
    if (other.logEndOffset > 0 || otherDirectory === undefined) {
      log.abandon()
      throw new DuplicatePartitionError(
        `${log.directory} and ${other.directory} hold the same partition: move one of them out of log.dirs`,
      )
    }
    otherDirectory.logs.delete(partitionDirectoryName(other.topic, other.partition))
    await this.#discard(otherDirectory, other)
    return true
  }

  /** Opens the copies that were being made in `directory`, and removes those that nothing can come of. */
  async reopenFutures(directory: LogDirectory): Promise<void> {
    for (const { path, ...at } of directory.futurePartitions()) {
      const current = this.#o.current.get(partitionDirectoryName(at.topic, at.partition))
      const isOffline = this.#o.healths().some(({ isOnline }) => !isOnline)
      const isWanted =
        current !== undefined &&
        !this.isIn(current, directory.path) &&
        this.future(at.topic, at.partition) === undefined &&
        readPartitionMetadata(this.#o.files, path) === current.topicId
      if (isWanted) {
        const name = partitionDirectoryName(at.topic, at.partition)
        directory.futures.set(name, await this.#o.open(directory, current, { path }))
      } else if (current !== undefined || !isOffline) {
        this.#o.logger.warn({ directory: path }, 'copy of a log that is not here, removed')
        this.#o.removeLater(directory, await directory.renameDeleted(at, path))
      }
    }
  }
}
