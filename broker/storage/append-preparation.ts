/**
 * Makes what a client sent ready to be appended: checks it, and recompresses it where the topic asks for that.
 *
 * Most batches are done with at once. One that takes long (it is large, or becomes large) is worked on while other
 * requests are served; the batches of the partition behind it then wait for it, so that the order in which they came
 * stays the order of the log.
 *
 * A batch is decompressed only where the topic asks for something that needs its records: keys (compaction), earliest
 * timestamps, another codec. Otherwise the header of a compressed batch stands for its records; those of an
 * uncompressed one are always walked (decision 102).
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { TopicConfig } from '../config/topic-config.ts'
import {
  type Codec,
  compress,
  compressInBackground,
  COMPRESSION_LEVELS,
  decompress,
  decompressInBackground,
} from '../protocol/compression.ts'
import { OutputBoundError } from '../protocol/compression/output-bound.ts'
import { KafkaError } from '../protocol/errors.ts'
import { BATCH_HEADER_BYTES, type BatchView, withCodec } from '../protocol/record-batch.ts'
import { SerialQueue } from '../runtime/queue.ts'
import { checkHeader, checkSize } from './append-rules.ts'
import type { AppendOrigin } from './producer-state.ts'
import { RecordCheck, type RecordRules, recordRules } from './record-check.ts'

/** What is decompressed, walked and compressed at once: some milliseconds at most. */
const MAX_BYTES_AT_ONCE = 256 * 1024
/** What is walked at once without being decompressed. */
const MAX_PLAIN_BYTES_AT_ONCE = 4 * 1024 * 1024
const RECORDS_PER_TURN = 20_000
/** Largest size to which a batch that is checked may decompress. */
const MAX_DECOMPRESSED_BYTES = 128 * 1024 * 1024

/** What `message.timestamp.before.max.ms` amounts to where it is at its default, the largest long. */
const NEVER_TOO_EARLY = -(2 ** 62)

/** Large batches are decompressed one at a time in the whole process, which bounds the memory that they take. */
const largeBatches = new SerialQueue(100_000)

/** What is to be appended, and the rules at the time when it came. */
export interface ToAppend {
  readonly records: Buffer
  readonly origin: AppendOrigin
  readonly config: TopicConfig
  readonly nowMs: number
}

export class AppendPreparation {
  /** Settles when what was handed over so far has been appended; undefined when nothing is under way. */
  #underWay: Promise<unknown> | undefined

  /**
   * Makes the batch in `records` ready and calls `append` with it: at once, or later where it takes time or one before
   * it does. Throws or rejects with what checkHeader and RecordCheck throw.
   */
  run<T>(batch: ToAppend, append: (batch: BatchView) => Promise<T>): Promise<T> {
    const before = this.#underWay
    if (before !== undefined)
      return this.#later(
        before.then(() => prepareBatch(batch)),
        append,
      )
    const ready = prepareBatch(batch)
    return ready instanceof Promise ? this.#later(ready, append) : append(ready)
  }

  /** Whoever comes meanwhile waits until `append` has been called. */
  #later<T>(ready: Promise<BatchView>, append: (batch: BatchView) => Promise<T>): Promise<T> {
    const called = ready.then((batch) => ({ appended: append(batch) }))
    const settled: Promise<void> = called.then(
      () => this.#leave(settled),
      () => this.#leave(settled),
    )
    this.#underWay = settled
    return called.then(({ appended }) => appended)
  }

  #leave(settled: Promise<unknown>): void {
    if (this.#underWay === settled) this.#underWay = undefined
  }
}

function prepareBatch({ records, origin, config, nowMs }: ToAppend): BatchView | Promise<BatchView> {
  const batch = checkHeader(records, origin, config)
  if (origin === 'coordinator') return batch
  const rules = recordRules(config, nowMs)
  checkTimestamps(batch, config, rules)
  const work = new BatchWork(batch, config, rules)
  if (!work.needsRecords) return batch
  return work.atOnce() ?? work.inBackground()
}

/**
 * What the header tells of the timestamps. A client that says LogAppendTime is taken at its word where the topic keeps
 * the times of clients: it gets CreateTime.
 */
