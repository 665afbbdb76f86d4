/**
 * Which npm packages a release needs: the closure, in package-lock.json, of what its sources import, for one
 * target machine. Pure; the lock is npm's version 3 ("packages", keyed by their place in the tree).
 */

import { ProvisionError } from './provision-error.ts'

export type Architecture = 'x64' | 'arm64'

export interface LockedPackage {
  readonly version?: string
  readonly integrity?: string
  readonly resolved?: string
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>
  readonly os?: string | readonly string[]
  readonly cpu?: string | readonly string[]
  readonly libc?: string | readonly string[]
}

export interface Lock {
  readonly packages: Readonly<Record<string, LockedPackage>>
}

export interface NeededPackage {
  /** Where it lies below the project: "node_modules/pino". */
  readonly place: string
  readonly name: string
  readonly version: string
  /** Subresource Integrity of its tarball: "sha512-…". */
  readonly integrity: string
}

/** The packages that a TypeScript source imports when it runs (type imports are erased; node: is Node itself). */
export function importedPackages(source: string): string[] {
  return importedModules(source)
    .filter((module) => !module.startsWith('.') && !module.startsWith('node:'))
    .map((module) =>
      module
        .split('/')
        .slice(0, module.startsWith('@') ? 2 : 1)
        .join('/'),
    )
}

/** Every module that a TypeScript source imports when it runs, as written. */
export function importedModules(source: string): string[] {
  const statements =
    /^\s*(?:import|export)\s+(?!type\b)(?:[\w*{}\s,$]*?\bfrom\s+)?'([^']+)'|\bimport\(\s*'([^']+)'\s*\)/gm
  return [...source.matchAll(statements)].map((match) => match[1] ?? match[2]!)
}

/** The named packages and all they need on Linux (glibc) of that architecture, sorted by place. */
export function neededPackages(
  lock: Lock,
  names: Iterable<string>,
  architecture: Architecture,
): NeededPackage[] {
  const needed = new Map<string, NeededPackage>()
  const queue = [...new Set(names)].map((name) => find(lock, '', name) ?? missing(name, 'the sources'))
  for (let place = queue.pop(); place !== undefined; place = queue.pop()) {
    const locked = lock.packages[place]!
    if (needed.has(place)) continue
    needed.set(place, describe(place, locked))
    const parent = place
    for (const name of Object.keys(locked.dependencies ?? {})) {
      if (locked.optionalDependencies?.[name] !== undefined) continue
      queue.push(find(lock, parent, name) ?? missing(name, parent))
    }
    for (const name of Object.keys(locked.optionalDependencies ?? {})) {
      const found = find(lock, parent, name)
      if (found !== undefined && runsOn(lock.packages[found]!, architecture)) queue.push(found)
    }
    for (const name of Object.keys(locked.peerDependencies ?? {})) {
      const found =
        locked.peerDependenciesMeta?.[name]?.optional === true ? undefined : find(lock, parent, name)
      if (found !== undefined) queue.push(found)
    }
  }
  return [...needed.values()].toSorted((a, b) => (a.place < b.place ? -1 : 1))
}

/** Whether a package's os, cpu and libc fields let it run on Linux with glibc. */
export function runsOn(locked: LockedPackage, architecture: Architecture): boolean {
  return allows(locked.os, 'linux') && allows(locked.cpu, architecture) && allows(locked.libc, 'glibc')
}

function allows(field: string | readonly string[] | undefined, value: string): boolean {
  if (field === undefined) return true
  const entries = typeof field === 'string' ? [field] : field
  if (entries.includes(`!${value}`)) return false
  return entries.every((entry) => entry.startsWith('!')) || entries.includes(value)
}

/** Node's own search: node_modules of the package, then of each package around it, then of the project. */
function find(lock: Lock, from: string, name: string): string | undefined {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/node_modules/')))) {
    const place = folder === '' ? `node_modules/${name}` : `${folder}/node_modules/${name}`
    if (lock.packages[place] !== undefined) return place
    if (folder === '') return undefined
    if (!folder.includes('/node_modules/')) {
      const top = `node_modules/${name}`
      return lock.packages[top] === undefined ? undefined : top
    }
  }
}

function describe(place: string, locked: LockedPackage): NeededPackage {
  const name = place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length)
  if (locked.version === undefined || locked.integrity === undefined) {
    throw new ProvisionError(
      `package-lock.json: ${place} has no version or integrity; a release cannot be made of it`,
    )
  }
  return { place, name, version: locked.version, integrity: locked.integrity }
}

function missing(name: string, wantedBy: string): never {
  throw new ProvisionError(
    `package-lock.json does not have ${name}, which ${wantedBy} needs: run npm install`,
  )
}
