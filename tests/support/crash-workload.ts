/**
 * A seeded workload on one partition: appends of all kinds, flushes, truncations, start offsets, segments removed and
 * replaced, checkpoints, restarts. It keeps note of what a log must have when it is opened again, also while a step is
 * under way.
 */
import { BatchView, splitBatches } from '../../broker/protocol/record-batch.ts'
import type { LogManager } from '../../broker/storage/log-manager.ts'
import type { PartitionLog } from '../../broker/storage/partition-log.ts'
import type { ActiveProducer } from '../../broker/storage/producer-state.ts'
import type { Segment } from '../../broker/storage/segment.ts'
import type { CrashingFiles } from './crashing-files.ts'
import { openLogs, smallSegments, TOPIC_ID } from './log-scene.ts'
import { ManualClock } from './manual-clock.ts'
import { marker, producerBatch } from './transactions.ts'
import { encodeBatch } from '../../broker/protocol/record-codec.ts'

export const CRASH_DIRECTORY = '/logs'
const IDEMPOTENT = [1, 2]
const TRANSACTIONAL = [11, 12]

type Step = (log: PartitionLog) => Promise<unknown>

export class CrashWorkload {
  readonly clock = new ManualClock()
  /** Batches in order of their offsets, appended or about to be; those truncated are not among them. */
  batches: BatchView[] = []
  /** Base offsets of batches that compaction took, or that it is about to take. */
  readonly compacted = new Set<number>()
  readonly compacting = new Set<number>()
  /** Everything before it was acknowledged and flushed. */
  flushedEnd = 0
  /** Where the log starts, and where it may if the step under way was done. */
  logStart = 0
  nextLogStart = 0
  readonly #files: CrashingFiles
  readonly #random: () => number
  readonly #steps: readonly (readonly [number, Step])[]
  #manager!: LogManager
  #log!: PartitionLog
  /** Truncation stays after it, as it stays above the high watermark. */
  #fixedEnd = 0
  #epoch = 1
  #count = 0

  constructor(files: CrashingFiles, random: () => number) {
    this.#files = files
    this.#random = random
    this.#steps = [
      [8, (log) => this.#appendSome(log)],
      [3, (log) => this.#endTransaction(log)],
      [3, (log) => this.#flush(log)],
      [1, (log) => this.#truncate(log)],
      [1, (log) => this.#raiseStart(log)],
      [1, (log) => this.#roll(log)],
      [1, (log) => this.#replace(log)],
      [1, () => this.#checkpoint()],
      [1, () => this.#restart()],
    ]
  }

  #below(bound: number): number {
    return Math.floor(this.#random() * bound)
  }

  #oneOf<T>(choices: readonly T[]): T {
    return choices[this.#below(choices.length)]!
  }

  /** Rejects when the power is lost. */
  async run(steps: number): Promise<void> {
    await this.#open()
    const chances = this.#steps.flatMap(([weight, step]) => Array.from({ length: weight }, () => step))
    for (let index = 0; index < steps; index++) await this.#oneOf(chances)(this.#log)
    await this.#manager.close()
    this.#files.mustHavePower()
    this.flushedEnd = this.#log.logEndOffset
  }

  async #open(): Promise<void> {
    this.#manager = await openLogs(CRASH_DIRECTORY, this.#files, {
      clock: this.clock,
      overridesOf: () => smallSegments.overrides,
    })
    const found = this.#manager.get('t', 0)
    this.#log = found ?? (await this.#manager.create('t', 0, TOPIC_ID, smallSegments))
    this.#log.updateHighWatermark(this.#log.logEndOffset)
  }

  async #restart(): Promise<void> {
    await this.#manager.close()
    this.#files.mustHavePower()
    this.flushedEnd = this.#log.logEndOffset
    await this.#open()
  }

  /** One to three batches in one turn. */
  async #appendSome(log: PartitionLog): Promise<void> {
    if (this.#below(8) === 0) this.#epoch += 1
    const appends: Promise<unknown>[] = []
    const busy = new Set<number>()
    for (let left = 1 + this.#below(3); left > 0; left--) {
      const producerId = this.#oneOf([undefined, undefined, ...IDEMPOTENT, ...TRANSACTIONAL])
      if (producerId !== undefined && busy.has(producerId)) continue
      if (producerId !== undefined) busy.add(producerId)
      const records = producerId === undefined ? this.#plainBatch() : this.#numberedBatch(log, producerId)
      appends.push(this.#append(log, records))
    }
    await Promise.all(appends)
  }

  #values(): string[] {
    return Array.from(
      { length: 1 + this.#below(4) },
      () => `value-${this.#count++}-${'x'.repeat(this.#below(60))}`,
    )
  }

  /** Timestamps go back now and then. */
  #timestamp(): number {
    return this.clock.now() - 100_000 + this.#count * 10 - this.#below(100)
  }

  #plainBatch(): Buffer {
    const timestamp = this.#timestamp()
    return encodeBatch(this.#values().map((value) => ({ timestamp, key: null, value: Buffer.from(value) })))
  }

  #numberedBatch(log: PartitionLog, producerId: number): Buffer {
    const known = this.#producer(log, producerId)
    return producerBatch(this.#values(), {
      producerId,
      epoch: known?.producerEpoch ?? 0,
      sequence: (known?.lastSequence ?? -1) + 1,
      isTransactional: TRANSACTIONAL.includes(producerId),
      timestamp: this.#timestamp(),
    })
  }

  #producer(log: PartitionLog, producerId: number): ActiveProducer | undefined {
    return log.activeProducers().find((producer) => producer.producerId === producerId)
  }

  async #append(log: PartitionLog, records: Buffer, options = {}): Promise<void> {
    const appended = log.appendAsLeader(records, this.#epoch, options)
    // Stamped at once, unless it was refused.
    const batch = new BatchView(records)
    if (batch.leaderEpoch === this.#epoch) this.batches.push(batch)
    await appended
  }

  /** Half of them commit; some raise the epoch, as KIP-890 has it. */
  async #endTransaction(log: PartitionLog): Promise<void> {
    const producerId = this.#oneOf(TRANSACTIONAL)
    const known = this.#producer(log, producerId)
    if (known === undefined) return
    const end = marker(this.#oneOf(['commit', 'abort']), {
      producerId,
      epoch: known.producerEpoch + this.#below(2),
      timestamp: this.#timestamp(),
    })
    await this.#append(log, end, { origin: 'coordinator' })
  }