function checkTimestamps(batch: BatchView, config: TopicConfig, { latestMs }: RecordRules): void {
  if (batch.timestampType === 'LogAppendTime') {
    if (batch.maxTimestamp < 0 || config.get('message.timestamp.type') === 'LogAppendTime') {
      throw new KafkaError('INVALID_TIMESTAMP', 'clients may not set the timestamp type LogAppendTime')
    }
    batch.setCreateTime()
  }
  if (batch.codec !== 'none' && batch.maxTimestamp > latestMs) {
    throw new KafkaError('INVALID_TIMESTAMP', `timestamp ${batch.maxTimestamp} is later than ${latestMs}`)
  }
}

/** One batch whose records are looked at. */
class BatchWork {
  readonly #batch: BatchView
  readonly #config: TopicConfig
  readonly #rules: RecordRules
  readonly #source: Codec
  readonly #target: Codec

  constructor(batch: BatchView, config: TopicConfig, rules: RecordRules) {
    this.#batch = batch
    this.#config = config
    this.#rules = rules
    this.#source = batch.codec ?? 'none'
    this.#target = targetCodec(config, this.#source)
  }

  get needsRecords(): boolean {
    if (this.#source === 'none' || this.#source !== this.#target || this.#rules.needsKeys) return true
    return this.#rules.earliestMs > NEVER_TOO_EARLY
  }

  /** The batch, checked and in the topic's codec; undefined where that would take too long. */
  atOnce(): BatchView | undefined {
    const changes = this.#source !== this.#target
    const { recordBytes } = this.#batch
    if (recordBytes.length > MAX_PLAIN_BYTES_AT_ONCE) return undefined
    if (changes && (recordBytes.length > MAX_BYTES_AT_ONCE || this.#level !== undefined)) return undefined
    const plain = this.#plainAtOnce()
    if (plain === undefined) return undefined
    const check = new RecordCheck(this.#batch, plain, this.#rules)
    check.advance(Infinity)
    return this.#checked(check, changes ? compress(this.#target, plain) : undefined)
  }

  #plainAtOnce(): Buffer | undefined {
    if (this.#source === 'none') return this.#batch.recordBytes
    try {
      return decompress(this.#source, this.#batch.recordBytes, MAX_BYTES_AT_ONCE)
    } catch (error) {
      if (error instanceof OutputBoundError) return undefined
      throw invalid(error)
    }
  }

  /** The same, in portions and in other threads. */
  inBackground(): Promise<BatchView> {
    return this.#source === 'none' ? this.#inPortions() : largeBatches.run(() => this.#inPortions())
  }

  async #inPortions(): Promise<BatchView> {
    const { recordBytes } = this.#batch
    const plain = await decompressInBackground(this.#source, recordBytes, MAX_DECOMPRESSED_BYTES).catch(
      (error: unknown) => {
        throw invalid(error)
      },
    )
    const check = new RecordCheck(this.#batch, plain, this.#rules)
    while (!check.advance(RECORDS_PER_TURN)) await nextTurn()
    if (this.#source === this.#target) return this.#checked(check, undefined)
    return this.#checked(check, await compressInBackground(this.#target, plain, this.#level))
  }

  /** undefined for the codec's default, which is fast. */
  get #level(): number | undefined {
    const codec = this.#target
    if (codec === 'none' || codec === 'snappy') return undefined
    const level = this.#config.get(`compression.${codec}.level`)
    return level === COMPRESSION_LEVELS[codec].default ? undefined : level
  }

  #checked(check: RecordCheck, recompressed: Buffer | undefined): BatchView {
    const batch = recompressed === undefined ? this.#batch : this.#with(recompressed)
    if (batch.maxTimestamp !== check.maxTimestamp) batch.setMaxTimestamp(check.maxTimestamp)
    return batch
  }

  #with(recompressed: Buffer): BatchView {
    checkSize(BATCH_HEADER_BYTES + recompressed.length, 'client', this.#config)
    return withCodec(this.#batch, this.#target, recompressed)
  }
}

/** `compression.type` of the topic: what its batches are in on disk. */
function targetCodec(config: TopicConfig, source: Codec): Codec {
  const type = config.get('compression.type')
  if (type === 'producer') return source
  return type === 'uncompressed' ? 'none' : type
}

/** The checksum is right, so a client that repeats the batch, as CORRUPT_MESSAGE asks it to, would fail for ever. */
function invalid(error: unknown): unknown {
  const isCorrupt = error instanceof KafkaError && error.error === 'CORRUPT_MESSAGE'
  return isCorrupt ? new KafkaError('INVALID_RECORD', error.detail) : error
}
