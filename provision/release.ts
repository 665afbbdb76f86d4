/**
 * A release: one archive per architecture that holds all a host needs, built on the control machine.
 *
 *   RELEASE          its id, version and what is in it (JSON)
 *   SHA256SUMS       of every other file, for `sha256sum --check`
 *   bin/             node, etcd
 *   broker/ tools/   our sources, and package.json, which makes them ES modules
 *   node_modules/    the packages that those import, from package-lock.json; for another architecture from the registry
 *
 * The id is a digest of paths, modes and contents: the same inputs have the same id wherever they are built.
 */
import { createHash } from 'node:crypto'
import { access, mkdir, readFile, readdir, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { writeArchive, type ArchiveEntry } from './archive.ts'
import { ProvisionError } from './provision-error.ts'
import { importedModules, importedPackages, neededPackages } from './release-packages.ts'
import type { Architecture, Lock, NeededPackage } from './release-packages.ts'
import { checkMachine, digestOf, etcdBinary, fetchPackage } from './release-sources.ts'
import type { Downloads, EtcdSource } from './release-sources.ts'

export interface Release {
  readonly id: string
  readonly architecture: Architecture
  readonly file: string
  readonly sha256: string
  readonly sizeBytes: number
  /** Of the etcd in it: what the quorum runs does not change with the broker's sources. */
  readonly etcdSha256: string
  /** Whether it was there already. */
  readonly cached: boolean
}

export interface ReleaseOptions {
  /** The checkout that is released. */
  readonly root: string
  readonly architecture: Architecture
  readonly etcd: EtcdSource
  /** Where releases and downloads are kept (`.brokerkit`). */
  readonly cache: string
  readonly report: (line: string) => void
  readonly fetch?: typeof fetch
}

const BROKER = 'broker'
const ENTRY_POINTS = ['broker/main.ts', 'tools/probe.ts']
const KEPT_ARCHIVES = 3
/** Of no use to a running program; licences and everything else of a package stay. */
const SUPERFLUOUS = /\.(d\.[cm]?ts|map|flow)$/

/** Builds the release, or finds it built. */
export async function buildRelease(options: ReleaseOptions): Promise<Release> {
  const { architecture, cache } = options
  const contents = await contentsOf(options)
  const sums = await checksums(contents)
  const id = releaseId(contents, sums)
  const file = path.join(cache, 'releases', `brokerkit-${id}-${architecture}.tar.gz`)
  const cached = await access(file).then(
    () => true,
    () => false,
  )
  if (!cached) {
    options.report(`packing ${path.basename(file)}`)
    await mkdir(path.dirname(file), { recursive: true })
    await writeArchive(file, [
      ...contents,
      text('SHA256SUMS', [...sums].map(([name, sum]) => `${sum}  ${name}\n`).join('')),
      text('RELEASE', `${JSON.stringify({ id, architecture }, undefined, 2)}\n`),
    ])
  }
  await removeOld(path.dirname(file), path.basename(file), architecture)
  const { size: sizeBytes } = await stat(file)
  const sha256 = await digestOf(file, 'sha256', 'hex')
  return { id, architecture, file, sha256, sizeBytes, etcdSha256: sums.get('bin/etcd')!, cached }
}

/** Keeps this archive and the ones that were made last, each tens of megabytes; runs that were killed leave partial ones. */
async function removeOld(folder: string, current: string, architecture: Architecture): Promise<void> {
  const suffix = `-${architecture}.tar.gz`
  const archives = (await readdir(folder)).filter(
    (name) => name !== current && (name.endsWith(suffix) || name.endsWith('.partial')),
  )
  const aged = await Promise.all(
    archives.map(async (name) => ({ name, madeMs: (await stat(path.join(folder, name))).mtimeMs })),
  )
  const old = aged.toSorted((a, b) => b.madeMs - a.madeMs).slice(KEPT_ARCHIVES - 1)
  await Promise.all(old.map(({ name }) => rm(path.join(folder, name), { force: true })))
}

/** Every file of the release but its own checksums, sorted by path. */
async function contentsOf(options: ReleaseOptions): Promise<ArchiveEntry[]> {
  const { root, architecture } = options
  const downloads: Downloads = {
    cache: options.cache,
    report: options.report,
    fetch: options.fetch ?? fetch,
  }
  const lock = JSON.parse(await readFile(path.join(root, 'package-lock.json'), 'utf8')) as Lock
  const sources = await sourcesOf(root)
  const imported = (
    await Promise.all(sources.map((file) => readFile(path.join(root, file), 'utf8')))
  ).flatMap((source) => importedPackages(source))
  const packages = neededPackages(lock, imported, architecture)
  const entries: ArchiveEntry[] = [
    text(
      'package.json',
      `${JSON.stringify({ name: 'brokerkit', private: true, type: 'module' }, undefined, 2)}\n`,
    ),
    { path: 'bin/node', mode: 0o755, content: { file: await nodeBinary(options, lock, downloads) } },
    {
      path: 'bin/etcd',
      mode: 0o755,
      content: { file: await etcdBinary(options.etcd, architecture, downloads) },
    },
    ...sources.map((file): ArchiveEntry => ({
      path: file,
      mode: 0o644,
      content: { file: path.join(root, file) },
    })),
  ]
  for (const wanted of packages) entries.push(...(await packageEntries(root, wanted, downloads)))
  return entries.toSorted((a, b) => (a.path < b.path ? -1 : 1))
}

/** The broker's sources and those that the other entry points reach from theirs. */
async function sourcesOf(root: string): Promise<string[]> {
  const broker = await filesBelow(path.join(root, BROKER))
  const found = new Set(broker.map((file) => `${BROKER}/${file}`).filter((file) => file.endsWith('.ts')))
  const queue = [...ENTRY_POINTS]
  for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
    const source = await readFile(path.join(root, file), 'utf8')
    found.add(file)
    for (const module of importedModules(source).filter((module) => module.startsWith('.'))) {
      const target = path.posix.join(path.posix.dirname(file), module)
      if (!found.has(target)) queue.push(target)
    }
  }
  return [...found].toSorted()
}

