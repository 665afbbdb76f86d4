/**
 * The disk of one machine. A process that dies leaves all that it wrote; a machine that loses power keeps, of each
 * file, what was synced and some first ones of the writes since, the last of them perhaps torn, and of each directory
 * the names as of its last sync or as they are.
 */
import path from 'node:path'
import type { DirectoryEntry, Files, OpenFile } from '../../broker/storage/files.ts'
import { between, type Random } from './random.ts'
import type { SimulatedProcess } from './simulated-process.ts'

const SYNC_MS = { least: 0.5, most: 8 }

type Change = { readonly at: number; readonly bytes: Buffer } | { readonly size: number }

/** Bytes that grow in place. */
class Bytes {
  #held = Buffer.alloc(0)
  size = 0

  get view(): Buffer {
    return this.#held.subarray(0, this.size)
  }

  apply(change: Change): void {
    const end = 'size' in change ? change.size : change.at + change.bytes.length
    this.#reserve(end)
    const gapFrom = this.size
    if ('size' in change) {
      if (end > gapFrom) this.#held.fill(0, gapFrom, end)
      this.size = end
      return
    }
    if (change.at > gapFrom) this.#held.fill(0, gapFrom, change.at)
    change.bytes.copy(this.#held, change.at)
    this.size = Math.max(gapFrom, end)
  }

  #reserve(size: number): void {
    if (size <= this.#held.length) return
    const grown = Buffer.alloc(Math.max(size, 2 * this.#held.length, 256))
    this.view.copy(grown)
    this.#held = grown
  }
}

class Content {
  live = new Bytes()
  /** What is on the disk for certain. */
  durable = new Bytes()
  modifiedMs = 0
  /** Since the last sync, in order. */
  #changes: Change[] = []

  get unsynced(): number {
    return this.#changes.length
  }

  change(change: Change): void {
    this.#changes.push(change)
    this.live.apply(change)
  }

  /** The first `count` unsynced changes have reached the disk. */
  sync(count: number): void {
    for (const change of this.#changes.splice(0, count)) this.durable.apply(change)
  }

  losePower(random: Random): void {
    const kept = Math.floor(random() * (this.#changes.length + 1))
    const torn = this.#changes[kept]
    this.sync(kept)
    if (torn !== undefined && !('size' in torn)) {
      const bytes = torn.bytes.subarray(0, Math.floor(random() * torn.bytes.length))
      this.durable.apply({ at: torn.at, bytes })
    }
    this.#changes = []
    this.live = new Bytes()
    this.live.apply({ at: 0, bytes: this.durable.view })
  }
}

export class SimulatedDisk {
  readonly #random: Random
  #names = new Map<string, Content>()
  #durableNames = new Map<string, Content>()
  readonly #directories = new Set<string>()

  constructor(random: Random) {
    this.#random = random
  }

  losePower(): void {
    const names = new Map<string, Content>()
    for (const directory of this.#directories) {
      const source = this.#random() < 0.5 ? this.#names : this.#durableNames
      for (const [name, content] of source) if (path.dirname(name) === directory) names.set(name, content)
    }
    for (const content of new Set(names.values())) content.losePower(this.#random)
    this.#names = names
    this.#durableNames = new Map(names)
  }

  /** Bytes of a file as a process would read them now; undefined when there is none. */
  contentOf(file: string): Buffer | undefined {
    const content = this.#names.get(file)
    return content && Buffer.from(content.live.view)
  }

  /** All files of a directory, by name. */
  filesIn(directory: string): string[] {
    return [...this.#names.keys()].filter((name) => path.dirname(name) === directory).toSorted()
  }

  directoriesIn(directory: string): string[] {
    return [...this.#directories].filter((name) => path.dirname(name) === directory).toSorted()
  }

  /** The disk as one process sees it: after its death every call fails. */
  of(process: SimulatedProcess): Files {
    const alive = (): void => process.mustLive()
    return {
      open: (file, options = { create: false }) => {
        alive()
        return this.#handle(file, this.#opened(file, options.create), process)
      },
      readFile: (file) => {
        alive()
        return this.contentOf(file)
      },
      exists: (name) => {
        alive()
        return this.#names.has(name) || this.#directories.has(name)
      },
      stat: (file) => {
        alive()
        const content = this.#names.get(file)
        return content && { sizeBytes: content.live.size, modifiedMs: content.modifiedMs }
      },
      list: (directory) => {
        alive()
        return this.#list(directory)
      },
      makeDirectory: (directory) => {
        alive()
        for (let at = directory; at !== '/' && at !== '.'; at = path.dirname(at)) this.#directories.add(at)
      },
      rename: (from, to) => {
        alive()
        this.#rename(from, to)
      },
      remove: (name) => {
        alive()
        this.#remove(name)
      },
      syncDirectory: async (directory) => {
        alive()
        await process.clock.sleep(this.#syncMs())
        this.#syncNames(directory)
      },
    }
  }

  #syncMs(): number {
    return between(this.#random, SYNC_MS.least, SYNC_MS.most)
  }

  #opened(file: string, create: boolean): Content {
    const found = this.#names.get(file)
    if (found !== undefined) return found
    if (!create) throw absent(file)
    const content = new Content()
    this.#names.set(file, content)
    return content
  }

  #handle(file: string, content: Content, process: SimulatedProcess): OpenFile {
    const change = (made: Change): void => {
      process.mustLive()
      content.change(made)
      content.modifiedMs = process.clock.now()
    }
    return {
      path: file,
      size: () => content.live.size,
      read: (target, position) => {
        process.mustLive()
        return content.live.view.copy(target, 0, Math.min(position, content.live.size))
      },
      write: (parts, position) => change({ at: position, bytes: Buffer.concat(parts) }),
      truncate: (size) => change({ size }),
      sync: async () => {
        process.mustLive()
        const covered = content.unsynced
        await process.clock.sleep(this.#syncMs())
        if (!process.isDead) content.sync(Math.min(covered, content.unsynced))
      },
      close: () => {},
    }
  }

  #list(directory: string): DirectoryEntry[] {
    if (!this.#directories.has(directory)) throw absent(directory)
    const named = (isDirectory: boolean) => (name: string) => ({ name: path.basename(name), isDirectory })
    return [...this.directoriesIn(directory).map(named(true)), ...this.filesIn(directory).map(named(false))]
  }

  #rename(from: string, to: string): void {
    const content = this.#names.get(from)
    if (content !== undefined) {
      this.#names.delete(from)
      this.#names.set(to, content)
      return
    }
    if (!this.#directories.has(from)) throw absent(from)
    const moved = (name: string): string => (name === from ? to : `${to}${name.slice(from.length)}`)
    const isInside = (name: string): boolean => name === from || name.startsWith(`${from}/`)
    for (const directory of [...this.#directories].filter(isInside)) {
      this.#directories.delete(directory)
      this.#directories.add(moved(directory))
    }
    for (const names of [this.#names, this.#durableNames]) {
      for (const [name, held] of [...names].filter(([other]) => isInside(other))) {
        names.delete(name)
        names.set(moved(name), held)
      }
    }
  }

  #remove(name: string): void {
    this.#names.delete(name)
    if (!this.#directories.delete(name)) return
    const isInside = (other: string): boolean => other.startsWith(`${name}/`)
    for (const directory of [...this.#directories].filter(isInside)) this.#directories.delete(directory)
    for (const names of [this.#names, this.#durableNames]) {
      for (const file of [...names.keys()].filter(isInside)) names.delete(file)
    }
  }

  #syncNames(directory: string): void {
    const isInside = (name: string): boolean => path.dirname(name) === directory
    for (const name of [...this.#durableNames.keys()].filter(isInside)) this.#durableNames.delete(name)
    for (const [name, content] of this.#names) if (isInside(name)) this.#durableNames.set(name, content)
  }
}

function absent(name: string): Error {
  return Object.assign(new Error(`ENOENT: no such file or directory, '${name}'`), { code: 'ENOENT' })
}
