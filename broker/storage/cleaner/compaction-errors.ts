/** Why a compaction ended before its end. */

/** Nothing is wrong: the broker stops, or the log is not what it was any more. What had its place stays. */
export class CompactionAbortedError extends Error {
  override readonly name = 'CompactionAbortedError'
}

/** The log cannot be compacted, now or later, unless someone does something about it. */
export class UncleanableLogError extends Error {
  override readonly name = 'UncleanableLogError'
}
