/** A file system of a few MiB, mounted below a folder of the test, with a file in it that can be removed to make room. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync, statfsSync } from 'node:fs'
import path from 'node:path'
import { execa } from 'execa'

export type DiskKind = 'tmpfs' | 'ext4'

export interface DiskOptions {
  readonly kind: DiskKind
  /** Exists, and has room for a file of the disk's size. */
  readonly folder: string
  readonly sizeMiB: number
}

const MiB = 1024 ** 2

/** Disks to take away should the test run end without doing so. */
const mounted = new Set<string>()
process.once('exit', () => {
  for (const folder of mounted) spawnSync('umount', ['--lazy', folder])
})

export class SmallDisk {
  /** Where it is mounted. */
  readonly path: string
  readonly #image: string | undefined

  constructor(folder: string, image: string | undefined) {
    this.path = folder
    this.#image = image
  }

  get usableBytes(): number {
    const { bavail, bsize } = statfsSync(this.path)
    return bavail * bsize
  }

  async takeUp(sizeMiB: number): Promise<void> {
    await execa('fallocate', ['--length', String(sizeMiB * MiB), path.join(this.path, 'ballast')])
  }

  giveBack(): void {
    rmSync(path.join(this.path, 'ballast'))
  }

  /** From now on every write fails, as after an error that the kernel has met. Of ext4 only. */
  async turnReadOnly(): Promise<void> {
    await execa('mount', ['--options', 'remount,abort', this.path])
  }

  async mount(): Promise<void> {
    const source = this.#image === undefined ? [] : ['--options', 'loop', this.#image]
    await execa('mount', [...source, this.path])
    mounted.add(this.path)
  }

  /** Unmounts, repairs and mounts again. Of ext4 only. */
  async repair(): Promise<void> {
    await this.unmount()
    // Its exit code tells what it has mended.
    await execa('e2fsck', ['-f', '-y', this.#image!], { reject: false })
    await this.mount()
  }

  async unmount(): Promise<void> {
    await execa('umount', [this.path])
    mounted.delete(this.path)
  }
}

/** An empty one. Rejects where the system does not let it be mounted. */
export async function mountDisk({ kind, folder, sizeMiB }: DiskOptions): Promise<SmallDisk> {
  const target = path.join(folder, 'disk')
  mkdirSync(target)
  if (kind === 'tmpfs') {
    await execa('mount', ['--types', 'tmpfs', '--options', `size=${sizeMiB}m`, 'tmpfs', target])
    mounted.add(target)
    return new SmallDisk(target, undefined)
  }
  const image = path.join(folder, 'image')
  await execa('truncate', ['--size', `${sizeMiB}M`, image])
  await execa('mkfs.ext4', ['-q', '-m', '0', '-E', 'lazy_itable_init=0', image])
  const disk = new SmallDisk(target, image)
  await disk.mount()
  return disk
}
