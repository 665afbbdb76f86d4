/**
 * A file system in memory that loses power: writes reach the disk with a sync only, names with a sync of their
 * directory. `crashAt` stops it at the n-th change; `afterCrash` is what a machine finds when it starts again: of the
 * unsynced writes of each file some first ones, the last of those perhaps torn, sometimes with zeros where one of them
 * should be; and of the unsynced names of each directory some first ones.
 */
import path from 'node:path'
import type { DirectoryEntry, Files, FileStat, OpenFile } from '../../broker/storage/files.ts'

type Change = { at: number; bytes: Buffer } | { size: number }
type NameChange = (names: Map<string, Node>) => void

interface Node {
  live: Buffer
  durable: Buffer
  /** Since `durable`. */
  changes: Change[]
}

export class PowerLostError extends Error {
  override readonly name = 'PowerLostError'
}

export class CrashingFiles implements Files {
  #names: Map<string, Node>
  #durableNames: Map<string, Node>
  /** By directory, since its last sync. */
  readonly #nameChanges = new Map<string, NameChange[]>()
  #directories: Set<string>
  #changesLeft: number
  /** Changes made so far. */
  changeCount = 0

  constructor(crashAt = Infinity, nodes = new Map<string, Node>(), directories = new Set<string>()) {
    this.#changesLeft = crashAt
    this.#names = nodes
    this.#durableNames = new Map(nodes)
    this.#directories = directories
  }

  #change(): void {
    this.mustHavePower()
    this.changeCount += 1
    this.#changesLeft -= 1
    if (this.#changesLeft < 0) throw new PowerLostError('no power')
  }

  mustHavePower(): void {
    if (this.#changesLeft < 0) throw new PowerLostError('no power')
  }

  /** `random`: from 0 to 1. */
  afterCrash(random: () => number, crashAt = Infinity): CrashingFiles {
    const kept = new Map(this.#durableNames)
    for (const changes of this.#nameChanges.values()) {
      const count = Math.floor(random() * (changes.length + 1))
      for (const change of changes.slice(0, count)) change(kept)
    }
    const names = new Map<string, Node>()
    for (const [name, node] of kept) {
      const content = survivingContent(node, random)
      names.set(name, { live: content, durable: content, changes: [] })
    }
    return new CrashingFiles(crashAt, names, new Set(this.#directories))
  }

  #changeNames(file: string, change: NameChange): void {
    this.#change()
    change(this.#names)
    const directory = path.dirname(file)
    this.#nameChanges.set(directory, [...(this.#nameChanges.get(directory) ?? []), change])
  }

  open(file: string, options = { create: false }): OpenFile {
    this.mustHavePower()
    const found = this.#names.get(file)
    if (found !== undefined) return this.#handle(file, found)
    if (!options.create) throw new Error(`ENOENT: ${file}`)
    const node: Node = { live: Buffer.alloc(0), durable: Buffer.alloc(0), changes: [] }
    this.#changeNames(file, (names) => names.set(file, node))
    return this.#handle(file, node)
  }

  #handle(file: string, node: Node): OpenFile {
    const apply = (change: Change): void => {
      node.changes.push(change)
      node.live = changed(node.live, change)
    }
    return {
      path: file,
      size: () => node.live.length,
      read: (target, position) => {
        this.mustHavePower()
        return node.live.copy(target, 0, position)
      },
      write: (parts, position) => {
        const change = { at: position, bytes: Buffer.concat(parts) }
        try {
          this.#change()
        } finally {
          apply(change)
        }
      },
      truncate: (size) => {
        this.#change()
        apply({ size })
      },
      sync: async () => {
        this.#change()
        node.durable = node.live
        node.changes = []
      },
      close: () => {},
    }
  }

  readFile(file: string): Buffer | undefined {
    this.mustHavePower()
    return this.#names.get(file)?.live
  }

  exists(file: string): boolean {
    return this.#names.has(file) || this.#directories.has(file)
  }

  stat(file: string): FileStat | undefined {
    const node = this.#names.get(file)
    return node && { sizeBytes: node.live.length, modifiedMs: 0 }
  }

  list(directory: string): DirectoryEntry[] {
    this.mustHavePower()
    const inside = (entry: string): boolean => path.dirname(entry) === directory
    return [
      ...[...this.#directories]
        .filter(inside)
        .map((name) => ({ name: path.basename(name), isDirectory: true })),
      ...[...this.#names.keys()]
        .filter(inside)
        .map((name) => ({ name: path.basename(name), isDirectory: false })),
    ]
  }

  makeDirectory(directory: string): void {
    this.mustHavePower()
    this.#directories.add(directory)
  }

  rename(from: string, to: string): void {
    if (this.#directories.has(from)) return this.#renameDirectory(from, to)
    const node = this.#names.get(from)
    if (node === undefined) throw new Error(`ENOENT: ${from}`)
    this.#changeNames(to, (names) => {
      names.delete(from)
      names.set(to, node)
    })
  }

  /** With all in it, at once and for good. */
  #renameDirectory(from: string, to: string): void {
    this.#change()
    this.#keepNames(from)
    const moved = (name: string): string =>
      path.dirname(name) === from ? path.join(to, path.basename(name)) : name
    const renamed = (names: Map<string, Node>) =>
      new Map([...names].map(([name, node]) => [moved(name), node]))
    this.#names = renamed(this.#names)
    this.#durableNames = renamed(this.#durableNames)
    this.#directories.delete(from)
    this.#directories.add(to)
  }

  remove(file: string): void {
    if (!this.exists(file)) return
    this.#changeNames(file, (names) => names.delete(file))
    if (!this.#directories.delete(file)) return
    for (const name of this.#names.keys()) if (path.dirname(name) === file) this.#names.delete(name)
  }

  async syncDirectory(directory: string): Promise<void> {
    this.#change()
    this.#keepNames(directory)
  }

  #keepNames(directory: string): void {
    for (const change of this.#nameChanges.get(directory) ?? []) change(this.#durableNames)
    this.#nameChanges.delete(directory)
  }
}

function changed(content: Buffer, change: Change): Buffer {
  if ('size' in change) return Buffer.concat([content], change.size)
  const result = Buffer.alloc(Math.max(content.length, change.at + change.bytes.length))
  content.copy(result)
  change.bytes.copy(result, change.at)
  return result
}

/** How often the writes of a file reach the disk out of order. */
const OUT_OF_ORDER = 0.2

function survivingContent(node: Node, random: () => number): Buffer {
  const kept = Math.floor(random() * (node.changes.length + 1))
  const isOutOfOrder = random() < OUT_OF_ORDER
  const lost = isOutOfOrder ? Math.floor(random() * kept) : -1
  const content = node.changes
    .slice(0, kept)
    .reduce((before, change, index) => changed(before, index === lost ? blank(change) : change), node.durable)
  const next = node.changes[kept]
  if (next === undefined || 'size' in next) return content
  const bytes = next.bytes.subarray(0, Math.floor(random() * next.bytes.length))
  return changed(content, { at: next.at, bytes })
}

/** What a file has where a write was lost and a later one was not. */
function blank(change: Change): Change {
  return 'size' in change ? change : { at: change.at, bytes: Buffer.alloc(change.bytes.length) }
}
