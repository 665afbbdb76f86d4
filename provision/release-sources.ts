/** Where a release's parts come from when they are not files of this checkout: npm packages and etcd. Cached, checked. */
import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { access, mkdir, open, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { execa } from 'execa'
import { unpackArchive } from './archive.ts'
import { ProvisionError } from './provision-error.ts'
import type { Architecture, NeededPackage } from './release-packages.ts'

export type EtcdSource =
  | { readonly version: string; readonly sha256: Readonly<Partial<Record<Architecture, string>>> }
  | { readonly file: string }

export interface Downloads {
  /** Folder for what was fetched. */
  readonly cache: string
  readonly report: (line: string) => void
  readonly fetch: typeof fetch
}

/** The release that is taken where cluster.yaml names none. */
export const DEFAULT_ETCD: EtcdSource = {
  version: '3.6.14',
  sha256: {
    x64: 'ffe840ff9295808e88cce2794a18a5ac87f12a5203c8314d0bf6aa119b41bac5',
    arm64: 'fa1b80565ee6fc2df1ae6f57a508b221f3ecc7d591c317c581cd8281b0842b3e',
  },
}

const DOWNLOAD_TIMEOUT_MS = 300_000
const ETCD_RELEASES = 'https://github.com/etcd-io/etcd/releases/download'
const ETCD_ARCHITECTURES: Readonly<Record<Architecture, string>> = { x64: 'amd64', arm64: 'arm64' }
/** e_machine of an ELF header. */
const ELF_MACHINES: Readonly<Record<Architecture, number>> = { x64: 62, arm64: 183 }

/** The unpacked folder of a package that npm did not install here, as it is for another machine. */
export async function fetchPackage(wanted: NeededPackage, downloads: Downloads): Promise<string> {
  const folder = path.join(downloads.cache, 'packages', `${wanted.name.replace('/', '+')}-${wanted.version}`)
  if (await exists(folder)) return folder
  const partial = `${folder}.${process.pid}.partial`
  await mkdir(partial, { recursive: true })
  try {
    downloads.report(`fetching ${wanted.name}@${wanted.version}`)
    const packed = await execa(
      'npm',
      [
        'pack',
        `${wanted.name}@${wanted.version}`,
        '--json',
        '--ignore-scripts',
        '--pack-destination',
        partial,
      ],
      { timeout: DOWNLOAD_TIMEOUT_MS, reject: false },
    )
    if (packed.failed)
      throw new ProvisionError(`npm pack ${wanted.name}@${wanted.version} failed: ${packed.stderr.trim()}`)
    const [{ filename }] = JSON.parse(packed.stdout) as [{ filename: string }]
    const tarball = path.join(partial, filename.replace('@', '').replace('/', '-'))
    await checkIntegrity(tarball, wanted)
    await unpackPackage(tarball, partial)
    await rm(tarball)
    await rename(partial, folder)
    return folder
  } finally {
    await rm(partial, { recursive: true, force: true })
  }
}

/** The etcd binary for an architecture: the named file, or out of the official release, checked by SHA-256. */
export async function etcdBinary(
  source: EtcdSource,
  architecture: Architecture,
  downloads: Downloads,
): Promise<string> {
  if ('file' in source) {
    await checkMachine(source.file, architecture)
    return source.file
  }
  const expected = source.sha256[architecture]
  const name = `etcd-v${source.version}-linux-${ETCD_ARCHITECTURES[architecture]}`
  const url = `${ETCD_RELEASES}/v${source.version}/${name}.tar.gz`
  if (expected === undefined) {
    throw new ProvisionError(
      `cluster.yaml: quorum.etcd.sha256.${architecture} is missing: the SHA-256 of ${name}.tar.gz, as published in ` +
        `${ETCD_RELEASES}/v${source.version}/SHA256SUMS`,
    )
  }
  const binary = path.join(downloads.cache, 'etcd', `${name}-${expected.slice(0, 12)}`)
  if (await exists(binary)) return binary
  await mkdir(path.dirname(binary), { recursive: true })
  const archive = `${binary}.${process.pid}.partial`
  try {
    downloads.report(`fetching ${url}`)
    await download(url, archive, downloads.fetch)
    const actual = await digestOf(archive, 'sha256', 'hex')
    if (actual !== expected.toLowerCase()) {
      throw new ProvisionError(`${url} has the SHA-256 ${actual}, but cluster.yaml says ${expected}`)
    }
    await extractEtcd(archive, `${name}/etcd`, binary)
    await checkMachine(binary, architecture)
    return binary
  } finally {
    await rm(archive, { force: true })
  }
}

/** A file's digest, read as a stream. */
export async function digestOf(
  file: string,
  algorithm: 'sha256' | 'sha512',
  encoding: 'hex' | 'base64',
): Promise<string> {
  const hash = createHash(algorithm)
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer)
  return hash.digest(encoding)
}

