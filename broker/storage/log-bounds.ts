/**
 * What takes records away from a partition's log: truncation at its end, a start offset that rises, segments that
 * retention removes or the cleaner replaces. Each runs alone, in the queue of the tasks that wait for the disk;
 * appends may go on meanwhile, so what is staged is written first, and again after each wait.
 */
import { KafkaError } from '../protocol/errors.ts'
import type { Logger } from '../runtime/logger.ts'
import type { LeaderEpochs } from './leader-epochs.ts'
import type { LogFlusher } from './log-flusher.ts'
import type { LogSegments } from './log-segments.ts'
import type { LogWriter } from './log-writer.ts'
import type { ProducerSnapshots } from './producer-snapshots.ts'
import type { ProducerState } from './producer-state.ts'
import type { Segment } from './segment.ts'

export interface LogBoundsOptions {
  readonly segments: LogSegments
  readonly writer: LogWriter
  readonly flusher: LogFlusher
  readonly epochs: LeaderEpochs
  readonly snapshots: ProducerSnapshots
  readonly logger: Logger
  /** The producers by what is left of the log. */
  readonly loadProducers: (logStartOffset: number) => ProducerState
  /** Makes the recovery points and start offsets of the log directory durable. */
  readonly checkpoint: () => Promise<void>
}

export class LogBounds {
  readonly #o: LogBoundsOptions
  #logStartOffset: number

  constructor(options: LogBoundsOptions, logStartOffset: number) {
    this.#o = options
    this.#logStartOffset = logStartOffset
  }

  get logStartOffset(): number {
    return this.#logStartOffset
  }

  /** Drops all records from `offset` on; a batch that spans it goes as a whole, so the log may end earlier. */
  async truncateTo(offset: number): Promise<void> {
    const { segments, writer, flusher, epochs } = this.#o
    writer.write()
    if (offset >= writer.logEndOffset) {
      // An epoch that was led here without a record would make the logs seem to differ for ever.
      epochs.truncateEnd(writer.logEndOffset)
      return epochs.flush(writer.logEndOffset)
    }
    if (offset <= this.#logStartOffset) return this.restartAt(Math.min(offset, this.#logStartOffset))
    // Not to the offset: a batch that spans it goes as well, and what then takes its place is not flushed.
    await flusher.lowerTo(segments.baseBelow(offset))
    writer.write()
    segments.cutTo(offset)
    // The batch that went may be the one that the log begins inside of.
    if (segments.active.endOffset < this.#logStartOffset) return this.restartAt(this.#logStartOffset)
    await segments.active.flush()
    return this.#afterCut()
  }

  /** Drops all records; the next one gets `offset`. */
  async restartAt(offset: number): Promise<void> {
    const { segments, writer, flusher, epochs, snapshots } = this.#o
    writer.write()
    await flusher.lowerTo(Math.min(offset, this.#logStartOffset))
    writer.write()
    segments.restartAt(offset)
    snapshots.removeAll()
    this.#logStartOffset = offset
    epochs.truncateEnd(0)
    await this.#afterCut()
    await this.#o.checkpoint()
  }

  async #afterCut(): Promise<void> {
    const { segments, writer, epochs, snapshots } = this.#o
    const end = segments.active.endOffset
    epochs.truncateEnd(end)
    snapshots.removeAfter(end)
    writer.restartAt(end, this.#o.loadProducers(this.#logStartOffset))
    await segments.syncNames()
    await epochs.flush(writer.logEndOffset)
  }

  /** Records before `offset` are no longer readable; segments that hold nothing else are removed. */
  async raiseStartTo(offset: number): Promise<void> {
    const { writer, epochs } = this.#o
    writer.write()
    if (offset <= this.#logStartOffset) return
    if (offset > writer.logEndOffset) {
      throw new KafkaError('OFFSET_OUT_OF_RANGE', `the log ends at ${writer.logEndOffset}, before ${offset}`)
    }
    this.#logStartOffset = offset
    epochs.truncateStart(offset)
    await this.#o.checkpoint()
    this.#removeSegmentsBelow(offset)
    await epochs.flush(writer.logEndOffset)
  }

  /** The same, and the active segment goes as well when it ends at `offset`. Returns how many segments went. */
  async removeSegmentsBefore(offset: number, reason: string): Promise<number> {
    const { segments, writer, logger } = this.#o
    writer.write()
    if (offset >= writer.logEndOffset && segments.active.sizeBytes > 0) writer.roll()
    const before = segments.all.length
    const sizeBytes = segments.sizeBytes
    await this.raiseStartTo(offset)
    const removed = before - segments.all.length + this.#removeSegmentsBelow(offset)
    if (removed > 0) {
      const freedBytes = sizeBytes - segments.sizeBytes
      logger.info(
        { segments: removed, logStartOffset: this.#logStartOffset, freedBytes, reason },
        'segments removed',
      )
    }
    return removed
  }

  #removeSegmentsBelow(offset: number): number {
    const { segments, snapshots } = this.#o
    const kept = segments.all.findIndex(
      (_, index) => (segments.all[index + 1]?.baseOffset ?? Infinity) > offset,
    )
    const removed = segments.removeFirst(kept)
    for (const { baseOffset } of removed) snapshots.remove(baseOffset)
    return removed.length
  }

  /**
   * Puts `cleaned` in the place of `old`, a run of segments without the active one. Rejects with
   * SegmentsChangedError, the cleaned ones removed, when the run is not there any more.
   */
  async replace(old: readonly Segment[], cleaned: readonly Segment[]): Promise<void> {
    const { segments, snapshots, flusher } = this.#o
    const position = segments.all.indexOf(old[0]!)
    const isRun = position >= 0 && old.every((segment, index) => segments.all[position + index] === segment)
    if (!isRun || position + old.length >= segments.all.length || cleaned.length === 0) {
      for (const segment of cleaned) segment.remove()
      throw new SegmentsChangedError(
        `${old.length} segments from ${old[0]?.path} on are not there to be replaced`,
      )
    }
    for (const segment of cleaned) {
      segment.seal()
      await segment.flush()
    }
    // Cleaned segments may end before the next one begins, which recovery takes for a loss where it reads batches.
    await flusher.flushNow()
    await this.#o.checkpoint()
    await segments.replace(old, cleaned)
    const kept = new Set(cleaned.map(({ baseOffset }) => baseOffset))
    for (const { baseOffset } of old) if (!kept.has(baseOffset)) snapshots.remove(baseOffset)
  }
}

/** The segments that were to be replaced have been cut or removed meanwhile. */
export class SegmentsChangedError extends Error {
  override readonly name = 'SegmentsChangedError'
}