/** The Node that the lock names for the hosts, which is also the one that the tests run on. */
async function nodeBinary(
  { root, architecture }: ReleaseOptions,
  lock: Lock,
  downloads: Downloads,
): Promise<string> {
  const name = `node-linux-${architecture}`
  const wanted = neededPackages(lock, [name], architecture)[0]!
  const binary = path.join(await packageFolder(root, wanted, downloads), 'bin/node')
  await checkMachine(binary, architecture)
  return binary
}

async function packageEntries(
  root: string,
  wanted: NeededPackage,
  downloads: Downloads,
): Promise<ArchiveEntry[]> {
  const folder = await packageFolder(root, wanted, downloads)
  const files = (await filesBelow(folder)).filter((file) => !SUPERFLUOUS.test(file))
  return files.map((file) => ({
    path: `${wanted.place}/${file}`,
    mode: 0o644,
    content: { file: path.join(folder, file) },
  }))
}

/** Where npm installed it; when that is for another machine, where it was fetched to. */
async function packageFolder(root: string, wanted: NeededPackage, downloads: Downloads): Promise<string> {
  const folder = path.join(root, wanted.place)
  const manifest = await readFile(path.join(folder, 'package.json'), 'utf8').catch(() => undefined)
  if (manifest === undefined) return fetchPackage(wanted, downloads)
  const { version } = JSON.parse(manifest) as { version?: string }
  if (version === wanted.version) return folder
  throw new ProvisionError(
    `${wanted.place} is version ${version}, but package-lock.json says ${wanted.version}: run npm ci --omit=dev`,
  )
}

async function checksums(contents: readonly ArchiveEntry[]): Promise<Map<string, string>> {
  const sums = new Map<string, string>()
  for (const { path: name, content } of contents) {
    const sum = Buffer.isBuffer(content)
      ? createHash('sha256').update(content).digest('hex')
      : await digestOf(content.file, 'sha256', 'hex')
    sums.set(name, sum)
  }
  return sums
}

function releaseId(contents: readonly ArchiveEntry[], sums: ReadonlyMap<string, string>): string {
  const hash = createHash('sha256')
  for (const { path: name, mode } of contents) hash.update(`${sums.get(name)} ${mode.toString(8)} ${name}\n`)
  return hash.digest('hex').slice(0, 16)
}

/** Regular files below a folder, relative, without nested node_modules, which are packages of their own. */
async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)).replaceAll(path.sep, '/'))
    .filter((file) => !file.split('/').includes('node_modules'))
}

function text(name: string, content: string): ArchiveEntry {
  return { path: name, mode: 0o644, content: Buffer.from(content) }
}
