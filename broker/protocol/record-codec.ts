/**
 * The records inside a batch. Each is a varint length and, in zigzag varints: attributes (one byte, 0), timestamp
 * delta, offset delta, key (length -1 for null), value (same), and a count of headers, each a key and a value.
 * The broker needs them for its own state topics and to find a record by its timestamp.
 */
import { type Codec, CODECS, compress, decompress } from './compression.ts'
import { crc32c } from './crc32c.ts'
import { KafkaError } from './errors.ts'
import { ByteReader, MalformedFrameError } from './reader.ts'
import { BATCH_HEADER_BYTES, BATCH_OVERHEAD_BYTES, type BatchView } from './record-batch.ts'
import { ByteWriter } from './writer.ts'

/** Largest size to which one batch may decompress: a small batch must not fill the memory. */
export const MAX_DECOMPRESSED_BYTES = 128 * 1024 * 1024

export interface RecordHeader {
  readonly key: string
  readonly value: Buffer | null
}

export interface RecordToWrite {
  /** Milliseconds since the epoch. */
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers?: readonly RecordHeader[]
}

/** Keys and values are views of the batch (of its decompressed form when it is compressed). */
export interface DecodedRecord extends Required<RecordToWrite> {
  readonly offset: number
}

export interface BatchOptions {
  readonly baseOffset?: number
  readonly leaderEpoch?: number
  readonly codec?: Codec
  /** One of COMPRESSION_LEVELS. */
  readonly level?: number
  readonly producerId?: number
  readonly producerEpoch?: number
  readonly baseSequence?: number
  readonly isTransactional?: boolean
  readonly isControl?: boolean
}

/** One batch with these records, at least one. */
export function encodeBatch(records: readonly RecordToWrite[], options: BatchOptions = {}): Buffer {
  const first = records[0]
  if (first === undefined) throw new RangeError('a batch has at least one record')
  const codec = options.codec ?? 'none'
  const body = compress(codec, encodeRecords(records, first.timestamp), options.level)
  const size = BATCH_HEADER_BYTES + body.length
  const writer = new ByteWriter(size)
  writer.int64(options.baseOffset ?? 0)
  writer.int32(size - BATCH_OVERHEAD_BYTES)
  writer.int32(options.leaderEpoch ?? -1)
  writer.int8(2)
  writer.uint32(0)
  writer.int16(CODECS.indexOf(codec) | (options.isTransactional ? 0x10 : 0) | (options.isControl ? 0x20 : 0))
  writer.int32(records.length - 1)
  writer.int64(first.timestamp)
  writer.int64(records.reduce((max, { timestamp }) => Math.max(max, timestamp), first.timestamp))
  writer.int64(options.producerId ?? -1)
  writer.int16(options.producerEpoch ?? -1)
  writer.int32(options.baseSequence ?? -1)
  writer.int32(records.length)
  const batch = Buffer.concat([...writer.finish(), body], size)
  batch.writeUInt32BE(crc32c(batch.subarray(21)), 17)
  return batch
}

function encodeRecords(records: readonly RecordToWrite[], baseTimestamp: number): Buffer {
  const parts = records.flatMap((record, offsetDelta) => {
    const body = encodeRecord(record, record.timestamp - baseTimestamp, offsetDelta)
    const length = new ByteWriter(5)
    writeVarlong(length, body.length)
    return [...length.finish(), body]
  })
  return Buffer.concat(parts)
}

function encodeRecord(record: RecordToWrite, timestampDelta: number, offsetDelta: number): Buffer {
  const headers = record.headers ?? []
  const writer = new ByteWriter(32 + (record.key?.length ?? 0) + (record.value?.length ?? 0))
  writer.int8(0)
  writeVarlong(writer, timestampDelta)
  writeVarlong(writer, offsetDelta)
  writeBytes(writer, record.key)
  writeBytes(writer, record.value)
  writeVarlong(writer, headers.length)
  for (const { key, value } of headers) {
    writeBytes(writer, Buffer.from(key))
    writeBytes(writer, value)
  }
  return writer.toBuffer()
}

/** The records of a batch, in order; each is an object, so this is for batches that the broker wrote itself. */
export function decodeRecords(batch: BatchView): DecodedRecord[] {
  return [...recordsOf(batch)]
}

/**
 * The records of a batch one by one, in order. Throws CORRUPT_MESSAGE where they do not parse, and OutputBoundError
 * where they are more than MAX_DECOMPRESSED_BYTES.
 */
export function* recordsOf(batch: BatchView): Generator<DecodedRecord, void> {
  const reader = new ByteReader(plainRecordBytes(batch))
  const appendTime = batch.timestampType === 'LogAppendTime' ? batch.maxTimestamp : undefined
  const { baseOffset, baseTimestamp, recordCount } = batch
  let index = 0
  try {
    for (; index < recordCount; index++) {
      const record = decodeRecord(reader, baseOffset, baseTimestamp)
      yield appendTime === undefined ? record : { ...record, timestamp: appendTime }
    }
  } catch (error) {
    if (!(error instanceof MalformedFrameError)) throw error
    throw new KafkaError('CORRUPT_MESSAGE', `record ${index} of ${recordCount}: ${error.message}`)
  }
}

/** The records section of a batch, decompressed. Throws as recordsOf does. */
export function plainRecordBytes(batch: BatchView): Buffer {
  const { codec, recordBytes } = batch
  if (codec === undefined) {
    throw new KafkaError('CORRUPT_MESSAGE', `attributes ${batch.attributes} name a codec that does not exist`)
  }
  return decompress(codec, recordBytes, MAX_DECOMPRESSED_BYTES)
}

function decodeRecord(reader: ByteReader, baseOffset: number, baseTimestamp: number): DecodedRecord {
  const size = readVarlong(reader)
  const end = reader.position + size
  reader.int8()
  const timestamp = baseTimestamp + readVarlong(reader)
  const offset = baseOffset + readVarlong(reader)
  const key = readBytes(reader)
  const value = readBytes(reader)
  const headers: RecordHeader[] = []
  for (let left = readVarlong(reader); left > 0; left--) {
    headers.push({ key: (readBytes(reader) ?? Buffer.alloc(0)).toString(), value: readBytes(reader) })
  }
  if (reader.position !== end) {
    throw new MalformedFrameError(`its fields end at byte ${reader.position}, its length says ${end}`)
  }
  return { offset, timestamp, key, value, headers }
}

function readBytes(reader: ByteReader): Buffer | null {
  const size = readVarlong(reader)
  return size < 0 ? null : reader.bytes(size)
}

function writeBytes(writer: ByteWriter, bytes: Buffer | null): void {
  writeVarlong(writer, bytes === null ? -1 : bytes.length)
  if (bytes !== null) writer.bytes(bytes)
}

/** Zigzag varint of up to 64 bits; exact up to 2^53, which only sentinels pass. */
function readVarlong(reader: ByteReader): number {
  let raw = 0
  for (let shift = 0; shift < 70; shift += 7) {
    const byte = reader.int8()
    raw += (byte & 0x7f) * 2 ** shift
    if (byte >= 0) return raw % 2 === 0 ? raw / 2 : -(raw + 1) / 2
  }
  throw new MalformedFrameError(`the varint that ends at byte ${reader.position} is longer than 64 bits`)
}

function writeVarlong(writer: ByteWriter, value: number): void {
  let rest = value < 0 ? -value * 2 - 1 : value * 2
  while (rest > 0x7f) {
    writer.int8(((rest % 128) | 0x80) - 256)
    rest = Math.floor(rest / 128)
  }
  writer.int8(rest)
}
