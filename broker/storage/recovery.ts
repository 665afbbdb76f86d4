/**
 * Opens the segments of a partition. After a clean stop only the ends are looked at. Otherwise every segment from the
 * recovery point on (all before it was flushed) is read: cut at the first batch that is torn, damaged or out of order,
 * its indexes made anew, its leader epochs and the state of the producers found again, and whatever follows the cut
 * or a hole set aside (*.log.lost): not served, but kept for people to look at.
 */
import type { BatchView } from '../protocol/record-batch.ts'
import type { Logger } from '../runtime/logger.ts'
import { offsetFileName, offsetOfFile, type OffsetSuffix, SEGMENT_SUFFIXES } from './file-names.ts'
import type { Files } from './files.ts'
import { finishInterrupted } from './interrupted-swap.ts'
import type { LeaderEpochs } from './leader-epochs.ts'
import type { LogSegments } from './log-segments.ts'
import type { ProducerSnapshots } from './producer-snapshots.ts'
import { ProducerState } from './producer-state.ts'
import { Segment } from './segment.ts'
import type { AbortedTransaction } from './transaction-index.ts'

export interface RecoveryOptions {
  readonly files: Files
  readonly directory: string
  readonly epochs: LeaderEpochs
  readonly snapshots: ProducerSnapshots
  readonly logger: Logger
  readonly nowMs: number
  readonly logStartOffset: number
  /** Everything before it was flushed, but for the indexes of the segment that was written to then. */
  readonly recoveryPoint: number
  /** Everything before it was compacted, and flushed then. */
  readonly compactedUpTo: number
  readonly stoppedCleanly: boolean
  readonly indexIntervalBytes: number
}

/** The segments in order, perhaps none; files and names may still need a sync (`changed`). */
export interface RecoveredSegments {
  readonly segments: Segment[]
  readonly changed: boolean
}

export function recoverSegments(options: RecoveryOptions): RecoveredSegments {
  const { files, directory, logger, snapshots } = options
  const list = (): string[] => files.list(directory).map(({ name }) => name)
  let names = list()
  let changed = finishInterrupted(files, directory, names, logger)
  if (changed) names = list()
  const bases = offsetsOf(names, '.log')
  removeOrphanIndexes(files, directory, names, new Set(bases))
  snapshots.found(offsetsOf(names, '.snapshot'))
  const segments: Segment[] = []
  const there = new Set(names)
  let producers: ProducerState | undefined
  for (const [index, base] of bases.entries()) {
    const segment = openSegment(base, options)
    const next = bases[index + 1]
    const isFlushed = options.stoppedCleanly || (next ?? Infinity) < options.recoveryPoint
    const problem = isFlushed ? problemOf(segment, next === undefined, there) : undefined
    if (!isFlushed || problem !== undefined) {
      changed = true
      if (problem !== undefined) {
        logger.warn({ file: segment.path, problem }, 'segment is not as it was left, reading all of it')
      }
      producers ??= loadProducers(segments, snapshots, options.logStartOffset, base)
      const wasCut = rebuildSegment(segment, producers, options)
      if (wasCut || (next !== undefined && isLostBefore(next, segment, options))) {
        segments.push(segment)
        dropLater(bases.slice(index + 1), options)
        break
      }
    }
    segments.push(segment)
    segment.close()
  }
  for (const segment of segments.slice(0, -1)) if (segment.isDirty) segment.seal()
  snapshots.removeStray(segments.map(({ baseOffset }) => baseOffset))
  snapshots.removeAfter(segments.at(-1)?.endOffset ?? -1)
  return { segments, changed }
}

export interface LogParts {
  readonly segments: LogSegments
  readonly snapshots: ProducerSnapshots
  readonly epochs: LeaderEpochs
}

