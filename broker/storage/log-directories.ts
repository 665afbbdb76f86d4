/**
 * Takes over the directories of `log.dirs` when a broker starts. What is wrong with a disk (it is read-only, not
 * mounted, fails to be read) makes that directory offline, and the others serve. What is wrong with the set-up (the
 * directory is another broker's, or of another cluster) stops the start: going on would do harm.
 */
import type { Logger } from '../runtime/logger.ts'
import { DirectoryHealth } from './directory-health.ts'
import { type DirectoryLock, DirectoryLockedError, lockDirectory } from './directory-lock.ts'
import { partitionDirectoryName, type TopicPartition } from './file-names.ts'
import type { Files } from './files.ts'
import { LogDirectory } from './log-directory.ts'
import {
  checkMetaProperties,
  META_PROPERTIES,
  MetaPropertiesError,
  readMetaProperties,
  writeMetaProperties,
} from './meta-properties.ts'
import { countPartitionsIn } from './partition-metadata.ts'

export interface TakeOverOptions {
  readonly dirs: readonly string[]
  readonly clusterId: string
  readonly nodeId: number
  readonly files: Files
  readonly lock?: ((directory: string) => DirectoryLock) | undefined
  readonly knowsTopic?: ((topicId: string) => boolean) | undefined
  readonly soleReplicas?: (() => readonly TopicPartition[]) | undefined
  readonly logger: Logger
  readonly bootId: string | undefined
  readonly onOffline: (health: DirectoryHealth) => void
}

export interface TakenOver {
  /** One for each of `dirs`, in order. */
  readonly healths: readonly DirectoryHealth[]
  /** Those that are online. */
  readonly directories: readonly LogDirectory[]
}

/** Two directories claim the same partition: only the operator knows which of them is right. */
export class DuplicatePartitionError extends Error {
  override readonly name = 'DuplicatePartitionError'
}

interface Locked {
  readonly health: DirectoryHealth
  readonly lock: DirectoryLock
}

/** Rejects with DirectoryLockedError or MetaPropertiesError; nothing stays locked then. */
export async function takeOverDirectories(o: TakeOverOptions): Promise<TakenOver> {
  const healths = o.dirs.map((path) => {
    const health: DirectoryHealth = new DirectoryHealth(path, o.logger, () => o.onOffline(health))
    return health
  })
  const locked: Locked[] = []
  try {
    for (const health of healths) {
      const lock = await unlessOffline(health, () => lockAndRead(health.path, o))
      if (lock !== undefined) locked.push({ health, lock })
    }
    for (const health of withoutMount(locked, o)) leaveUnused(health, locked)
    await completeMetaProperties(locked, o)
    const directories: LogDirectory[] = []
    for (const { health, lock } of locked) {
      const { files, logger, bootId } = o
      const directory = await unlessOffline(
        health,
        () => new LogDirectory({ health, lock, files, logger, bootId }),
      )
      if (directory === undefined) lock.release()
      else directories.push(directory)
    }
    return { healths, directories }
  } catch (error) {
    for (const { lock } of locked) lock.release()
    throw error
  }
}

function lockAndRead(path: string, o: TakeOverOptions): DirectoryLock {
  o.files.makeDirectory(path)
  const lock = (o.lock ?? lockDirectory)(path)
  try {
    o.files.list(path)
    readMetaProperties(path, o.files)
    return lock
  } catch (error) {
    lock.release()
    throw error
  }
}

interface Unmounted {
  readonly health: DirectoryHealth
  readonly missing: readonly string[]
}

/**
 * Directories that are as new, while partitions that nobody else has are in none of those that are not: their file
 * systems are not mounted, as far as can be told. A broker whose directories are all new, or one with a directory that
 * cannot be read, gives no reason to think so.
 */
function withoutMount(locked: readonly Locked[], o: TakeOverOptions): Unmounted[] {
  const isNew = ({ health }: Locked): boolean => readMetaProperties(health.path, o.files) === undefined
  const used = locked.filter((candidate) => !isNew(candidate))
  if (used.length === 0 || used.length === locked.length || locked.length < o.dirs.length) return []
  const found = new Set(locked.flatMap(({ health }) => o.files.list(health.path).map(({ name }) => name)))
  const expected = (o.soleReplicas?.() ?? []).map((at) => partitionDirectoryName(at.topic, at.partition))
  const missing = expected.filter((name) => !found.has(name))
  return missing.length === 0 ? [] : locked.filter(isNew).map(({ health }) => ({ health, missing }))
}

function leaveUnused({ health, missing }: Unmounted, locked: Locked[]): void {
  const reason =
    `it is empty, but ${missing.length} partitions that only this broker has (${missing.slice(0, 3).join(', ')}) are in none ` +
    `of log.dirs. Mount its file system and start again; to have them made anew without their records, put the line ` +
    `version=1 into ${health.path}/${META_PROPERTIES}`
  health.failure(health.path, new Error(reason))
  const at = locked.findIndex((candidate) => candidate.health === health)
  for (const { lock } of locked.splice(at, 1)) lock.release()
}

async function completeMetaProperties(locked: readonly Locked[], o: TakeOverOptions): Promise<void> {
  const { clusterId, nodeId, files, knowsTopic, logger } = o
  const directories = locked.map(({ health }) => health.path)
  const countPartitions = knowsTopic && (() => countPartitionsIn(files, directories, knowsTopic))
  for (const { directory, properties } of checkMetaProperties({
    directories,
    clusterId,
    nodeId,
    countPartitions,
    files,
  })) {
    const { health } = locked.find((candidate) => candidate.health.path === directory)!
    await unlessOffline(health, () => writeMetaProperties(directory, properties, files))
    if (health.isOnline) logger.info({ directory, clusterId, nodeId }, 'meta.properties written')
  }
}

/**
 * Does something with a directory; undefined when the directory is or goes offline. Rejects with errors that stop the
 * start.
 */
export async function unlessOffline<T>(
  health: DirectoryHealth,
  action: () => T | Promise<T>,
): Promise<T | undefined> {
  if (!health.isOnline) return undefined
  try {
    return await action()
  } catch (error) {
    const stopsTheStart =
      error instanceof DirectoryLockedError ||
      error instanceof MetaPropertiesError ||
      error instanceof DuplicatePartitionError
    if (stopsTheStart) throw error
    health.failure(health.path, error)
    return undefined
  }
}
