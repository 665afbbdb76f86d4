/** How much space a file system has, as the kernel tells. */
import { stat, statfs } from 'node:fs/promises'

export interface DiskSpace {
  /** The same for all directories of one file system. */
  readonly fileSystem: string
  readonly totalBytes: number
  /** What a process without special rights may still write. */
  readonly usableBytes: number
}

/** Of the file system that `directory` lies in. Rejects with what the system says. */
export type MeasureSpace = (directory: string) => Promise<DiskSpace>

/** Asked off the event loop: a network file system that hangs must not stop the broker. */
export const measureSpace: MeasureSpace = async (directory) => {
  const [{ dev }, { bsize, blocks, bavail }] = await Promise.all([stat(directory), statfs(directory)])
  return { fileSystem: String(dev), totalBytes: blocks * bsize, usableBytes: bavail * bsize }
}

const UNITS = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'] as const

/** For people: 1536 is "1.5 KiB". */
export function formatBytes(bytes: number): string {
  const power = Math.min(Math.floor(Math.log2(Math.max(bytes, 1)) / 10), UNITS.length - 1)
  const value = bytes / 2 ** (10 * power)
  return `${power === 0 || value >= 100 ? Math.round(value) : Number(value.toFixed(1))} ${UNITS[power]}`
}
