/** Batches with their records as objects: what the broker writes to and reads from its own topics. */
import { type Codec, CODECS, compress } from './compression.ts'
import { crc32c } from './crc32c.ts'
import { BATCH_HEADER_BYTES, BATCH_OVERHEAD_BYTES, type BatchView } from './record-batch.ts'
import { recordsOf } from './record-cursor.ts'
import { ByteWriter } from './writer.ts'

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

/**
 * The records of a batch, in order, each an object of its own: for batches that the broker wrote itself. What clients
 * wrote is walked with a cursor (record-cursor.ts). Throws as that does.
 */
export function decodeRecords(batch: BatchView): DecodedRecord[] {
  const cursor = recordsOf(batch)
  const appendTime = batch.timestampType === 'LogAppendTime' ? batch.maxTimestamp : undefined
  const { baseOffset, baseTimestamp } = batch
  const records: DecodedRecord[] = []
  while (cursor.next()) {
    records.push({
      offset: baseOffset + cursor.offsetDelta,
      timestamp: appendTime ?? baseTimestamp + cursor.timestampDelta,
      key: cursor.key ?? null,
      value: cursor.value ?? null,
      headers: cursor.headers().map(({ key, value }) => ({ key: key.toString(), value: value ?? null })),
    })
  }
  return records
}

function writeBytes(writer: ByteWriter, bytes: Buffer | null): void {
  writeVarlong(writer, bytes === null ? -1 : bytes.length)
  if (bytes !== null) writer.bytes(bytes)
}

function writeVarlong(writer: ByteWriter, value: number): void {
  let rest = value < 0 ? -value * 2 - 1 : value * 2
  while (rest > 0x7f) {
    writer.int8(((rest % 128) | 0x80) - 256)
    rest = Math.floor(rest / 128)
  }
  writer.int8(rest)
}
