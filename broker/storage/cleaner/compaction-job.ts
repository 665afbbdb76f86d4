/**
 * One compaction under way: the segments that it was made for, which others may truncate or remove while it rests, and
 * what it has done so far.
 */
import type { BatchView } from '../../protocol/record-batch.ts'
import type { PartitionLog } from '../partition-log.ts'
import type { Segment } from '../segment.ts'
import { CompactionAbortedError, UncleanableLogError } from './compaction-errors.ts'
import type { DirtyRange } from './dirty-range.ts'
import type { WorkSlices } from './work-slices.ts'

export interface CompactionJobOptions {
  readonly log: PartitionLog
  readonly range: DirtyRange
  readonly slices: WorkSlices
  readonly nowMs: number
  /** Whether a copy of the log is being made now. */
  readonly isMoving: () => boolean
}

export class CompactionJob {
  readonly log: PartitionLog
  readonly range: DirtyRange
  readonly slices: WorkSlices
  /** When it began: what horizons count from. */
  readonly nowMs: number
  /** Oldest first, all up to the one that cannot be compacted. */
  readonly segments: readonly Segment[]
  /** In bytes, as they were. */
  readonly #sizes: ReadonlyMap<Segment, number>
  readonly #isMoving: () => boolean
  bytesRead = 0
  bytesWritten = 0
  recordsRead = 0
  recordsKept = 0

  constructor(o: CompactionJobOptions) {
    this.log = o.log
    this.#isMoving = o.isMoving
    this.range = o.range
    this.slices = o.slices
    this.nowMs = o.nowMs
    this.segments = o.log
      .segments()
      .slice(0, -1)
      .filter(({ baseOffset }) => baseOffset < o.range.firstUncleanableOffset)
    this.#sizes = new Map(this.segments.map((segment) => [segment, segment.sizeBytes]))
  }

  /** Where the segment after this one begins. */
  endOf(segment: Segment): number {
    const next = this.segments[this.segments.indexOf(segment) + 1]
    return next?.baseOffset ?? this.range.firstUncleanableOffset
  }

  /**
   * Shows `visit` every batch of the segment from `position` on, whole and with its checksum verified, until it says
   * false; returns what it said last. The batch stays as it is until then. Rests in between. Rejects with UncleanableLogError before a damaged batch.
   */
  async walk(
    segment: Segment,
    position: number,
    visit: (batch: BatchView) => boolean | Promise<boolean>,
  ): Promise<boolean> {
    const scanner = segment.scan(position)
    for (let batch = scanner.nextIntact(); batch !== undefined; batch = scanner.nextIntact()) {
      const { sizeBytes } = batch
      const visited = visit(batch)
      if (typeof visited !== 'boolean') {
        if (!(await visited)) return false
        this.mustStillHave([segment])
      } else if (!visited) return false
      this.slices.spend(sizeBytes)
      if (!this.slices.isOver()) continue
      await this.slices.rest()
      this.mustStillHave([segment])
    }
    if (scanner.problem !== undefined) throw new UncleanableLogError(`${segment.path}: ${scanner.problem}`)
    return true
  }

  /** Throws CompactionAbortedError when the log is closed or copied, or one of the segments is not what it was. */
  mustStillHave(segments: readonly Segment[]): void {
    if (!this.log.isUsable) throw new CompactionAbortedError('the log was closed or went offline')
    if (this.#isMoving()) throw new CompactionAbortedError('the log is on its way to another directory')
    const closed = this.log.segments().slice(0, -1)
    for (const segment of segments) {
      if (!closed.includes(segment) || segment.sizeBytes !== this.#sizes.get(segment)) {
        throw new CompactionAbortedError(`segment ${segment.baseOffset} was truncated or removed meanwhile`)
      }
    }
  }
}