  async #flush(log: PartitionLog): Promise<void> {
    await log.flush()
    this.flushedEnd = log.logEndOffset
  }

  async #truncate(log: PartitionLog): Promise<void> {
    const lowest = Math.max(this.#fixedEnd, this.logStart + 1, log.logEndOffset - 30)
    if (lowest >= log.logEndOffset) return
    const target = lowest + this.#below(log.logEndOffset - lowest)
    const spanning = this.batches.find(({ lastOffset }) => lastOffset >= target)
    this.flushedEnd = Math.min(this.flushedEnd, spanning?.baseOffset ?? target)
    await log.truncateTo(target)
    this.batches = this.batches.filter(({ lastOffset }) => lastOffset < log.logEndOffset)
    this.#epoch += 1
  }

  async #raiseStart(log: PartitionLog): Promise<void> {
    const start = this.logStart + this.#below((log.logEndOffset - this.logStart) / 2)
    this.nextLogStart = start
    this.#fixedEnd = Math.max(this.#fixedEnd, start)
    if (this.#below(2) === 0) await log.raiseLogStartOffset(start)
    else await log.removeSegmentsBefore(start, 'test')
    this.logStart = start
  }

  async #roll(log: PartitionLog): Promise<void> {
    await log.rollIfDue(Number.MAX_SAFE_INTEGER)
  }

  /** Compacts some closed segments: about half of the batches without producer go, but for the last. */
  async #replace(log: PartitionLog): Promise<void> {
    const closed = log.segments().slice(0, -1)
    if (closed.length === 0) return
    const old = closed.slice(0, 1 + this.#below(closed.length))
    this.#fixedEnd = Math.max(this.#fixedEnd, log.segments()[old.length]!.baseOffset)
    const cleaned = this.#cleaned(log, old)
    if (cleaned === undefined) return
    await log.replaceSegments(old, [cleaned])
    for (const base of this.compacting) this.compacted.add(base)
    this.compacting.clear()
  }

  #cleaned(log: PartitionLog, old: readonly Segment[]): Segment | undefined {
    const batches = old.flatMap((segment) => splitBatches(segment.read(0, segment.sizeBytes)))
    const last = batches.at(-1)
    if (last === undefined) return undefined
    const cleaned = log.newCleanedSegment(old[0]!.baseOffset)
    for (const batch of batches) {
      const goes = batch.producerId < 0 && batch.baseOffset !== last.baseOffset && this.#below(2) === 0
      if (goes) this.compacting.add(batch.baseOffset)
      else cleaned.append([batch], log.limits)
    }
    for (const segment of old)
      for (const aborted of segment.abortedTransactions()) cleaned.addAborted(aborted)
    return cleaned
  }

  /** The timers of the broker: checkpoints, and files of removed segments. */
  async #checkpoint(): Promise<void> {
    this.clock.advance(60_000)
    await this.#log.flush()
    this.flushedEnd = this.#log.logEndOffset
  }
}
