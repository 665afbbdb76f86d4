/** A compacted log over files in memory, for tests of the cleaner: written to with keys, read as clients read it. */
import { encodeEndMarker, readEndMarker } from '../../broker/protocol/control-records.ts'
import type { Codec } from '../../broker/protocol/compression.ts'
import { type BatchView, splitBatches } from '../../broker/protocol/record-batch.ts'
import { type DecodedRecord, decodeRecords, encodeBatch } from '../../broker/protocol/record-codec.ts'
import { silentLogger, type Logger } from '../../broker/runtime/logger.ts'
import { LogCleaner } from '../../broker/storage/cleaner/log-cleaner.ts'
import type { LogManager } from '../../broker/storage/log-manager.ts'
import type { PartitionLog } from '../../broker/storage/partition-log.ts'
import { type Config, loadConfig } from '../../broker/config/config.ts'
import type { Files } from '../../broker/storage/files.ts'
import { CrashingFiles } from './crashing-files.ts'
import { openLogs, TOPIC_ID } from './log-scene.ts'
import { ManualClock } from './manual-clock.ts'

export const LOG_DIRECTORY = '/logs'
const EPOCH = 0

/** Rolls a segment every few batches, with an index entry for almost each. */
export const SMALL_SEGMENTS: Record<string, string> = {
  'cleanup.policy': 'compact',
  'segment.index.bytes': '60',
  'index.interval.bytes': '1',
  'min.cleanable.dirty.ratio': '0',
  'delete.retention.ms': '1000',
}

export interface Entry {
  readonly key: string
  /** null: a tombstone. */
  readonly value: string | null
}

export interface AppendAs {
  readonly producerId?: number
  readonly sequence?: number
  readonly isTransactional?: boolean
  readonly codec?: Codec
}

/** Hurries so that compaction rests after every batch: others get at the log in between. */
class HurryingClock extends ManualClock {
  #hurriedMs = 0

  override monotonicMs(): number {
    this.#hurriedMs += 10
    return super.monotonicMs() + this.#hurriedMs
  }
}

export class CompactedLog {
  readonly clock = new HurryingClock()
  readonly files: Files
  readonly #settings: Record<string, string>
  readonly config: Config
  readonly #logger: Logger
  /** A copy of the log is being made. */
  isMoving = false
  manager!: LogManager
  cleaner!: LogCleaner

  constructor(
    o: {
      files?: Files
      settings?: Record<string, string>
      broker?: Record<string, string>
      logger?: Logger
    } = {},
  ) {
    this.files = o.files ?? new CrashingFiles()
    this.#settings = { ...SMALL_SEGMENTS, ...o.settings }
    this.config = loadConfig({ 'node.id': '1', 'quorum.connect': 'embedded:/unused', ...o.broker })
    this.#logger = o.logger ?? silentLogger
  }

  async open(): Promise<this> {
    const { clock, config } = this
    this.manager = await openLogs(LOG_DIRECTORY, this.files, { config, clock, logger: this.#logger })
    const topicConfig = config.topic(new Map(Object.entries(this.#settings)))
    if (this.manager.get('t', 0) === undefined) await this.manager.create('t', 0, TOPIC_ID, topicConfig)
    this.log.updateConfig(topicConfig)
    this.log.updateHighWatermark(this.log.logEndOffset)
    this.cleaner = new LogCleaner({
      logs: () => this.manager.logs(),
      isMoving: () => this.isMoving,
      config,
      clock,
      logger: this.#logger,
    })
    return this
  }

  async close(): Promise<void> {
    await this.cleaner.close()
    await this.manager.close()
  }

  get log(): PartitionLog {
    return this.manager.get('t', 0)!
  }

  /** One batch, below the high watermark at once. */
  async append(entries: readonly Entry[], as: AppendAs = {}): Promise<void> {
    const { producerId = -1, sequence = -1, isTransactional = false, codec = 'none' } = as
    const timestamp = this.clock.now()
    const records = entries.map(({ key, value }) => ({
      timestamp,
      key: Buffer.from(key),
      value: value === null ? null : Buffer.from(value),
    }))
    const producerEpoch = producerId < 0 ? -1 : EPOCH
    const options = { producerId, producerEpoch, baseSequence: sequence, isTransactional, codec }
    await this.log.appendAsLeader(encodeBatch(records, options), 1)
    this.log.updateHighWatermark(this.log.logEndOffset)
  }

  async end(producerId: number, outcome: 'commit' | 'abort'): Promise<void> {
    const marker = encodeEndMarker({
      producerId,
      producerEpoch: EPOCH,
      coordinatorEpoch: 0,
      isAborted: outcome === 'abort',
      timestamp: this.clock.now(),
    })
    await this.log.appendAsLeader(marker, 1, { origin: 'coordinator' })
    this.log.updateHighWatermark(this.log.logEndOffset)
  }

  /** Compacts as long as there is something to compact; returns how often. */
  async compact(): Promise<number> {
    let rounds = 0
    while (await this.cleaner.round()) rounds += 1
    return rounds
  }
}

/** All batches as they lie. */
export function batchesOf(log: PartitionLog): BatchView[] {
  const found: BatchView[] = []
  let offset = log.logStartOffset
  while (offset < log.logEndOffset) {
    const { records } = log.read(offset, 300, { upTo: log.logEndOffset, minOneBatch: true })
    const batches = splitBatches(records)
    const last = batches.at(-1)
    // Nothing need be left before the end that a truncation has made.
    if (last === undefined) break
    found.push(...batches)
    offset = last.lastOffset + 1
  }
  return found
}

/** What a read_committed consumer is given: it leaves out what the list of aborted transactions names. */
export function committedRecords(log: PartitionLog): DecodedRecord[] {
  const aborted = log
    .abortedTransactions(log.logStartOffset, log.logEndOffset)
    .toSorted((a, b) => a.firstOffset - b.firstOffset)
  const skipped = new Set<number>()
  const records: DecodedRecord[] = []
  for (const batch of batchesOf(log)) {
    while (aborted[0] !== undefined && aborted[0].firstOffset <= batch.lastOffset) {
      skipped.add(aborted.shift()!.producerId)
    }
    if (batch.isControl) {
      if (readEndMarker(batch)?.isAborted === true) skipped.delete(batch.producerId)
    } else if (!batch.isTransactional || !skipped.has(batch.producerId)) records.push(...decodeRecords(batch))
  }
  return records.filter(({ offset }) => offset >= log.logStartOffset)
}

/** The last value of each key, for one who applies the records in order. */
export function lastValues(log: PartitionLog): Record<string, string> {
  const values = new Map<string, string>()
  for (const { key, value } of committedRecords(log)) {
    if (value === null) values.delete(String(key))
    else values.set(String(key), String(value))
  }
  return Object.fromEntries([...values].toSorted(([a], [b]) => (a < b ? -1 : 1)))
}
