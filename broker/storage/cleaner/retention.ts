/**
 * Which segments of a log have had their time, by Apache Kafka's rules: oldest first, whole segments only, up to the
 * first that has to stay, and nothing that the high watermark has not passed. Every replica decides for itself.
 */

/** What retention needs to know of a segment. */
export interface RetainedSegment {
  readonly baseOffset: number
  readonly sizeBytes: number
  /** Of its records, or of its file where they have none. */
  readonly largestTimestamp: number
}

export interface RetainedLog {
  /** Oldest first; the last one is active. */
  readonly segments: readonly RetainedSegment[]
  readonly logStartOffset: number
  readonly logEndOffset: number
  readonly highWatermark: number
}

export interface RetentionRules {
  /** -1: for ever. */
  readonly retentionMs: number
  /** -1: any size. */
  readonly retentionBytes: number
  readonly nowMs: number
}

export type RetentionReason = 'before the log start offset' | 'retention.bytes' | 'retention.ms'

export interface Removal {
  /** Everything before it goes; the end of the log when the active segment goes as well. */
  readonly beforeOffset: number
  readonly segments: number
  readonly bytes: number
  readonly reason: RetentionReason
}

/**
 * What is to be removed, in order; each one goes on where the one before it ends. Without rules (the topic's
 * cleanup.policy has no `delete`) only what lies before the log start offset, where DeleteRecords has put it.
 */
export function removals(log: RetainedLog, rules: RetentionRules | undefined): Removal[] {
  const found: Removal[] = []
  let first = 0
  for (const [reason, isDue] of checks(log, rules)) {
    const end = endOfDue(log, first, isDue)
    if (end > first) found.push(removalOf(log, first, end, reason))
    first = end
  }
  return found
}

type IsDue = (segment: RetainedSegment, next: RetainedSegment | undefined) => boolean

function checks(log: RetainedLog, rules: RetentionRules | undefined): [RetentionReason, IsDue][] {
  const isBeforeStart: IsDue = (_, next) => next !== undefined && next.baseOffset <= log.logStartOffset
  const always: [RetentionReason, IsDue][] = [['before the log start offset', isBeforeStart]]
  if (rules === undefined) return always
  const { retentionMs, retentionBytes, nowMs } = rules
  // One of which compaction has left nothing must not keep what follows.
  const isTooOld: IsDue = ({ sizeBytes, largestTimestamp }) =>
    sizeBytes === 0 || nowMs - largestTimestamp > retentionMs
  return [
    ...always,
    ...(retentionBytes < 0 ? [] : [['retention.bytes', isTooMuch(log, retentionBytes)] as const]),
    ...(retentionMs < 0 ? [] : [['retention.ms', isTooOld] as const]),
  ].map(([reason, isDue]) => [reason, isDue])
}

/** A segment goes when the log is no smaller than `retentionBytes` without it. */
function isTooMuch({ segments }: RetainedLog, retentionBytes: number): IsDue {
  let excess: number | undefined
  return (segment) => {
    excess ??= bytesOf(segments.slice(segments.indexOf(segment))) - retentionBytes
    if (segment.sizeBytes > excess) return false
    excess -= segment.sizeBytes
    return true
  }
}

/** Index of the first segment from `first` on that stays. */
function endOfDue(
  { segments, highWatermark, logEndOffset }: RetainedLog,
  first: number,
  isDue: IsDue,
): number {
  for (let index = first; index < segments.length; index++) {
    const segment = segments[index]!
    const next = segments[index + 1]
    const isEmptyAndActive = next === undefined && segment.sizeBytes === 0
    const isBelowWatermark = (next?.baseOffset ?? logEndOffset) <= highWatermark
    if (isEmptyAndActive || !isBelowWatermark || !isDue(segment, next)) return index
  }
  return segments.length
}

function removalOf(log: RetainedLog, first: number, end: number, reason: RetentionReason): Removal {
  return {
    beforeOffset: log.segments[end]?.baseOffset ?? log.logEndOffset,
    segments: end - first,
    bytes: bytesOf(log.segments.slice(first, end)),
    reason,
  }
}

function bytesOf(segments: readonly RetainedSegment[]): number {
  return segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
}
