/**
 * Can the brokers run here? Looked at before anything is written or started: ports, disk, open files, and the state
 * that an earlier run left. Every finding says what is wrong and what to do; all of them are told at once.
 */
import { existsSync, readFileSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { createServer } from 'node:net'
import path from 'node:path'

import { ProvisionError } from '../provision-error.ts'
import type { LocalBroker, LocalCluster } from './local-cluster.ts'
import { describePortOwner } from './port-owner.ts'

const GIB = 1024 ** 3
const MIN_FREE_BYTES = 1 * GIB
const MIN_OPEN_FILES = 4096

export interface Preflight {
  readonly freeBytes: number
  readonly maxOpenFiles: number
}

/** `starting`: the brokers that do not run yet. Throws ProvisionError with every finding. */
export async function preflight(cluster: LocalCluster, starting: readonly LocalBroker[]): Promise<Preflight> {
  const freeBytes = await freeBytesAt(cluster.folder)
  const maxOpenFiles = openFilesLimit()
  const ports = await Promise.all(starting.map(({ port }) => checkPort(port)))
  const findings = [
    ...ports,
    checkDisk(cluster.folder, freeBytes),
    checkOpenFiles(maxOpenFiles),
    checkMetadata(cluster),
  ].filter((finding) => finding !== undefined)
  if (findings.length > 0) throw new ProvisionError(findings.join('\n'))
  return { freeBytes, maxOpenFiles }
}

async function checkPort(port: number): Promise<string | undefined> {
  const code = await listenError(port)
  if (code === undefined) return undefined
  if (code === 'EACCES') return `port ${port} may not be used by this user: choose others with --port`
  const owner = describePortOwner(port) ?? 'another process'
  return `port ${port} is taken by ${owner}: stop it, or choose other ports with --port`
}

function listenError(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    server.listen({ port, host: '127.0.0.1' }, () => server.close(() => resolve(undefined)))
  })
}

/** Free bytes for this user on the disk of `folder`, which need not be there yet. */
async function freeBytesAt(folder: string): Promise<number> {
  let existing = folder
  while (!existsSync(existing)) existing = path.dirname(existing)
  const { bavail, bsize } = await statfs(existing)
  return bavail * bsize
}

export function checkDisk(folder: string, freeBytes: number): string | undefined {
  if (freeBytes >= MIN_FREE_BYTES) return undefined
  const free = (freeBytes / GIB).toFixed(2)
  return `the disk of ${folder} has ${free} GiB free and the brokers need at least ${MIN_FREE_BYTES / GIB}: make room, or choose another disk with --folder`
}

export function checkOpenFiles(maxOpenFiles: number): string | undefined {
  if (maxOpenFiles >= MIN_OPEN_FILES) return undefined
  return `a process may open only ${maxOpenFiles} files and a broker needs ${MIN_OPEN_FILES}: raise the limit (ulimit -Hn ${MIN_OPEN_FILES}, /etc/security/limits.conf)`
}

/** The hard limit: Node raises its own soft limit to it. */
function openFilesLimit(): number {
  try {
    const limits = readFileSync('/proc/self/limits', 'utf8')
    const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(limits)?.[1]
    return hard === undefined || hard === 'unlimited' ? Infinity : Number(hard)
  } catch {
    return Infinity
  }
}

/** Logs without the metadata that says what they are would be refused by the brokers, or worse, be given a new meaning. */
function checkMetadata(cluster: LocalCluster): string | undefined {
  if (existsSync(cluster.metadataFile)) return undefined
  const withData = cluster.brokers.find((broker) =>
    existsSync(path.join(cluster.files(broker).logs, 'meta.properties')),
  )
  if (withData === undefined) return undefined
  return (
    `${cluster.metadataFile} is missing, but broker ${withData.id} has data in ${cluster.files(withData).logs}: ` +
    `restore that file, or delete the whole cluster with: npm run provision -- destroy`
  )
}