/** Makes the log begin at `checkpointed`, or where its first segment does; returns that offset. */
export function beginLog({ segments, snapshots, epochs }: LogParts, checkpointed: number): number {
  const startOffset = Math.max(checkpointed, segments.all[0]?.baseOffset ?? 0)
  if ((segments.all.at(-1)?.endOffset ?? -1) < startOffset) {
    segments.restartAt(startOffset)
    snapshots.removeAll()
  }
  epochs.truncateEnd(segments.active.endOffset)
  epochs.truncateStart(startOffset)
  return startOffset
}

/** What is wrong with a flushed segment at first sight; only the last one is looked into. */
function problemOf(segment: Segment, isLast: boolean, names: ReadonlySet<string>): string | undefined {
  const missing = (['.index', '.timeindex'] as const).find(
    (suffix) => !names.has(offsetFileName(segment.baseOffset, suffix)),
  )
  if (missing !== undefined) return `its ${missing} file is missing`
  return isLast ? segment.findEnd() : undefined
}

function openSegment(baseOffset: number, options: RecoveryOptions): Segment {
  const { files, directory, nowMs, logger } = options
  const onProblem = (file: string, problem: string): void => {
    logger.warn({ file, problem }, 'segment is not as it was left')
  }
  return Segment.open({ files, directory, baseOffset, createdMs: nowMs, onProblem })
}

/** Returns whether the segment was cut. */
function rebuildSegment(segment: Segment, producers: ProducerState, options: RecoveryOptions): boolean {
  const { epochs, logger } = options
  epochs.truncateEnd(segment.baseOffset)
  const takeNote = (batch: BatchView): AbortedTransaction | undefined => {
    if (batch.leaderEpoch > epochs.latest) epochs.assign(batch.leaderEpoch, batch.baseOffset)
    return producers.update(batch)
  }
  const result = segment.rebuild(options.indexIntervalBytes, takeNote)
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
 * The producers by the records before `endOffset`: the newest snapshot, and the batches after it, also those that are
 * there but below the start of the log; without a snapshot, the batches that can be read.
 */
export function loadProducers(
  segments: readonly Segment[],
  snapshots: ProducerSnapshots,
  logStartOffset: number,
  endOffset: number,
): ProducerState {
  const { state, offset: from } = snapshots.newest(endOffset) ?? {
    state: new ProducerState(),
    offset: logStartOffset,
  }
  for (const [index, segment] of segments.entries()) {
    if ((segments[index + 1]?.baseOffset ?? segment.endOffset) <= from) continue
    const scanner = segment.scan(segment.positionOf(from))
    for (;;) {
      const { position } = scanner
      const header = scanner.nextHeader()
      if (header === undefined) break
      state.update(header.isControl ? scanner.batchAt(position, header.sizeBytes) : header)
    }
  }
  return state
}

/**
 * A new segment begins where the one before it ends. If it does not, the end of the unflushed one before is lost,
 * though what is left of it is whole; but for compaction, which makes holes.
 */
function isLostBefore(nextBase: number, segment: Segment, { compactedUpTo }: RecoveryOptions): boolean {
  return nextBase !== segment.endOffset && nextBase > compactedUpTo
}

function dropLater(bases: readonly number[], options: RecoveryOptions): void {
  for (const base of bases) {
    const segment = openSegment(base, options)
    const { path, sizeBytes } = segment
    options.logger.warn(
      { file: path, sizeBytes, keptAs: segment.setAside() },
      'segment after a cut or a hole set aside: remove it once nothing is missed',
    )
  }
}

function offsetsOf(names: readonly string[], suffix: OffsetSuffix): number[] {
  return names.flatMap((name) => offsetOfFile(name, suffix) ?? []).sort((a, b) => a - b)
}

function removeOrphanIndexes(
  files: Files,
  directory: string,
  names: readonly string[],
  bases: ReadonlySet<number>,
): void {
  for (const name of names) {
    const isOrphan = SEGMENT_SUFFIXES.some((suffix) => {
      const base = offsetOfFile(name, suffix)
      return base !== undefined && !bases.has(base)
    })
    if (isOrphan) files.remove(`${directory}/${name}`)
  }
}
