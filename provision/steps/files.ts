/** A file or folder as it should be: looked at first, replaced or corrected only where it differs. */
import { createHash } from 'node:crypto'

import * as files from '../commands/files.ts'
import type { Access } from '../commands/files.ts'
import type { Command } from '../commands/shell.ts'
import { HostError, type Host } from '../host.ts'
import type { Changes } from './step.ts'

export interface WantedFile extends Access {
  readonly path: string
  readonly text: string
}

/** `put` installs stdin at the path; by default as a plain file. */
export async function ensureFile(
  host: Host,
  wanted: WantedFile,
  put: Command = files.putFile(wanted.path, wanted),
): Promise<Changes> {
  const found = await look(host, wanted.path)
  const sha256 = createHash('sha256').update(wanted.text).digest('hex')
  if (found?.kind === 'file' && found.sha256 === sha256 && hasAccess(found, wanted)) return []
  if (found !== undefined && found.kind !== 'file') throw inTheWay(host, wanted.path, found.kind)
  await host.run(put, { stdin: wanted.text })
  return [`${found === undefined ? 'wrote' : 'changed'} ${wanted.path}`]
}

export async function ensureNoFile(host: Host, path: string): Promise<Changes> {
  const found = await look(host, path)
  if (found === undefined) return []
  await host.run(files.removeFile(path))
  return [`removed ${path}`]
}

export async function ensureFolder(host: Host, path: string, access: Access): Promise<Changes> {
  const found = await look(host, path)
  if (found?.kind === 'folder' && hasAccess(found, access)) return []
  if (found !== undefined && found.kind !== 'folder') throw inTheWay(host, path, found.kind)
  await host.run(files.putFolder(path, access))
  return [found === undefined ? `made ${path}` : `set owner and mode of ${path}`]
}

/** A file that a service appends to: made and owned, its content never touched. */
export async function ensureAppendedFile(host: Host, path: string, access: Access): Promise<Changes> {
  const found = await look(host, path)
  if (found?.kind === 'file' && hasAccess(found, access)) return []
  if (found !== undefined && found.kind !== 'file') throw inTheWay(host, path, found.kind)
  await host.run(files.putAppendedFile(path, access))
  return [found === undefined ? `made ${path}` : `set owner and mode of ${path}`]
}

async function look(host: Host, path: string): Promise<files.Found | undefined> {
  return files.parseLook((await host.run(files.lookAt(path))).stdout)
}

function hasAccess(found: Access, wanted: Access): boolean {
  return found.owner === wanted.owner && found.mode === files.normalMode(wanted.mode)
}

function inTheWay(host: Host, path: string, kind: string): HostError {
  return new HostError(`${host.name}: ${path} is a ${kind}, which brokerkit did not make; move it away`)
}
