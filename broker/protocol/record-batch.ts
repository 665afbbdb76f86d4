/**
 * Record batches of magic 2, as they travel and as they lie on disk.
 *
 *   0 baseOffset int64 | 8 batchLength int32 (what follows it) | 12 partitionLeaderEpoch int32 | 16 magic int8
 *  17 crc uint32 (CRC-32C from byte 21 on) | 21 attributes int16 | 23 lastOffsetDelta int32 | 27 baseTimestamp int64
 *  35 maxTimestamp int64 | 43 producerId int64 | 51 producerEpoch int16 | 53 baseSequence int32 | 57 recordCount int32
 *  61 records, compressed as one blob unless the codec is none
 *
 * What the leader assigns, base offset and leader epoch, lies before the checksummed part: a batch is stamped in
 * place. The hot path reads headers only; records are decoded where their content matters (record-codec.ts).
 */
import { type Codec, CODECS } from './compression.ts'
import { crc32c } from './crc32c.ts'
import { KafkaError } from './errors.ts'

const LENGTH = 8
const LEADER_EPOCH = 12
const MAGIC = 16
const CRC = 17
const ATTRIBUTES = 21
const LAST_OFFSET_DELTA = 23
const BASE_TIMESTAMP = 27
const MAX_TIMESTAMP = 35
const PRODUCER_ID = 43
const PRODUCER_EPOCH = 51
const BASE_SEQUENCE = 53
const RECORD_COUNT = 57

/** Bytes from the start of a batch to its first record. */
export const BATCH_HEADER_BYTES = 61
/** Bytes of a batch that its length field does not count. */
export const BATCH_OVERHEAD_BYTES = 12

const CODEC_MASK = 0x07
const LOG_APPEND_TIME = 0x08
const TRANSACTIONAL = 0x10
const CONTROL = 0x20
const DELETE_HORIZON = 0x40

const MAX_SEQUENCE = 0x7fff_ffff

/** The sequence `delta` records after `sequence`; the one after 2147483647 is 0. */
export function addSequence(sequence: number, delta: number): number {
  return sequence > MAX_SEQUENCE - delta ? delta - (MAX_SEQUENCE - sequence) - 1 : sequence + delta
}

/** Exact up to 2^53, which offsets and timestamps never pass. */
function readInt64(buffer: Buffer, position: number): number {
  return buffer.readInt32BE(position) * 0x1_0000_0000 + buffer.readUInt32BE(position + 4)
}

function writeInt64(buffer: Buffer, value: number, position: number): void {
  buffer.writeInt32BE(Math.floor(value / 0x1_0000_0000), position)
  buffer.writeUInt32BE(value >>> 0, position + 4)
}

/** The header of the batch that starts at `position` of `buffer`, read where it lies; nothing is copied or kept. */
export class BatchView {
  readonly buffer: Buffer
  readonly position: number

  /** `buffer` must hold at least the header. */
  constructor(buffer: Buffer, position = 0) {
    this.buffer = buffer
    this.position = position
  }

  get baseOffset(): number {
    return readInt64(this.buffer, this.position)
  }

  get lastOffset(): number {
    return this.baseOffset + this.lastOffsetDelta
  }

  /** Whole size, header included. */
  get sizeBytes(): number {
    return this.buffer.readInt32BE(this.position + LENGTH) + BATCH_OVERHEAD_BYTES
  }

  get leaderEpoch(): number {
    return this.buffer.readInt32BE(this.position + LEADER_EPOCH)
  }

  get magic(): number {
    return this.buffer.readInt8(this.position + MAGIC)
  }

  get crc(): number {
    return this.buffer.readUInt32BE(this.position + CRC)
  }

  get attributes(): number {
    return this.buffer.readUInt16BE(this.position + ATTRIBUTES)
  }

  /** undefined for a number that no codec has. */
  get codec(): Codec | undefined {
    return CODECS[this.attributes & CODEC_MASK]
  }

  get timestampType(): 'CreateTime' | 'LogAppendTime' {
    return (this.attributes & LOG_APPEND_TIME) === 0 ? 'CreateTime' : 'LogAppendTime'
  }

  get isTransactional(): boolean {
    return (this.attributes & TRANSACTIONAL) !== 0
  }

