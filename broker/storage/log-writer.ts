/**
 * The end of a partition's log: where the next batch goes, what the producers did so far, and the batches that wait
 * to be written. All that comes in one turn of the event loop goes to the file in one write.
 */
import type { BatchView } from '../protocol/record-batch.ts'
import type { Clock } from '../runtime/clock.ts'
import type { DirectoryHealth } from './directory-health.ts'
import type { LeaderEpochs } from './leader-epochs.ts'
import type { LogSegments } from './log-segments.ts'
import { encodeSnapshot } from './producer-snapshot.ts'
import type { ProducerSnapshots } from './producer-snapshots.ts'
import type { ProducerState } from './producer-state.ts'
import type { SegmentLimits } from './segment.ts'

/** Staged bytes that are written without waiting for the end of the turn. */
const MAX_STAGED_BYTES = 8 * 1024 * 1024

export interface LogWriterOptions {
  readonly directory: string
  readonly segments: LogSegments
  readonly epochs: LeaderEpochs
  readonly snapshots: ProducerSnapshots
  readonly health: DirectoryHealth
  readonly clock: Clock
  /** As they are when asked. */
  readonly limits: () => SegmentLimits
  /** Throws when nothing may be written any more. */
  readonly mustBeUsable: () => void
  /** The producers by what is in the files. */
  readonly loadProducers: () => ProducerState
  /** A segment was closed and wants to be flushed. */
  readonly onRoll: () => void
}

interface Turn {
  readonly promise: Promise<void>
  readonly resolve: () => void
  readonly reject: (reason: Error) => void
}

export class LogWriter {
  readonly #o: LogWriterOptions
  #producers: ProducerState
  #logEndOffset: number
  /** Stamped batches that wait for the end of the turn, and where the next one goes. */
  #staged: BatchView[] = []
  #stagedBytes = 0
  #nextOffset: number
  #turn: Turn | undefined

  constructor(options: LogWriterOptions, logEndOffset: number, producers: ProducerState) {
    this.#o = options
    this.#logEndOffset = logEndOffset
    this.#nextOffset = logEndOffset
    this.#producers = producers
  }

  /** One past the last record that is in the file. */
  get logEndOffset(): number {
    return this.#logEndOffset
  }

  /** What the next batch gets: staged ones count. */
  get nextOffset(): number {
    return this.#nextOffset
  }

  /** By all batches up to `nextOffset`. */
  get producers(): ProducerState {
    return this.#producers
  }

  /** The log was cut: it ends at `logEndOffset`, and its producers are these. */
  restartAt(logEndOffset: number, producers: ProducerState): void {
    this.#logEndOffset = logEndOffset
    this.#nextOffset = logEndOffset
    this.#producers = producers
  }

  /** Takes over batches that have their offsets; resolves once they are in the file. */
  stage(batches: readonly BatchView[]): Promise<void> {
    const { segments, clock } = this.#o
    for (const batch of batches) {
      if (segments.active.isFullFor(batch, this.#stagedBytes, clock.now(), this.#o.limits())) {
        const failure = this.write()
        if (failure !== undefined) throw failure
        this.roll()
      }
      this.#o.epochs.assign(batch.leaderEpoch, batch.baseOffset)
      const aborted = this.#producers.update(batch)
      if (aborted !== undefined) segments.addAborted(aborted)
      this.#staged.push(batch)
      this.#stagedBytes += batch.sizeBytes
      this.#nextOffset = batch.lastOffset + 1
    }
    this.#turn ??= this.#beginTurn()
    const { promise } = this.#turn
    if (this.#stagedBytes >= MAX_STAGED_BYTES) this.write()
    return promise
  }

  /** Resolves when what is staged is in the file. */
  async settled(): Promise<void> {
    await this.#turn?.promise
  }

  #beginTurn(): Turn {
    const turn = Promise.withResolvers<void>()
    turn.promise.catch(() => {})
    setImmediate(() => this.write())
    return turn
  }

  /**
   * Writes what is staged. A failure, which is also returned, rejects the appends; for want of space everything is as
   * it was before them then, other failures take the directory offline.
   */
  write(): Error | undefined {
    const batches = this.#staged
    const turn = this.#turn
    this.#staged = []
    this.#stagedBytes = 0
    this.#turn = undefined
    const { active } = this.#o.segments
    try {
      if (batches.length > 0) {
        this.#o.mustBeUsable()
        active.append(batches, this.#o.limits())
        this.#logEndOffset = this.#nextOffset
      }
      turn?.resolve()
      return undefined
    } catch (error) {
      const failure = this.#o.health.failedWrite(active.path, error, () => this.#undo())
      turn?.reject(failure)
      return failure
    }
  }

  #undo(): void {
    this.#o.segments.active.undoAppend(this.#logEndOffset)
    this.#o.epochs.truncateEnd(this.#logEndOffset + 1)
    this.restartAt(this.#logEndOffset, this.#o.loadProducers())
  }

  /** Begins a new segment where the log ends; the old one is flushed behind the appends' back. */
  roll(): void {
    const baseOffset = this.#nextOffset
    try {
      this.#o.segments.active.seal()
      this.#o.snapshots.write(baseOffset, encodeSnapshot(this.#producers))
      this.#o.segments.add(baseOffset)
    } catch (error) {
      throw this.#o.health.failedWrite(this.#o.directory, error, () => this.#o.snapshots.remove(baseOffset))
    }
    this.#o.onRoll()
  }
}
