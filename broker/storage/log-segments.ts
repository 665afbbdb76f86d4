/**
 * The segments of a partition, oldest first, and the life of their files: made, cut, removed, replaced. There is
 * always at least one; the last is the active one.
 *
 * Files that are not needed any more get the suffix .deleted and go after `file.delete.delay.ms`; what is left when
 * the log is closed goes when it is opened next. Names survive a crash after `syncNames`.
 */
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/logger.ts'
import { SWAP } from './file-names.ts'
import type { Files } from './files.ts'
import { newCleanedSegment, Segment } from './segment.ts'
import type { AbortedTransaction } from './transaction-index.ts'

export interface LogSegmentsOptions {
  readonly files: Files
  readonly directory: string
  readonly clock: Clock
  readonly logger: Logger
  /** From 0 to 1. */
  readonly random: () => number
  /** `file.delete.delay.ms` of the moment. */
  readonly deleteDelayMs: () => number
}

export class LogSegments {
  readonly #o: LogSegmentsOptions
  readonly #removals = new Set<() => void>()
  #all: Segment[]
  #namesChanged = false

  /** `found`: what recovery opened, perhaps nothing; `add` must follow then. */
  constructor(options: LogSegmentsOptions, found: readonly Segment[]) {
    this.#o = options
    this.#all = [...found]
  }

  get all(): readonly Segment[] {
    return this.#all
  }

  get active(): Segment {
    return this.#all.at(-1)!
  }

  /** Bytes of records on disk. */
  get sizeBytes(): number {
    return this.#all.reduce((sum, segment) => sum + segment.sizeBytes, 0)
  }

  #optionsFor(baseOffset: number) {
    const { files, directory, clock, random } = this.#o
    return { files, directory, baseOffset, createdMs: clock.now(), jitter: random() }
  }

  /** A new active segment; when that fails, none of its files stay. */
  add(baseOffset: number): void {
    this.#namesChanged = true
    const options = this.#optionsFor(baseOffset)
    try {
      this.#all.push(Segment.create(options))
    } catch (error) {
      Segment.open(options).remove()
      throw error
    }
  }

  /** Takes note of a transaction whose abort marker the active segment is about to get. */
  addAborted(aborted: AbortedTransaction): void {
    this.active.addAborted(aborted)
    // The first one makes the file of the index.
    this.#namesChanged = true
  }

  /** An empty segment under a name of its own, for the cleaner to fill. */
  newCleaned(baseOffset: number): Segment {
    return newCleanedSegment(this.#optionsFor(baseOffset))
  }

  /** Where the segment begins that a cut to `offset` leaves as the active one. */
  baseBelow(offset: number): number {
    return this.#all.findLast(({ baseOffset }) => baseOffset < offset)?.baseOffset ?? offset
  }

  /** Drops the batch that holds `offset` and all after it. */
  cutTo(offset: number): void {
    while (this.#all.length > 1 && this.active.baseOffset >= offset) this.#all.pop()!.remove()
    this.active.truncateTo(offset)
    this.#namesChanged = true
  }

  /** Newest first, so that a crash in between leaves a log that ends early and not one with a hole. */
  restartAt(offset: number): void {
    for (const segment of this.#all.toReversed()) segment.remove()
    this.#all = []
    this.add(offset)
  }

  /** Takes the oldest `count` segments away, at most all but the active one; their files go later. */
  removeFirst(count: number): readonly Segment[] {
    const removed = this.#all.splice(0, Math.min(count, this.#all.length - 1))
    this.#removeFilesLater(removed)
    return removed
  }

  /**
   * Puts `cleaned`, which are flushed, in the place of `old`. Crash-safe as Kafka does it: what is named .swap when
   * the log is opened next replaces everything in its range of offsets, what is still .cleaned counts for nothing.
   */
  async replace(old: readonly Segment[], cleaned: readonly Segment[]): Promise<void> {
    this.#namesChanged = true
    await this.syncNames()
    // The last first: all of them are .swap once the first one is, and a .cleaned before a .swap voids it.
    for (const segment of cleaned.toReversed()) segment.changeState(SWAP)
    this.#namesChanged = true
    await this.syncNames()
    const position = this.#all.indexOf(old[0]!)
    this.#all.splice(position, old.length, ...cleaned)
    this.#removeFilesLater(old)
    for (const segment of cleaned) segment.changeState('')
    await this.syncNames()
  }

  #removeFilesLater(segments: readonly Segment[]): void {
    if (segments.length === 0) return
    this.#namesChanged = true
    const paths = segments.flatMap((segment) => segment.markDeleted())
    const cancel = this.#o.clock.after(this.#o.deleteDelayMs(), () => {
      this.#removals.delete(cancel)
      try {
        for (const path of paths) this.#o.files.remove(path)
      } catch (error) {
        this.#o.logger.warn({ paths, err: error }, 'deleted segment not removed, the next start will')
      }
    })
    this.#removals.add(cancel)
  }

  /** Makes the present names of the files survive a crash. */
  async syncNames(): Promise<void> {
    if (!this.#namesChanged) return
    this.#namesChanged = false
    await this.#o.files.syncDirectory(this.#o.directory)
  }

  /** Files came or went by another hand. */
  namesChanged(): void {
    this.#namesChanged = true
  }

  close(): void {
    for (const cancel of this.#removals) cancel()
    for (const segment of this.#all) segment.close()
  }
}
