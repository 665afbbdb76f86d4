/** The records of a partition as they lie on disk, to compare replicas. */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'

/** All segments of the partition in the log directory, one after the other; empty when there is none. */
export function logBytes(logDir: string, topic: string, partition: number): Buffer {
  const folder = path.join(logDir, `${topic}-${partition}`)
  try {
    const segments = readdirSync(folder).filter((name) => name.endsWith('.log'))
    return Buffer.concat(segments.sort().map((name) => readFileSync(path.join(folder, name))))
  } catch (error) {
    // Not there yet, or renamed on its way to deletion while it was read.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0)
    throw error
  }
}