/** Throws unless the file is a Linux program for this architecture. */
export async function checkMachine(file: string, architecture: Architecture): Promise<void> {
  const handle = await open(file).catch((error: NodeJS.ErrnoException) => {
    throw new ProvisionError(`${file} cannot be read: ${error.message}`)
  })
  try {
    const header = Buffer.alloc(20)
    await handle.read(header, 0, header.length, 0)
    const isElf = header.toString('latin1', 0, 4) === '\x7fELF'
    if (!isElf || header.readUInt16LE(18) !== ELF_MACHINES[architecture]) {
      throw new ProvisionError(`${file} is not a Linux program for ${architecture}, which the hosts need`)
    }
  } finally {
    await handle.close()
  }
}

async function checkIntegrity(tarball: string, wanted: NeededPackage): Promise<void> {
  const [algorithm, expected] = splitOnce(wanted.integrity, '-')
  if (algorithm !== 'sha512')
    throw new ProvisionError(`${wanted.name}: an integrity of ${algorithm} is not checked here`)
  const actual = await digestOf(tarball, 'sha512', 'base64')
  if (actual !== expected) {
    throw new ProvisionError(
      `${wanted.name}@${wanted.version}: the registry's file is not the one in package-lock.json ` +
        `(sha512-${actual} instead of ${wanted.integrity})`,
    )
  }
}

/** npm's tarballs hold everything below one folder, usually "package/". */
async function unpackPackage(tarball: string, folder: string): Promise<void> {
  await unpackArchive(tarball, (name) => {
    const file = path.join(folder, name.split('/').slice(1).join('/'))
    if (!file.startsWith(folder + path.sep))
      throw new ProvisionError(`${tarball} has a file outside of itself: ${name}`)
    return file
  })
}

async function extractEtcd(archive: string, member: string, binary: string): Promise<void> {
  const partial = `${binary}.${process.pid}.binary`
  await unpackArchive(archive, (name) => (name === member ? partial : undefined))
  if (!(await exists(partial))) throw new ProvisionError(`the etcd release archive has no ${member}`)
  await rename(partial, binary)
}

async function download(url: string, file: string, get: typeof fetch): Promise<void> {
  const response = await get(url, { signal: AbortSignal.timeout(DOWNLOAD_TIMEOUT_MS) }).catch(
    (error: Error) => {
      const cause = error.cause instanceof Error ? error.cause.message : error.message
      throw new ProvisionError(
        `${url} cannot be fetched: ${cause}. Where there is no internet, name a binary: quorum.etcd.file in cluster.yaml.`,
      )
    },
  )
  if (!response.ok || response.body === null)
    throw new ProvisionError(`${url} answers ${response.status} ${response.statusText}`)
  await pipeline(Readable.fromWeb(response.body), createWriteStream(file))
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator)
  return [text.slice(0, at), text.slice(at + 1)]
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  )
}
