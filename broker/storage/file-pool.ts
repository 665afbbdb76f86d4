/**
 * Files as storage uses them, with a bound on how many are open at the same time: a broker has a few files for each
 * segment of each partition, and most are not looked at for days. A file is opened by its first use; when too many
 * are open, one that was not used lately is closed, and opened again by its next use.
 */
import type { Files, OpenFile } from './files.ts'

/** Far below what systemd/broker.service allows, which sockets share. */
const MAX_OPEN_FILES = 2048

/** `files` with at most `maxOpen` files open, but for those that are being synced. */
export function pooledFiles(files: Files, maxOpen = MAX_OPEN_FILES): Files {
  const pool = new FilePool(files, maxOpen)
  return {
    open: (path, options) => pool.open(path, options?.create ?? false),
    readFile: (path) => files.readFile(path),
    exists: (path) => files.exists(path),
    stat: (path) => files.stat(path),
    list: (directory) => files.list(directory),
    makeDirectory: (path) => files.makeDirectory(path),
    rename: (from, to) => files.rename(from, to),
    remove: (path) => files.remove(path),
    syncDirectory: (directory) => files.syncDirectory(directory),
  }
}

class FilePool {
  readonly files: Files
  readonly #maxOpen: number
  /** Open files, those first that were looked at longest ago for whether they are in use. */
  readonly #open = new Set<PooledFile>()

  constructor(files: Files, maxOpen: number) {
    this.files = files
    this.#maxOpen = maxOpen
  }

  /** A file that is to be created is so at once, others are opened by their first use. */
  open(path: string, create: boolean): OpenFile {
    const file = new PooledFile(this, path)
    if (create) file.use(true)
    return file
  }

  add(file: PooledFile): void {
    this.#open.add(file)
  }

  forget(file: PooledFile): void {
    this.#open.delete(file)
  }

  /** Closes a file if too many are open; one used since it was looked at last is passed over once. */
  makeRoom(): void {
    if (this.#open.size < this.#maxOpen) return
    let left = this.#open.size * 2
    for (const file of this.#open) {
      if (left-- === 0) return
      if (file.mayClose()) return file.close()
      this.#open.delete(file)
      this.#open.add(file)
    }
  }
}

class PooledFile implements OpenFile {
  readonly path: string
  readonly #pool: FilePool
  #file: OpenFile | undefined
  #wasUsed = false
  #syncs = 0

  constructor(pool: FilePool, path: string) {
    this.#pool = pool
    this.path = path
  }

  /** The open file. */
  use(create = false): OpenFile {
    if (this.#file !== undefined) {
      this.#wasUsed = true
      return this.#file
    }
    this.#pool.makeRoom()
    this.#file = this.#pool.files.open(this.path, { create })
    this.#pool.add(this)
    return this.#file
  }

  /** False when it is being synced, and the first time after a use but the one that opened it. */
  mayClose(): boolean {
    const isIdle = !this.#wasUsed && this.#syncs === 0
    this.#wasUsed = false
    return isIdle
  }

  size(): number {
    return this.use().size()
  }

  read(target: Buffer, position: number): number {
    return this.use().read(target, position)
  }

  write(parts: readonly Buffer[], position: number): void {
    this.use().write(parts, position)
  }

  truncate(sizeBytes: number): void {
    this.use().truncate(sizeBytes)
  }

  async sync(): Promise<void> {
    const file = this.use()
    this.#syncs += 1
    try {
      await file.sync()
    } finally {
      this.#syncs -= 1
    }
  }

  close(): void {
    this.#file?.close()
    this.#file = undefined
    this.#pool.forget(this)
  }
}
