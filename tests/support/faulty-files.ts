/**
 * The real file system with a disk that fails on demand: below a folder, chosen operations throw what the kernel would,
 * or writes find no space once a number of bytes has been written.
 */
import { nodeFiles, type Files, type OpenFile } from '../../broker/storage/files.ts'

export type Operation = 'open' | 'read' | 'write' | 'sync' | 'truncate' | 'rename' | 'remove' | 'list'

/** As node:fs throws it. */
export function systemError(code: string, syscall: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${syscall} '${path}'`), { code, syscall })
}

const SYSCALLS: Partial<Record<Operation, string>> = { sync: 'fdatasync', list: 'scandir' }

export class FaultyFiles implements Files {
  #fault: { folder: string; code: string; operations: ReadonlySet<Operation> } | undefined
  #held: (PromiseWithResolvers<void> & { folder: string }) | undefined
  #space: { folder: string; bytes: number } | undefined

  /** From now on these operations on what is below `folder` (all of them unless given) throw `code`. */
  fail(folder: string, code: string, operations?: readonly Operation[]): void {
    const all: Operation[] = ['open', 'read', 'write', 'sync', 'truncate', 'rename', 'remove', 'list']
    this.#fault = { folder, code, operations: new Set(operations ?? all) }
  }

  /** Writes below `folder` find no space after `bytes` more; what is given back by truncation does not count. */
  limitSpace(folder: string, bytes: number): void {
    this.#space = { folder, bytes }
  }

  /** Syncs of files below `folder` do not end before `heal`. */
  holdSyncs(folder: string): void {
    this.#held = { folder, ...Promise.withResolvers<void>() }
  }

  heal(): void {
    this.#held?.resolve()
    this.#held = undefined
    this.#fault = undefined
    this.#space = undefined
  }

  #check(operation: Operation, path: string): void {
    const fault = this.#fault
    if (fault === undefined || !path.startsWith(fault.folder) || !fault.operations.has(operation)) return
    throw systemError(fault.code, SYSCALLS[operation] ?? operation, path)
  }

  /** How many of `bytes` still fit. */
  #take(path: string, bytes: number): number {
    if (this.#space === undefined || !path.startsWith(this.#space.folder)) return bytes
    const taken = Math.min(bytes, this.#space.bytes)
    this.#space.bytes -= taken
    return taken
  }

  open(path: string, options?: { create: boolean }): OpenFile {
    this.#check('open', path)
    const file = nodeFiles.open(path, options)
    return {
      path,
      size: () => file.size(),
      read: (target, position) => {
        this.#check('read', path)
        return file.read(target, position)
      },
      write: (parts, position) => {
        this.#check('write', path)
        const bytes = Buffer.concat(parts)
        const taken = this.#take(path, bytes.length)
        file.write([bytes.subarray(0, taken)], position)
        if (taken < bytes.length) throw systemError('ENOSPC', 'write', path)
      },
      truncate: (sizeBytes) => {
        this.#check('truncate', path)
        file.truncate(sizeBytes)
      },
      sync: async () => {
        if (this.#held !== undefined && path.startsWith(this.#held.folder)) await this.#held.promise
        this.#check('sync', path)
        await file.sync()
      },
      close: () => file.close(),
    }
  }

  readFile(path: string): Buffer | undefined {
    this.#check('read', path)
    return nodeFiles.readFile(path)
  }

  stat(path: string): ReturnType<Files['stat']> {
    return nodeFiles.stat(path)
  }

  exists(path: string): boolean {
    return nodeFiles.exists(path)
  }

  list(directory: string): ReturnType<Files['list']> {
    this.#check('list', directory)
    return nodeFiles.list(directory)
  }

  makeDirectory(path: string): void {
    nodeFiles.makeDirectory(path)
  }

  rename(from: string, to: string): void {
    this.#check('rename', from)
    nodeFiles.rename(from, to)
  }

  remove(path: string): void {
    this.#check('remove', path)
    nodeFiles.remove(path)
  }

  syncDirectory(directory: string): Promise<void> {
    return nodeFiles.syncDirectory(directory)
  }
}
