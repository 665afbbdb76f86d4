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
    this.setMaxTimestamp(timestampMs)
  }

  /** Sets the type CreateTime, and the checksum with it. */
  setCreateTime(): void {
    this.buffer.writeUInt16BE(this.attributes & ~LOG_APPEND_TIME, this.position + ATTRIBUTES)
    this.buffer.writeUInt32BE(this.#computeCrc(), this.position + CRC)
  }

  /** Sets the largest timestamp, and the checksum with it. */
  setMaxTimestamp(timestampMs: number): void {
    writeInt64(this.buffer, timestampMs, this.position + MAX_TIMESTAMP)
    this.buffer.writeUInt32BE(this.#computeCrc(), this.position + CRC)
  }
}

/** The same batch with its records, `body`, in another codec; attributes that have no meaning are cleared. */
export function withCodec(batch: BatchView, codec: Codec, body: Buffer): BatchView {
  const bytes = Buffer.allocUnsafe(BATCH_HEADER_BYTES + body.length)
  batch.buffer.copy(bytes, 0, batch.position, batch.position + BATCH_HEADER_BYTES)
  body.copy(bytes, BATCH_HEADER_BYTES)
  bytes.writeInt32BE(bytes.length - BATCH_OVERHEAD_BYTES, LENGTH)
  const flags = batch.attributes & (LOG_APPEND_TIME | TRANSACTIONAL | CONTROL)
  bytes.writeUInt16BE(flags | CODECS.indexOf(codec), ATTRIBUTES)
  bytes.writeUInt32BE(crc32c(bytes.subarray(ATTRIBUTES)), CRC)
  return new BatchView(bytes)
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