  get isControl(): boolean {
    return (this.attributes & CONTROL) !== 0
  }

  /**
   * From when on compaction may drop the batch's tombstones and markers, in milliseconds since the epoch (KIP-534).
   * Where it is set, baseTimestamp is this time, which the deltas of the records count from.
   */
  get deleteHorizonMs(): number | undefined {
    return (this.attributes & DELETE_HORIZON) === 0 ? undefined : this.baseTimestamp
  }

  get lastOffsetDelta(): number {
    return this.buffer.readInt32BE(this.position + LAST_OFFSET_DELTA)
  }

  get baseTimestamp(): number {
    return readInt64(this.buffer, this.position + BASE_TIMESTAMP)
  }

  get maxTimestamp(): number {
    return readInt64(this.buffer, this.position + MAX_TIMESTAMP)
  }

  /** -1: not from an idempotent producer. */
  get producerId(): number {
    return readInt64(this.buffer, this.position + PRODUCER_ID)
  }

  get producerEpoch(): number {
    return this.buffer.readInt16BE(this.position + PRODUCER_EPOCH)
  }

  get baseSequence(): number {
    return this.buffer.readInt32BE(this.position + BASE_SEQUENCE)
  }

  /** -1 without a base sequence. */
  get lastSequence(): number {
    return this.baseSequence < 0 ? -1 : addSequence(this.baseSequence, this.lastOffsetDelta)
  }

  get recordCount(): number {
    return this.buffer.readInt32BE(this.position + RECORD_COUNT)
  }

  /** The batch's bytes, a view of the buffer. */
  get bytes(): Buffer {
    return this.buffer.subarray(this.position, this.position + this.sizeBytes)
  }

  /** The records section as it lies, compressed if the codec says so. */
  get recordBytes(): Buffer {
    return this.buffer.subarray(this.position + BATCH_HEADER_BYTES, this.position + this.sizeBytes)
  }

  /** Whether the checksum matches the content. Reads the whole batch, which the buffer must hold. */
  isIntact(): boolean {
    return this.crc === this.#computeCrc()
  }

  #computeCrc(): number {
    return crc32c(this.buffer.subarray(this.position + ATTRIBUTES, this.position + this.sizeBytes))
  }

  /** Sets the type LogAppendTime and that time, and the checksum with them. */
  stampAppendTime(timestampMs: number): void {
    this.buffer.writeUInt16BE(this.attributes | LOG_APPEND_TIME, this.position + ATTRIBUTES)
    writeInt64(this.buffer, timestampMs, this.position + MAX_TIMESTAMP)
    this.buffer.writeUInt32BE(this.#computeCrc(), this.position + CRC)
  }
}

/** Writes what the leader assigns into the batch at `position`; the checksum stays valid. */
export function stampBatch(buffer: Buffer, position: number, baseOffset: number, leaderEpoch: number): void {
  writeInt64(buffer, baseOffset, position)
  buffer.writeInt32BE(leaderEpoch, position + LEADER_EPOCH)
}

/**
 * The complete batches of `records`, in order; a partial one at the end, as a fetch may have it, is left out.
 * Checks lengths and magic, not checksums. Throws CORRUPT_MESSAGE.
 */
export function splitBatches(records: Buffer): BatchView[] {
  const batches: BatchView[] = []
  let position = 0
  while (records.length - position >= BATCH_HEADER_BYTES) {
    const batch = new BatchView(records, position)
    const problem = headerProblem(batch)
    if (problem !== undefined) {
      throw new KafkaError('CORRUPT_MESSAGE', `the batch at byte ${position}: ${problem}`)
    }
    if (batch.sizeBytes > records.length - position) break
    batches.push(batch)
    position += batch.sizeBytes
  }
  return batches
}

/** What makes the header impossible whatever the content, or undefined. */
export function headerProblem(batch: BatchView): string | undefined {
  if (batch.sizeBytes < BATCH_HEADER_BYTES) {
    return `its size, ${batch.sizeBytes} bytes, is less than a header's ${BATCH_HEADER_BYTES}`
  }
  if (batch.magic !== 2) return `its magic is ${batch.magic}; only 2 is supported`
  if (batch.lastOffsetDelta < 0) return `its last offset delta is ${batch.lastOffsetDelta}`
  return undefined
}

