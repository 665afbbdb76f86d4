/**
 * The file system as storage uses it, so that a test can crash it. Reads and writes are synchronous: for the small
 * pieces of the hot path, handing a call to the thread pool costs more than the call. Only `sync` may take long.
 * A written byte survives a crash after `sync` of its file, a name after `syncDirectory` of its directory.
 */
import {
  closeSync,
  existsSync,
  fdatasync,
  fstatSync,
  fsync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writevSync,
} from 'node:fs'
import { promisify } from 'node:util'

const fdatasyncAsync = promisify(fdatasync)
const fsyncAsync = promisify(fsync)

/** Buffers in one call; the kernel's limit is 1024. */
const MAX_VECTOR = 1024

export interface OpenFile {
  readonly path: string
  size(): number
  /** Fills `target` from `position` as far as the file goes; returns the bytes read. */
  read(target: Buffer, position: number): number
  /** Writes all of `parts`, one after another, from `position` on. */
  write(parts: readonly Buffer[], position: number): void
  truncate(sizeBytes: number): void
  sync(): Promise<void>
  close(): void
}

export interface DirectoryEntry {
  readonly name: string
  readonly isDirectory: boolean
}

export interface FileStat {
  readonly sizeBytes: number
  readonly modifiedMs: number
}

export interface Files {
  /** Opens for reading and writing; creates the file if asked to and absent. */
  open(path: string, options?: { create: boolean }): OpenFile
  /** undefined when absent. */
  readFile(path: string): Buffer | undefined
  exists(path: string): boolean
  /** undefined when absent. */
  stat(path: string): FileStat | undefined
  /** Throws ENOENT when absent. */
  list(directory: string): DirectoryEntry[]
  /** With parents; one that is there already is fine. */
  makeDirectory(path: string): void
  rename(from: string, to: string): void
  /** A file, or a directory with all in it; absent is fine. */
  remove(path: string): void
  /** Makes creations, renames and removals in `directory` survive a crash. */
  syncDirectory(directory: string): Promise<void>
}

class NodeFile implements OpenFile {
  readonly path: string
  readonly #descriptor: number

  constructor(path: string, descriptor: number) {
    this.path = path
    this.#descriptor = descriptor
  }

  size(): number {
    return fstatSync(this.#descriptor).size
  }

  read(target: Buffer, position: number): number {
    let done = 0
    while (done < target.length) {
      const count = readSync(this.#descriptor, target, done, target.length - done, position + done)
      if (count === 0) break
      done += count
    }
    return done
  }

  write(parts: readonly Buffer[], position: number): void {
    let rest = parts
    let at = position
    while (rest.length > 0) {
      const written = writevSync(this.#descriptor, rest.slice(0, MAX_VECTOR), at)
      at += written
      rest = withoutFirst(rest, written)
    }
  }

  truncate(sizeBytes: number): void {
    ftruncateSync(this.#descriptor, sizeBytes)
  }

  sync(): Promise<void> {
    return fdatasyncAsync(this.#descriptor)
  }

  close(): void {
    closeSync(this.#descriptor)
  }
}

/** `parts` without their first `bytes` bytes. */
function withoutFirst(parts: readonly Buffer[], bytes: number): readonly Buffer[] {
  let index = 0
  let left = bytes
  while (index < parts.length && left >= parts[index]!.length) left -= parts[index++]!.length
  return left === 0 ? parts.slice(index) : [parts[index]!.subarray(left), ...parts.slice(index + 1)]
}

export const nodeFiles: Files = {
  open(path, options = { create: false }) {
    return new NodeFile(path, openOrCreate(path, options.create))
  },
  readFile(path) {
    try {
      return readFileSync(path)
    } catch (error) {
      if (isAbsent(error)) return undefined
      throw error
    }
  },
  exists: existsSync,
  stat(path) {
    const found = statSync(path, { throwIfNoEntry: false })
    return found && { sizeBytes: found.size, modifiedMs: found.mtimeMs }
  },
  list(directory) {
    return readdirSync(directory, { withFileTypes: true }).map((entry) => ({
      name: entry.name,
      isDirectory: entry.isDirectory(),
    }))
  },
  makeDirectory(path) {
    mkdirSync(path, { recursive: true })
  },
  rename: renameSync,
  remove(path) {
    rmSync(path, { recursive: true, force: true })
  },
  async syncDirectory(directory) {
    const descriptor = openSync(directory, 'r')
    try {
      await fsyncAsync(descriptor)
    } finally {
      closeSync(descriptor)
    }
  },
}

function openOrCreate(path: string, create: boolean): number {
  try {
    return openSync(path, 'r+')
  } catch (error) {
    if (!create || !isAbsent(error)) throw error
    return openSync(path, 'wx+')
  }
}

/** Whether a write found no space. Not so when a sync says it: what the kernel held for the file is lost then. */
export function isNoSpace(error: unknown): boolean {
  const { code, syscall } = error as NodeJS.ErrnoException
  return (code === 'ENOSPC' || code === 'EDQUOT') && syscall !== 'fsync' && syscall !== 'fdatasync'
}

function isAbsent(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT'
}

/**
 * Replaces a small file as a whole: after a crash it has the old content or the new, never a part.
 * Two replacements of one file must not overlap.
 */
export async function replaceFile(files: Files, path: string, content: Buffer | string): Promise<void> {
  const temporary = `${path}.tmp`
  files.remove(temporary)
  const file = files.open(temporary, { create: true })
  try {
    file.write([Buffer.from(content)], 0)
    await file.sync()
  } finally {
    file.close()
  }
  files.rename(temporary, path)
  await files.syncDirectory(path.slice(0, path.lastIndexOf('/')) || '/')
}
