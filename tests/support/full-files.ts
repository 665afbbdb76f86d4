/** Files on a disk that can be filled: from then on a write reaches it in part, and fails with ENOSPC. */
import type { DirectoryEntry, Files, FileStat, OpenFile } from '../../broker/storage/files.ts'

export class FullFiles implements Files {
  readonly #files: Files
  isFull = false

  constructor(files: Files) {
    this.#files = files
  }

  open(path: string, options?: { create: boolean }): OpenFile {
    const file = this.#files.open(path, options)
    return {
      path,
      size: () => file.size(),
      read: (target, position) => file.read(target, position),
      write: (parts, position) => this.#write(file, parts, position),
      truncate: (sizeBytes) => file.truncate(sizeBytes),
      sync: () => file.sync(),
      close: () => file.close(),
    }
  }

  #write(file: OpenFile, parts: readonly Buffer[], position: number): void {
    if (!this.isFull) return file.write(parts, position)
    const bytes = Buffer.concat(parts)
    file.write([bytes.subarray(0, bytes.length / 2)], position)
    throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
  }

  readFile(path: string): Buffer | undefined {
    return this.#files.readFile(path)
  }

  exists(path: string): boolean {
    return this.#files.exists(path)
  }

  stat(path: string): FileStat | undefined {
    return this.#files.stat(path)
  }

  list(directory: string): DirectoryEntry[] {
    return this.#files.list(directory)
  }

  makeDirectory(path: string): void {
    this.#files.makeDirectory(path)
  }

  rename(from: string, to: string): void {
    this.#files.rename(from, to)
  }

  remove(path: string): void {
    this.#files.remove(path)
  }

  syncDirectory(directory: string): Promise<void> {
    return this.#files.syncDirectory(directory)
  }
}
