/** The long poll of Fetch: waits until there are enough bytes, or something that the reader must know at once. */
import type { Partition } from '../replication/partition.ts'
import { waitForBytes } from '../replication/waiters.ts'
import type { RequestContext } from './context.ts'
import type { FetchOutcome, FetchReader, PartitionRead } from './fetch-read.ts'
import type { FetchTarget } from './fetch-sessions.ts'

export interface PollLimits {
  readonly minBytes: number
  readonly maxWaitMs: number
}

/** Waits where the outcomes are too little for an answer; true when reading anew can give another result. */
export async function waitForMore(
  targets: readonly FetchTarget[],
  outcomes: readonly FetchOutcome[],
  limits: PollLimits,
  reader: FetchReader,
  context: RequestContext,
): Promise<boolean> {
  const reads = enoughToWaitFor(outcomes, limits)
  if (reads === undefined) return false
  const size = reads.reduce((sum, { read }) => sum + read.sizeBytes, 0)
  const missingBytes = Math.min(limits.minBytes, reader.maxBytes) - size
  if (missingBytes <= 0) return false
  const progress = new Progress(targets, reads, reader, missingBytes === 1)
  return waitForBytes(
    reads.map(({ partition }) => partition),
    {
      newBytes: (partition) => progress.newBytes(partition),
      missingBytes,
      maxWaitMs: limits.maxWaitMs,
      clock: context.clock,
      signal: context.signal,
    },
  )
}

/** The outcomes, when none of them wants an answer at once: an error, or a log that has parted from the reader's. */
function enoughToWaitFor(outcomes: readonly FetchOutcome[], limits: PollLimits): PartitionRead[] | undefined {
  if (limits.maxWaitMs <= 0 || outcomes.length === 0) return undefined
  const reads: PartitionRead[] = []
  for (const outcome of outcomes) {
    if ('error' in outcome || outcome.read.divergingEpoch !== undefined) return undefined
    reads.push(outcome)
  }
  return reads
}

interface Counted {
  readonly leaderEpoch: number
  /** Bytes below this are counted. */
  from: number
  /** Bytes that the answer can still hold of the partition. */
  left: number
}

/** How much has become readable since the partitions were read. */
class Progress {
  readonly #targets: readonly FetchTarget[]
  readonly #reads: readonly PartitionRead[]
  readonly #reader: FetchReader
  readonly #anyWillDo: boolean
  /** Made when the first partition changes: most waits end without that. */
  #counted: Map<Partition, Counted> | undefined

  constructor(
    targets: readonly FetchTarget[],
    reads: readonly PartitionRead[],
    reader: FetchReader,
    anyWillDo: boolean,
  ) {
    this.#targets = targets
    this.#reads = reads
    this.#reader = reader
    this.#anyWillDo = anyWillDo
  }

  newBytes(partition: Partition): number | 'other' {
    this.#counted ??= this.#begin()
    const counted = this.#counted.get(partition)
    if (!partition.isLeader || counted?.leaderEpoch !== partition.leaderEpoch) return 'other'
    const end = partition.readableEnd(this.#reader.replica, this.#reader.readCommitted)
    if (end <= counted.from || counted.left <= 0) return 0
    if (this.#anyWillDo) return 1
    const bytes = bytesBetween(partition, counted.from, end)
    counted.from = end
    if (bytes === 'other') return bytes
    const fitting = Math.min(bytes, counted.left)
    counted.left -= fitting
    return fitting
  }

  #begin(): Map<Partition, Counted> {
    const counted = this.#reads.map(({ partition, leaderEpoch, read }, position) => {
      const { fetchOffset, partitionMaxBytes } = this.#targets[position]!.asked
      const from = Math.max(fetchOffset, read.readableEnd)
      return [partition, { leaderEpoch, from, left: partitionMaxBytes - read.sizeBytes }] as const
    })
    return new Map(counted)
  }
}

function bytesBetween(partition: Partition, from: number, end: number): number | 'other' {
  try {
    return partition.log.readableBytes(from, end)
  } catch {
    // Retention took the records away: reading once more gives the client the error that it needs.
    return 'other'
  }
}
