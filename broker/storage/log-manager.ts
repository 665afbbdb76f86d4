/**
 * All partition logs of one broker, in all its log directories. Opening it locks the directories, checks that they
 * belong to this cluster and node, and recovers every log in them; closing it leaves the clean-shutdown marks. A
 * directory that fails goes offline with its logs, which are then not here any more, and the others go on.
 */
import type { Config } from '../config/config.ts'
import type { TopicConfig } from '../config/topic-config.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/logger.ts'
import { repeat } from '../runtime/repeat.ts'
import type { DirectoryHealth } from './directory-health.ts'
import type { DirectoryLock } from './directory-lock.ts'
import type { DirectoryLoss, DirectoryView } from './directory-view.ts'
import { DiskReserve } from './disk-reserve.ts'
import { bootIdOfMachine } from './completeness.ts'
import { type MeasureSpace, measureSpace } from './disk-space.ts'
import { partitionDirectoryName, type TopicPartition } from './file-names.ts'
import { pooledFiles } from './file-pool.ts'
import { type Files, nodeFiles } from './files.ts'
import { type LogToOpen, LogMoves, type OpenAt } from './log-moves.ts'
import { takeOverDirectories, unlessOffline } from './log-directories.ts'
import type { LogDirectory, PartitionOffset } from './log-directory.ts'
import { readPartitionMetadata, ZERO_TOPIC_ID } from './partition-metadata.ts'
import { PartitionLog } from './partition-log.ts'

export interface LogManagerOptions {
  readonly dirs: readonly string[]
  readonly config: Config
  readonly clusterId: string
  readonly nodeId: number
  readonly clock: Clock
  readonly logger: Logger
  /** From 0 to 1; Math.random unless given. */
  readonly random?: () => number
  readonly files?: Files
  readonly lock?: (directory: string) => DirectoryLock
  /** Free space is that of the real file systems unless given. */
  readonly measure?: MeasureSpace
  /** What a topic overrides, as far as the quorum knows; nothing unless given. */
  readonly overridesOf?: (topic: string) => ReadonlyMap<string, string>
  /** Of the boot of the machine, as the system tells it, unless given. */
  readonly bootId?: string | undefined
  /** Whether the quorum knows this topic id: tells, should meta.properties be foreign, what is likely wrong. */
  readonly knowsTopic?: (topicId: string) => boolean
  /** The partitions of which the quorum has no other replica in sync: their absence means a loss. */
  readonly soleReplicas?: () => readonly TopicPartition[]
}

export class LogManager {
  readonly #o: LogManagerOptions
  readonly #files: Files
  readonly #logger: Logger
  readonly #measure: MeasureSpace
  readonly #logs = new Map<string, PartitionLog>()
  readonly #cancels = new Set<() => void>()
  readonly #listeners = new Set<(loss: DirectoryLoss) => void>()
  readonly #releases = new Set<Promise<void>>()
  /** Logs on their way to another directory. */
  readonly moves: LogMoves
  /** One for each of log.dirs. */
  #healths: readonly DirectoryHealth[] = []
  /** Those that are online. */
  #directories: readonly LogDirectory[] = []
  #offlineAtStart: readonly string[] = []
  #reserve: DiskReserve | undefined

