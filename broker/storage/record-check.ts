/**
 * What the records of a batch must satisfy before a leader appends them: they parse, their number and their offsets are
 * what the header says, they have keys where the topic is compacted, and their timestamps are within the topic's
 * limits. The work can be done in portions, so that a large batch need not hold up everything else.
 */
import type { TopicConfig } from '../config/topic-config.ts'
import { KafkaError } from '../protocol/errors.ts'
import type { BatchView } from '../protocol/record-batch.ts'
import { RecordCursor } from '../protocol/record-cursor.ts'
import { InvalidRecordsError, type RecordError } from '../protocol/record-errors.ts'

/** Records that are named in an answer; the others are only counted. */
const MAX_RECORD_ERRORS = 1000
/** A record without a timestamp of its own, which no limit concerns. */
const NO_TIMESTAMP = -1

export interface RecordRules {
  readonly needsKeys: boolean
  /** Limits of the timestamps, both included. */
  readonly earliestMs: number
  readonly latestMs: number
}

/** The rules of a topic at the time `nowMs`. */
export function recordRules(config: TopicConfig, nowMs: number): RecordRules {
  const needsKeys = config.get('cleanup.policy').includes('compact')
  if (config.get('message.timestamp.type') === 'LogAppendTime') {
    return { needsKeys, earliestMs: -Infinity, latestMs: Infinity }
  }
  return {
    needsKeys,
    earliestMs: nowMs - config.get('message.timestamp.before.max.ms'),
    latestMs: nowMs + config.get('message.timestamp.after.max.ms'),
  }
}

export class RecordCheck {
  readonly #batch: BatchView
  readonly #cursor: RecordCursor
  readonly #rules: RecordRules
  readonly #baseTimestamp: number
  #index = 0
  #maxTimestamp = NO_TIMESTAMP
  #errors: RecordError[] = []
  #errorCount = 0
  #hasTimestampError = false

  /** `plain`: the records section, decompressed. */
  constructor(batch: BatchView, plain: Buffer, rules: RecordRules) {
    this.#batch = batch
    this.#cursor = new RecordCursor(plain, batch.recordCount)
    this.#rules = rules
    this.#baseTimestamp = batch.baseTimestamp
  }

  /** The largest timestamp among the records that were checked; -1 when they have none. */
  get maxTimestamp(): number {
    return this.#maxTimestamp
  }

  /**
   * Checks the next `count` records; true when that was all of them. Throws INVALID_RECORD or INVALID_TIMESTAMP, for
   * what concerns single records an InvalidRecordsError that names them.
   */
  advance(count: number): boolean {
    try {
      for (let left = count; left > 0; left--) {
        if (!this.#cursor.next()) return this.#finish()
        this.#checkRecord()
      }
      return false
    } catch (error) {
      if (!(error instanceof KafkaError) || error.error !== 'CORRUPT_MESSAGE') throw error
      // The checksum is right, so it would be the same again if the client repeated it, as CORRUPT_MESSAGE asks for.
      throw new KafkaError('INVALID_RECORD', error.detail)
    }
  }

  #checkRecord(): void {
    const { offsetDelta, timestampDelta, hasKey } = this.#cursor
    if (offsetDelta !== this.#index) {
      throw new KafkaError('INVALID_RECORD', `record ${this.#index} has the offset delta ${offsetDelta}`)
    }
    const timestamp = this.#baseTimestamp + timestampDelta
    const { earliestMs, latestMs, needsKeys } = this.#rules
    if (needsKeys && !hasKey) this.#refuse('the topic is compacted: every record needs a key')
    else if (timestamp > latestMs) this.#refuseTime(`timestamp ${timestamp} is later than ${latestMs}`)
    else if (timestamp < earliestMs && timestamp !== NO_TIMESTAMP) {
      this.#refuseTime(`timestamp ${timestamp} is earlier than ${earliestMs}`)
    }
    if (timestamp > this.#maxTimestamp) this.#maxTimestamp = timestamp
    this.#index += 1
  }

  #refuseTime(message: string): void {
    this.#hasTimestampError = true
    this.#refuse(message)
  }

  #refuse(message: string): void {
    this.#errorCount += 1
    if (this.#errors.length < MAX_RECORD_ERRORS) this.#errors.push({ batchIndex: this.#index, message })
  }

  #finish(): true {
    if (this.#cursor.remainingBytes > 0) {
      throw new KafkaError(
        'INVALID_RECORD',
        `${this.#cursor.remainingBytes} bytes follow the ${this.#batch.recordCount} records of the batch`,
      )
    }
    if (this.#errorCount > 0) {
      const error = this.#hasTimestampError ? 'INVALID_TIMESTAMP' : 'INVALID_RECORD'
      throw new InvalidRecordsError(error, this.#errors, this.#errorCount)
    }
    return true
  }
}