export interface ClientBatchRules {
  /** `max.message.bytes` of the topic. */
  readonly maxBatchBytes: number
  /** `segment.bytes` of the topic. */
  readonly segmentBytes: number
  /** The broker's time, and how far from it a timestamp set by the client may lie. */
  readonly nowMs: number
  readonly timestampBeforeMaxMs: number
  readonly timestampAfterMaxMs: number
  /** A coordinator may write control batches, and numbers none of its batches. */
  readonly origin?: 'client' | 'coordinator'
}

/**
 * Checks what a client sent for one partition: one batch, whole, intact, of a form that clients may send.
 * Records are not looked into: the header's timestamps stand for theirs.
 * Throws MESSAGE_TOO_LARGE, RECORD_LIST_TOO_LARGE, CORRUPT_MESSAGE, INVALID_RECORD or INVALID_TIMESTAMP.
 */
export function validateClientBatch(records: Buffer, rules: ClientBatchRules): BatchView {
  const batch = onlyBatch(records)
  if (records.length > rules.maxBatchBytes) {
    throw new KafkaError(
      'MESSAGE_TOO_LARGE',
      `a batch of ${records.length} bytes; the topic's max.message.bytes is ${rules.maxBatchBytes}`,
    )
  }
  if (records.length > rules.segmentBytes) {
    throw new KafkaError(
      'RECORD_LIST_TOO_LARGE',
      `a batch of ${records.length} bytes; the topic's segment.bytes is ${rules.segmentBytes}`,
    )
  }
  if (!batch.isIntact()) {
    throw new KafkaError('CORRUPT_MESSAGE', 'the checksum of the batch does not match its content')
  }
  const problem = headerProblemFor(batch, rules.origin ?? 'client')
  if (problem !== undefined) throw new KafkaError('INVALID_RECORD', problem)
  checkTimestamps(batch, rules)
  return batch
}

function onlyBatch(records: Buffer): BatchView {
  const batches = splitBatches(records)
  const batch = batches[0]
  if (batch === undefined || batches.at(-1)!.position + batches.at(-1)!.sizeBytes !== records.length) {
    throw new KafkaError('CORRUPT_MESSAGE', `${records.length} bytes that are not whole record batches`)
  }
  if (batches.length > 1) {
    throw new KafkaError('INVALID_RECORD', `${batches.length} batches for one partition; one is allowed`)
  }
  return batch
}

function headerProblemFor(batch: BatchView, origin: 'client' | 'coordinator'): string | undefined {
  if (batch.codec === undefined) return `codec ${batch.attributes & CODEC_MASK} does not exist`
  if (batch.isControl && origin === 'client') return 'clients may not write control batches'
  if (batch.baseOffset !== 0) return `the base offset is ${batch.baseOffset}; clients send 0`
  if (batch.recordCount <= 0) return `the batch has ${batch.recordCount} records`
  if (batch.recordCount !== batch.lastOffsetDelta + 1) {
    return `the batch has ${batch.recordCount} records, but its last offset delta is ${batch.lastOffsetDelta}`
  }
  const isNumbered = batch.baseSequence >= 0 || origin === 'coordinator'
  if (batch.producerId >= 0 && (!isNumbered || batch.producerEpoch < 0)) {
    return `producer ${batch.producerId} sent epoch ${batch.producerEpoch} and sequence ${batch.baseSequence}`
  }
  return undefined
}

function checkTimestamps(batch: BatchView, rules: ClientBatchRules): void {
  if (batch.timestampType === 'LogAppendTime') {
    throw new KafkaError('INVALID_TIMESTAMP', 'clients may not set the timestamp type LogAppendTime')
  }
  const latestMs = rules.nowMs + rules.timestampAfterMaxMs
  if (batch.maxTimestamp > latestMs) {
    throw new KafkaError('INVALID_TIMESTAMP', `timestamp ${batch.maxTimestamp} is later than ${latestMs}`)
  }
  const earliestMs = rules.nowMs - rules.timestampBeforeMaxMs
  const oldest = Math.min(batch.baseTimestamp, batch.maxTimestamp)
  if (oldest >= 0 && oldest < earliestMs) {
    throw new KafkaError('INVALID_TIMESTAMP', `timestamp ${oldest} is earlier than ${earliestMs}`)
  }
}
