/**
 * `.lock` in each log directory: one broker at a time. The lock is the kernel's (POSIX, through SQLite, which ships
 * with Node and takes it on an empty file without writing to it), so it goes with its process, however that ends.
 * Apache Kafka locks the same file in the same way: each refuses to start on a directory that the other one uses.
 */
import { readFileSync, statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'

const FILE = '.lock'
const SQLITE_BUSY = 5

export interface DirectoryLock {
  release(): void
}

/** Another process uses the directory. */
export class DirectoryLockedError extends Error {
  override readonly name = 'DirectoryLockedError'
}

/** Takes the lock or throws DirectoryLockedError, which names the directory and, where known, the process. */
export function lockDirectory(directory: string): DirectoryLock {
  const path = `${directory}/${FILE}`
  const database = new DatabaseSync(path, { timeout: 0 })
  try {
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
  } catch (error) {
    database.close()
    if ((error as { errcode?: number }).errcode !== SQLITE_BUSY) {
      const advice =
        statSync(path).size > 0 ? ': it should be empty, remove it while no broker runs here' : ''
      throw new Error(`${path} cannot be locked: ${(error as Error).message}${advice}`, { cause: error })
    }
    throw new DirectoryLockedError(
      `${directory} is in use by ${ownerOf(path)}: two brokers must not share a log directory. ` +
        'Stop that one first, or give this one another log.dirs',
    )
  }
  return { release: () => database.close() }
}

/**
 * The process that holds the lock, as far as /proc tells. It does not for those of other hosts and containers, and
 * a file system that gives no locks at all (ENOLCK) looks the same to SQLite.
 */
function ownerOf(path: string): string {
  const pid = lockHolder(path)
  if (pid === undefined) {
    return 'a process that is not seen from here (of another host or container), or its file system gives no locks'
  }
  if (pid === process.pid) return `another broker in this process (pid ${pid})`
  return `the process with pid ${pid}${commandOf(pid)}`
}

function lockHolder(path: string): number | undefined {
  const inode = statSync(path).ino
  const row = (readText('/proc/locks') ?? '')
    .split('\n')
    .map((line) => /POSIX\s+ADVISORY\s+WRITE\s+(\d+)\s+[0-9a-f]+:[0-9a-f]+:(\d+)\s/.exec(line))
    .find((match) => match !== null && Number(match[2]) === inode)
  return row?.[1] === undefined || row[1] === '0' ? undefined : Number(row[1])
}

function commandOf(pid: number): string {
  const words = (readText(`/proc/${pid}/cmdline`) ?? '').split('\0').filter((word) => word !== '')
  return words.length === 0 ? '' : ` (${words.join(' ').slice(0, 200)})`
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
