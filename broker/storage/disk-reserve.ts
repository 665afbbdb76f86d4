/**
 * Keeps a part of each file system free of clients' records, so that what makes room (retention, compaction, deletes)
 * and what keeps the cluster together (replication, internal topics, checkpoints) is never short of it.
 *
 * Free space is measured by the clock and not by the append: the nearer the reserve, the more often, so that at
 * FASTEST_WRITE the reserve is not passed by more than what is written between two measurements. Log directories of
 * one file system share its measurements. Records are let in again a little above the reserve: at the limit itself
 * every deleted segment would change the answer.
 */
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/logger.ts'
import type { DirectoryHealth } from './directory-health.ts'
import { type DiskSpace, formatBytes, type MeasureSpace } from './disk-space.ts'

const MiB = 1024 * 1024
/** Bytes in a millisecond: 1 GiB/s. */
const FASTEST_WRITE = 1024 ** 3 / 1000
const SOONEST_MS = 100
const LATEST_MS = 10_000
/** While records are refused. */
const RECHECK_MS = 500
/** Above the reserve by this part of it, records are let in again. */
const LEAVE_ABOVE = 1.05
/** After a write that found no space, appends of every kind begin again with a tenth of the reserve, or this much. */
const MIN_SPACE_TO_GO_ON = MiB

export interface ReserveLimits {
  /** Of the file system's size, 0 to 99. */
  readonly percent: number
  readonly minBytes: number
}

export interface DiskReserveOptions {
  /** Of every log directory that is online. */
  readonly directories: readonly DirectoryHealth[]
  /** As they are when asked. */
  readonly limits: () => ReserveLimits
  readonly measure: MeasureSpace
  readonly clock: Clock
  readonly logger: Logger
}

/** Directories of one file system. */
interface Watched {
  readonly directories: readonly DirectoryHealth[]
  isBelow: boolean
  cancel: () => void
}

export class DiskReserve {
  readonly #o: DiskReserveOptions
  #watched: readonly Watched[] = []
  #isClosed = false

  constructor(options: DiskReserveOptions) {
    this.#o = options
  }

  /** Measures, and goes on doing so until `close`. */
  async start(): Promise<void> {
    const spaces = await Promise.all(this.#o.directories.map(async (health) => this.#measure(health)))
    const byFileSystem = Map.groupBy(this.#o.directories, (health) => {
      const space = spaces[this.#o.directories.indexOf(health)]
      return space?.fileSystem ?? health.path
    })
    this.#watched = [...byFileSystem.values()].map((directories) => ({
      directories,
      isBelow: false,
      cancel: () => {},
    }))
    for (const watched of this.#watched) await this.#look(watched)
  }

  close(): void {
    this.#isClosed = true
    for (const { cancel } of this.#watched) cancel()
  }

  async #look(watched: Watched): Promise<void> {
    const online = watched.directories.filter(({ isOnline }) => isOnline)
    const [first] = online
    if (first === undefined) return
    const space = await this.#measure(first)
    if (this.#isClosed) return
    const nextMs = space === undefined ? LATEST_MS : this.#judge(watched, online, space)
    watched.cancel = this.#o.clock.after(nextMs, () => void this.#look(watched))
  }

  async #measure({ path }: DirectoryHealth): Promise<DiskSpace | undefined> {
    try {
      return await this.#o.measure(path)
    } catch (error) {
      this.#o.logger.warn({ directory: path, err: error }, 'free space cannot be measured')
      return undefined
    }
  }

  /** Tells the directories what the measurement means for them; returns when to measure again. */
  #judge(watched: Watched, online: readonly DirectoryHealth[], space: DiskSpace): number {
    const { percent, minBytes } = this.#o.limits()
    const { totalBytes, usableBytes } = space
    const reserveBytes = Math.max((totalBytes * percent) / 100, minBytes)
    const isBelow = usableBytes < reserveBytes * (watched.isBelow ? LEAVE_ABOVE : 1)
    if (isBelow !== watched.isBelow) {
      watched.isBelow = isBelow
      const directories = online.map(({ path }) => path)
      const fields = { directories, usableBytes, reserveBytes, totalBytes }
      if (isBelow)
        this.#o.logger.warn(fields, 'free space is below the reserve: records of clients are refused')
      else this.#o.logger.info(fields, 'free space is above the reserve again: records of clients are taken')
    }
    for (const health of online) {
      health.shortage = isBelow ? describe(health.path, space, reserveBytes) : undefined
      if (usableBytes >= Math.max(reserveBytes / 10, MIN_SPACE_TO_GO_ON)) health.spaceFound()
    }
    if (isBelow || online.some(({ isFull }) => isFull)) return RECHECK_MS
    const untilReserveMs = (usableBytes - reserveBytes) / FASTEST_WRITE
    return Math.min(Math.max(untilReserveMs, SOONEST_MS), LATEST_MS)
  }
}

function describe(directory: string, { usableBytes, totalBytes }: DiskSpace, reserveBytes: number): string {
  return (
    `${directory} has ${formatBytes(usableBytes)} free of ${formatBytes(totalBytes)}, less than the reserve of ` +
    `${formatBytes(reserveBytes)}: records are refused until there is more. Delete topics or records, shorten their ` +
    'retention or enlarge the file system; disk.reserve.percent and disk.reserve.min.bytes set the reserve'
  )
}