  /**
   * Rejects with DirectoryLockedError, MetaPropertiesError or DuplicatePartitionError, or when no directory can be
   * used; nothing stays locked then.
   */
  static async open(options: LogManagerOptions): Promise<LogManager> {
    const manager = new LogManager(options)
    try {
      await manager.#open()
      return manager
    } catch (error) {
      for (const directory of manager.#directories) directory.abandon()
      await Promise.all(manager.#releases)
      throw error
    }
  }

  private constructor(options: LogManagerOptions) {
    this.#o = options
    this.#files = pooledFiles(options.files ?? nodeFiles)
    this.#measure = options.measure ?? measureSpace
    this.#logger = options.logger.child({ part: 'storage' })
    this.moves = new LogMoves({
      files: this.#files,
      logger: this.#logger,
      healths: () => this.#healths,
      directories: () => this.#directories,
      current: this.#logs,
      open: (directory, log, at) => this.#openLog(directory, log, at),
      add: (directory, log) => this.#addLog(directory, log),
      removeLater: (directory, path) => this.#removeLater(directory, path),
    })
  }

  async #open(): Promise<void> {
    const { dirs, clusterId, nodeId, knowsTopic, soleReplicas, lock } = this.#o
    const { healths, directories } = await takeOverDirectories({
      dirs,
      clusterId,
      nodeId,
      files: this.#files,
      lock,
      knowsTopic,
      soleReplicas,
      logger: this.#logger,
      onOffline: (health) => this.#wentOffline(health),
      bootId: this.#o.bootId ?? bootIdOfMachine(),
    })
    this.#healths = healths
    this.#directories = directories
    for (const directory of directories) {
      await unlessOffline(directory.health, () => this.#openLogs(directory))
    }
    for (const directory of directories) {
      await unlessOffline(directory.health, () => this.moves.reopenFutures(directory))
    }
    const reasons = healths.flatMap(({ offlineReason }) => offlineReason ?? [])
    if (reasons.length === healths.length) {
      throw new Error(`no log directory can be used: ${reasons.join('; ')}`)
    }
    this.#offlineAtStart = healths.filter(({ isOnline }) => !isOnline).map(({ path }) => path)
    this.#scheduleUpkeep()
    await this.#keepReserve()
  }

  /**
   * The revision of the metadata since which no record can have been lost here; undefined: some may have been in the
   * start of the machine.
   */
  completeSince(): number | undefined {
    let latest = 0
    for (const { completeness } of this.#directories) {
      if (completeness.since === undefined) return undefined
      latest = Math.max(latest, completeness.since)
    }
    return latest
  }

  /** The broker takes part again since `revision`: from there on its directories are complete. */
  async confirmComplete(revision: number): Promise<void> {
    for (const directory of this.#directories) {
      await unlessOffline(directory.health, () => directory.completeness.confirm(revision))
    }
  }

  /** As far as a directory that has failed lets itself be written to. */
  #distrust(failed: LogDirectory | undefined): void {
    try {
      failed?.completeness.forget()
    } catch (error) {
      this.#logger.debug({ directory: failed?.path, err: error }, 'the failed directory cannot be marked')
    }
  }

  async #keepReserve(): Promise<void> {
    const { config, clock } = this.#o
    this.#reserve = new DiskReserve({
      directories: this.#directories.map(({ health }) => health),
      limits: () => ({
        percent: config.get('disk.reserve.percent'),
        minBytes: config.get('disk.reserve.min.bytes'),
      }),
      measure: this.#measure,
      clock,
      logger: this.#logger,
    })
    await this.#reserve.start()
  }

  #wentOffline(health: DirectoryHealth): void {
    const failed = this.#directories.find((directory) => directory.health === health)
    this.#directories = this.#directories.filter((directory) => directory !== failed)
    const logs = [...(failed?.logs ?? [])]
    for (const [name] of logs) this.#logs.delete(name)
    if (failed !== undefined) this.#release(failed)
    this.#distrust(failed)
    const loss = {
      directory: health.path,
      logs: logs.map(([, log]) => log),
      remaining: this.#directories.length,
    }
    for (const listener of this.#listeners) listener(loss)
  }

  #release(directory: LogDirectory): void {
    const released = directory
      .release()
      .catch((err: unknown) => {
        this.#logger.warn({ directory: directory.path, err }, 'files of the offline log directory stay open')
      })
      .finally(() => this.#releases.delete(released))
    this.#releases.add(released)
  }

  async #openLogs(directory: LogDirectory): Promise<void> {
    const startedMs = this.#o.clock.monotonicMs()
    const partitions = directory.partitions()
    await this.#files.syncDirectory(directory.path)
    const overridesOf = this.#o.overridesOf ?? (() => new Map<string, string>())
    for (const at of partitions) {
      if (!(await this.moves.isCurrent(directory, at))) continue
      const topicId = readPartitionMetadata(this.#files, directory.partitionPath(at)) ?? ZERO_TOPIC_ID
      const topicConfig = this.#o.config.topic(overridesOf(at.topic))
      const log = await this.#openLog(directory, { ...at, topicId, topicConfig })
      const other = this.get(at.topic, at.partition)
      if (other === undefined || (await this.moves.supersedes(log, directory, other))) {
        this.#addLog(directory, log)
      }
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
    { topic, partition, topicId, topicConfig }: LogToOpen,
    { path, closedWithStart }: OpenAt = {},
  ): Promise<PartitionLog> {
    const at = { topic, partition }
    const name = partitionDirectoryName(topic, partition)
    const log = await PartitionLog.open({
      ...at,
      topicId,
      topicConfig,
      directory: path ?? directory.partitionPath(at),
      producerExpirationMs: () => this.#o.config.get('producer.id.expiration.ms'),
      files: this.#files,
      health: directory.health,
      clock: this.#o.clock,
      logger: this.#logger.child(at),
      random: this.#o.random ?? Math.random,
      recoveryPoint: closedWithStart === undefined ? (directory.recoveryPoints.get(name) ?? 0) : 0,
      logStartOffset: closedWithStart ?? directory.startOffsets.get(name) ?? 0,
      compactedUpTo: closedWithStart === undefined ? (directory.compactionEnds.get(name) ?? 0) : 0,
      stoppedCleanly: closedWithStart === undefined ? directory.stoppedCleanly : true,
      checkpoint: () => directory.checkpoint(),
    })
    if (!directory.health.isOnline) {
      log.abandon()
      directory.health.mustBeOnline()
    }
    return log
  }

  #addLog(directory: LogDirectory, log: PartitionLog): PartitionLog {
    const name = partitionDirectoryName(log.topic, log.partition)
    directory.logs.set(name, log)
    this.#logs.set(name, log)
    return log
  }

  #scheduleUpkeep(): void {
    const { config, clock } = this.#o
    const checkpointMs = (): number =>
      Math.min(
        config.get('log.flush.offset.checkpoint.interval.ms'),
        config.get('log.flush.start.offset.checkpoint.interval.ms'),
      )
    this.#cancels.add(repeat(clock, checkpointMs, () => this.#checkpoint()))
    this.#cancels.add(
      repeat(
        clock,
        () => config.get('producer.id.expiration.check.interval.ms'),
        () => {
          for (const log of this.#logs.values()) log.expireProducers()
        },
      ),
    )
  }

  #checkpoint(): void {
    for (const directory of this.#directories) {
      directory.checkpoint().catch((error: unknown) => {
        this.#logger.error({ directory: directory.path, err: error }, 'checkpoint failed')
      })
    }
  }

  /** Those of log.dirs that could not be used when the broker started: nobody knows what they hold. */
  get offlineAtStart(): readonly string[] {
    return this.#offlineAtStart
  }

  /** Calls `listener` at once when a log directory goes offline; the result unsubscribes it. */
  onOffline(listener: (loss: DirectoryLoss) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Every one of log.dirs, in order. */
  get healths(): readonly DirectoryHealth[] {
    return this.#healths
  }

  /** Every one of log.dirs with what it holds, its space measured now. */
  describe(): Promise<DirectoryView[]> {
    return Promise.all(
      this.#healths.map(async ({ path, isOnline }) => {
        const space = isOnline ? await this.#measure(path).catch(() => undefined) : undefined
        const directory = this.#directories.find((candidate) => candidate.path === path)
        return {
          path,
          isOnline: directory !== undefined,
          totalBytes: space?.totalBytes ?? -1,
          usableBytes: space?.usableBytes ?? -1,
          logs: [...(directory?.logs.values() ?? [])],
          futures: [...(directory?.futures.values() ?? [])],
        }
      }),
    )
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
    const directory = this.moves.chooseFor(topic, partition)
    directory.beingMade += 1
    try {
      await directory.makePartition({ topic, partition }, topicId)
      const made = { topic, partition, topicId, topicConfig }
      return this.#addLog(directory, await this.#openLog(directory, made, { closedWithStart: 0 }))
    } finally {
      directory.beingMade -= 1
    }
  }

  /** Takes the log away at once; its files go after `log.segment.delete.delay.ms`. An unknown one is fine. */
  async delete(topic: string, partition: number): Promise<void> {
    const name = partitionDirectoryName(topic, partition)
    const log = this.#logs.get(name)
    const directory = this.#directories.find(({ logs }) => logs.get(name) === log)
    if (log === undefined || directory === undefined) return
    await this.moves.dropFuture(topic, partition)
    this.#logs.delete(name)
    directory.logs.delete(name)
    directory.forget(name)
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
      if (!directory.health.isOnline) return
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
      this.#directories.map((directory) =>
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
    this.#reserve?.close()
    for (const cancel of this.#cancels) cancel()
    for (const directory of this.#directories) await this.#closeDirectory(directory, brokerEpoch)
    await Promise.all(this.#releases)
  }

  async #closeDirectory(directory: LogDirectory, brokerEpoch: number): Promise<void> {
    const results = await Promise.allSettled(
      [...directory.logs.values(), ...directory.futures.values()].map((log) => log.close()),
    )
    const failed = results.find((result) => result.status === 'rejected')
    // One that failed meanwhile is let go of by itself.
    if (!directory.health.isOnline) return
    if (failed === undefined) return directory.close(brokerEpoch)
    this.#logger.error({ directory: directory.path, err: failed.reason }, 'log directory not closed cleanly')
    return directory.abandon()
  }
}
