/** Small file systems that a test mounts and fills: one in memory, one in a file. Mounting them needs root. */
import { mkdtemp, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { execa } from 'execa'
import { mountDisk, type DiskKind } from '../support/small-disk.ts'
import { aptInstall } from './apt.ts'
import type { Availability, Prerequisite } from './prerequisite.ts'

export interface SmallDisks {
  readonly kind: DiskKind
}

function smallDisks(kind: DiskKind, name: string): Prerequisite<SmallDisks> {
  const find = (): Promise<Availability<SmallDisks>> => tryOut(kind)
  return {
    name,
    find,
    async ensure(report) {
      const isThere = await execa('mkfs.ext4', ['-V'], { reject: false })
      if (kind === 'ext4' && isThere.failed) await aptInstall(['e2fsprogs'], report)
      return find()
    },
  }
}

async function tryOut(kind: DiskKind): Promise<Availability<SmallDisks>> {
  if (process.platform !== 'linux') return { available: false, missing: 'Linux' }
  if (process.getuid?.() !== 0) return { available: false, missing: 'root, for mount' }
  const folder = await mkdtemp(path.join(os.tmpdir(), 'brokerkit-mount-'))
  try {
    const disk = await mountDisk({ kind, folder, sizeMiB: 8 })
    await disk.unmount()
    return { available: true, value: { kind } }
  } catch (error) {
    return { available: false, missing: `leave to mount ${kind}: ${String(error).split('\n')[0]}` }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

export const tmpfsDisks = smallDisks('tmpfs', 'small tmpfs file systems')
export const ext4Disks = smallDisks('ext4', 'small ext4 file systems')
