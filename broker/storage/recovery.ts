/**
 * Opens the segments of a partition. After a clean stop only the ends are looked at. Otherwise every segment from the
 * recovery point on (all before it was flushed) is read: cut at the first batch that is torn, damaged or out of order,
 * its indexes made anew, its leader epochs found again, and whatever follows the cut or a hole removed.
 */
import type { Logger } from '../runtime/logger.ts'
import { offsetOfFile, SEGMENT_SUFFIXES } from './file-names.ts'
import type { Files } from './files.ts'
import type { LeaderEpochs } from './leader-epochs.ts'
import { Segment } from './segment.ts'

export interface RecoveryOptions {
  readonly files: Files
  readonly directory: string
  readonly epochs: LeaderEpochs
  readonly logger: Logger
  readonly nowMs: number
  /** Everything before it was flushed. */
  readonly recoveryPoint: number
  readonly stoppedCleanly: boolean
  readonly indexIntervalBytes: number
}

/** The segments in order, perhaps none; files and names may still need a sync (`changed`). */
export interface RecoveredSegments {
  readonly segments: Segment[]
  readonly changed: boolean
}

export function recoverSegments(options: RecoveryOptions): RecoveredSegments {
  removeLeftovers(options.files, options.directory)
  const bases = segmentBases(options.files, options.directory)
  removeOrphanIndexes(options.files, options.directory, new Set(bases))
  const segments: Segment[] = []
  let changed = false
  for (const [index, base] of bases.entries()) {
    const segment = new Segment(options.files, options.directory, base, options.nowMs)
    const isFlushed = options.stoppedCleanly || (bases[index + 1] ?? Infinity) <= options.recoveryPoint
    const problem = isFlushed ? segment.findEnd() : undefined
    segments.push(segment)
    if (isFlushed && problem === undefined) continue
    changed = true
    if (problem !== undefined) {
      options.logger.warn({ file: segment.path, problem }, 'segment is not as it was left, reading all of it')
    }
    const wasCut = rebuildSegment(segment, options)
    if (wasCut || hasHoleBefore(bases[index + 1], segment)) {
      dropLater(bases.slice(index + 1), options)
      break
    }
  }
  return { segments, changed }
}

/** Returns whether the segment was cut. */
function rebuildSegment(segment: Segment, options: RecoveryOptions): boolean {
  const { epochs, logger } = options
  epochs.truncateEnd(segment.baseOffset)
  const result = segment.rebuild(options.indexIntervalBytes, (batch) => {
    if (batch.leaderEpoch > epochs.latest) epochs.assign(batch.leaderEpoch, batch.baseOffset)
  })
  if (result.problem === undefined) return false
  logger.warn(
    {
      file: segment.path,
      problem: result.problem,
      truncatedBytes: result.truncatedBytes,
      endOffset: segment.endOffset,
    },
    'segment cut at its first bad batch',
  )
  return true
}

/**
 * A new segment begins where the one before it ends. If it does not, the end of the unflushed one before is lost,
 * though what is left of it is whole. (Flushed segments may have holes between them: compaction makes some.)
 */
function hasHoleBefore(nextBase: number | undefined, segment: Segment): boolean {
  return nextBase !== undefined && nextBase !== segment.endOffset
}

function dropLater(bases: readonly number[], options: RecoveryOptions): void {
  for (const base of bases) {
    const segment = new Segment(options.files, options.directory, base, options.nowMs)
    options.logger.warn({ file: segment.path }, 'segment after the cut removed')
    segment.remove()
  }
}

function segmentBases(files: Files, directory: string): number[] {
  return files
    .list(directory)
    .flatMap(({ name }) => offsetOfFile(name, '.log') ?? [])
    .sort((a, b) => a - b)
}

/** Files of deletions, cleanings and replacements that a crash interrupted; what they replace is still there. */
function removeLeftovers(files: Files, directory: string): void {
  for (const { name } of files.list(directory)) {
    if (/\.(deleted|cleaned|tmp)$/.test(name)) files.remove(`${directory}/${name}`)
  }
}

function removeOrphanIndexes(files: Files, directory: string, bases: ReadonlySet<number>): void {
  for (const { name } of files.list(directory)) {
    const isOrphan = SEGMENT_SUFFIXES.some((suffix) => {
      const base = offsetOfFile(name, suffix)
      return base !== undefined && !bases.has(base)
    })
    if (isOrphan) files.remove(`${directory}/${name}`)
  }
}
