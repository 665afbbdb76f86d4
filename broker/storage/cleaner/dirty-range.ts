/**
 * Which part of a compacted log is dirty (was never compacted), how much of it can be compacted now, and how that is
 * cut into pieces. The dirty part begins where the last compaction ended; what can be compacted ends with the first
 * segment that
 *   is active, or not flushed,
 *   holds the last stable offset: what follows may still be truncated, or its transaction is open,
 *   holds records younger than min.compaction.lag.ms.
 */

/** What these rules need to know of a segment. */
export interface CompactedSegment {
  readonly baseOffset: number
  readonly sizeBytes: number
  readonly offsetIndexBytes: number
  readonly timeIndexBytes: number
  /** Of its records, or of its file where they have none. */
  readonly largestTimestamp: number
  /** Of its first batch; -1 when it has none. */
  readonly firstTimestamp: number
}

export interface CompactedLog<S extends CompactedSegment = CompactedSegment> {
  /** Oldest first; the last one is active. */
  readonly segments: readonly S[]
  readonly logStartOffset: number
  readonly logEndOffset: number
  readonly lastStableOffset: number
  /** Everything before it is flushed. */
  readonly recoveryPoint: number
  /** Where the last compaction ended; 0 when there was none. */
  readonly compactedUpTo: number
}

export interface LagRules {
  readonly minLagMs: number
  readonly maxLagMs: number
  readonly nowMs: number
}

export interface DirtyRange {
  readonly firstDirtyOffset: number
  /** The base offset of the first segment that cannot be compacted. */
  readonly firstUncleanableOffset: number
  readonly cleanableBytes: number
  /** Share of the bytes up to firstUncleanableOffset that are dirty; 0 when there are none. */
  readonly dirtyRatio: number
  /** By how much the oldest dirty record is beyond max.compaction.lag.ms; 0 when it is not. */
  readonly overdueMs: number
}

export function dirtyRangeOf(log: CompactedLog, rules: LagRules): DirtyRange {
  const firstDirtyOffset = firstDirtyOffsetOf(log)
  const dirty = closedSegmentsFrom(log, firstDirtyOffset)
  const tooYoung =
    rules.minLagMs > 0
      ? dirty.find(({ largestTimestamp }) => largestTimestamp > rules.nowMs - rules.minLagMs)
      : undefined
  const limit = Math.max(
    firstDirtyOffset,
    Math.min(log.lastStableOffset, log.recoveryPoint, tooYoung?.baseOffset ?? Infinity),
  )
  const uncleanable = log.segments[indexOfSegment(log, limit)]
  const firstUncleanableOffset = uncleanable?.baseOffset ?? firstDirtyOffset
  const cleanableBytes = bytesOf(dirty.filter(({ baseOffset }) => baseOffset < firstUncleanableOffset))
  const cleanBytes = bytesOf(log.segments.filter(({ baseOffset }) => baseOffset < firstDirtyOffset))
  const totalBytes = cleanBytes + cleanableBytes
  return {
    firstDirtyOffset,
    firstUncleanableOffset,
    cleanableBytes,
    dirtyRatio: totalBytes === 0 ? 0 : cleanableBytes / totalBytes,
    overdueMs: overdueMsOf(dirty, rules),
  }
}

/** What was compacted may have been truncated, or deleted, since: then all there is counts as dirty. */
function firstDirtyOffsetOf({ compactedUpTo, logStartOffset, logEndOffset }: CompactedLog): number {
  return compactedUpTo > logEndOffset ? logStartOffset : Math.max(compactedUpTo, logStartOffset)
}

/** Index of the segment that holds `offset`, or would; the first one when all begin later. */
function indexOfSegment({ segments }: CompactedLog, offset: number): number {
  return Math.max(
    0,
    segments.findLastIndex(({ baseOffset }) => baseOffset <= offset),
  )
}

/** Those that are not active, from the one that holds `offset` on. */
function closedSegmentsFrom(log: CompactedLog, offset: number): readonly CompactedSegment[] {
  return log.segments.slice(indexOfSegment(log, offset), -1)
}

function overdueMsOf(dirty: readonly CompactedSegment[], { maxLagMs, nowMs }: LagRules): number {
  // Most topics have no such bound: their segments need not be looked into.
  if (maxLagMs >= nowMs) return 0
  const known = dirty.map(({ firstTimestamp }) => firstTimestamp).filter((timestamp) => timestamp > 0)
  return known.length === 0 ? 0 : Math.max(0, nowMs - maxLagMs - Math.min(...known))
}

export interface GroupLimits {
  readonly segmentBytes: number
  readonly indexBytes: number
  readonly firstUncleanableOffset: number
}

const MAX_RELATIVE_OFFSET = 0x7fff_ffff

/** Neighbours that fit into one segment together, so that compaction leaves no crowd of tiny ones. */
export function groupSegments<S extends CompactedSegment>(
  segments: readonly S[],
  limits: GroupLimits,
): S[][] {
  const groups: S[][] = []
  for (const [index, segment] of segments.entries()) {
    const group = groups.at(-1)
    const endOffset = segments[index + 1]?.baseOffset ?? limits.firstUncleanableOffset
    if (group !== undefined && fitsInto(group, segment, endOffset, limits)) group.push(segment)
    else groups.push([segment])
  }
  return groups
}

function fitsInto(
  group: readonly CompactedSegment[],
  segment: CompactedSegment,
  endOffset: number,
  limits: GroupLimits,
): boolean {
  const together = [...group, segment]
  return (
    bytesOf(together) <= limits.segmentBytes &&
    sumOf(together, ({ offsetIndexBytes }) => offsetIndexBytes) <= limits.indexBytes &&
    sumOf(together, ({ timeIndexBytes }) => timeIndexBytes) <= limits.indexBytes &&
    endOffset - 1 - group[0]!.baseOffset <= MAX_RELATIVE_OFFSET
  )
}

function bytesOf(segments: readonly CompactedSegment[]): number {
  return sumOf(segments, ({ sizeBytes }) => sizeBytes)
}

function sumOf<T>(items: readonly T[], value: (item: T) => number): number {
  return items.reduce((sum, item) => sum + value(item), 0)
}
