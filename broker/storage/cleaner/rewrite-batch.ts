/**
 * Batches as compaction leaves them: fewer records, the same offsets, timestamps, producer and sequence. The records that
 * stay are copied as they lie; only a new base timestamp changes them, since their timestamps count from it.
 */
import type { Codec } from '../../protocol/compression.ts'
import { crc32c } from '../../protocol/crc32c.ts'
import { BATCH_HEADER_BYTES, BATCH_OVERHEAD_BYTES, type BatchView } from '../../protocol/record-batch.ts'
import { RecordCursor } from '../../protocol/record-cursor.ts'

const LENGTH = 8
const CRC = 17
const ATTRIBUTES = 21
const BASE_TIMESTAMP = 27
const MAX_TIMESTAMP = 35
const RECORD_COUNT = 57

const CODEC_BITS = 0x07
const DELETE_HORIZON_BIT = 0x40

/** Longest zigzag varint of a 64-bit number, and of a 32-bit one. */
const MAX_VARLONG_BYTES = 10
const MAX_VARINT_BYTES = 5

/** The records of one batch that stay, as ranges of its decompressed records section. */
export class KeptRecords {
  readonly #ranges: { start: number; end: number }[] = []
  #bytes: Buffer = Buffer.alloc(0)
  #count = 0
  #hasTombstones = false
  #maxTimestampDelta = -Infinity

  get count(): number {
    return this.#count
  }

  get hasTombstones(): boolean {
    return this.#hasTombstones
  }

  /** Largest of their timestamps, less the batch's base timestamp. */
  get maxTimestampDelta(): number {
    return this.#maxTimestampDelta
  }

  /** Keeps the record at which `cursor` stands; the same cursor each time. */
  keep(cursor: RecordCursor): void {
    const last = this.#ranges.at(-1)
    if (last !== undefined && last.end === cursor.start) last.end = cursor.end
    else this.#ranges.push({ start: cursor.start, end: cursor.end })
    this.#bytes = cursor.bytes
    this.#count += 1
    if (!cursor.hasValue) this.#hasTombstones = true
    this.#maxTimestampDelta = Math.max(this.#maxTimestampDelta, cursor.timestampDelta)
  }

  /** One after another, as they lay. */
  concatenated(): Buffer {
    return Buffer.concat(this.#ranges.map(({ start, end }) => this.#bytes.subarray(start, end)))
  }
}

/** A batch that only its compression is missing from. */
export interface RewrittenBatch {
  readonly codec: Codec
  /** Its records section, not compressed. */
  readonly plain: Buffer
  /** The whole batch, given its records section in that codec. */
  complete(records: Buffer): Buffer
}

/** The batch with these records only; with `horizonMs`, its tombstones and markers may go from then on. */
export function rewriteBatch(batch: BatchView, kept: KeptRecords, horizonMs?: number): RewrittenBatch {
  const { baseTimestamp, attributes, timestampType } = batch
  const records = kept.concatenated()
  const isCreateTime = timestampType === 'CreateTime'
  const content = {
    recordCount: kept.count,
    attributes: horizonMs === undefined ? attributes : attributes | DELETE_HORIZON_BIT,
    baseTimestamp: horizonMs ?? baseTimestamp,
    maxTimestamp: isCreateTime ? baseTimestamp + kept.maxTimestampDelta : batch.maxTimestamp,
  }
  return {
    codec: batch.codec ?? 'none',
    plain:
      horizonMs === undefined ? records : withTimestampsMoved(records, kept.count, baseTimestamp - horizonMs),
    complete: (compressed) => withHeader(batch, { ...content, records: compressed }),
  }
}

/** The batch without records: its offsets and its producer's sequence are still told. */
export function emptyBatch(batch: BatchView): Buffer {
  return withHeader(batch, {
    records: Buffer.alloc(0),
    recordCount: 0,
    attributes: batch.attributes & ~(CODEC_BITS | DELETE_HORIZON_BIT),
    baseTimestamp: -1,
    maxTimestamp: batch.maxTimestamp,
  })
}

interface NewContent {
  readonly records: Buffer
  readonly recordCount: number
  readonly attributes: number
  readonly baseTimestamp: number
  readonly maxTimestamp: number
}

function withHeader(batch: BatchView, content: NewContent): Buffer {
  const bytes = Buffer.allocUnsafe(BATCH_HEADER_BYTES + content.records.length)
  batch.buffer.copy(bytes, 0, batch.position, batch.position + BATCH_HEADER_BYTES)
  content.records.copy(bytes, BATCH_HEADER_BYTES)
  bytes.writeInt32BE(bytes.length - BATCH_OVERHEAD_BYTES, LENGTH)
  bytes.writeUInt16BE(content.attributes, ATTRIBUTES)
  bytes.writeBigInt64BE(BigInt(content.baseTimestamp), BASE_TIMESTAMP)
  bytes.writeBigInt64BE(BigInt(content.maxTimestamp), MAX_TIMESTAMP)
  bytes.writeInt32BE(content.recordCount, RECORD_COUNT)
  bytes.writeUInt32BE(crc32c(bytes.subarray(ATTRIBUTES)), CRC)
  return bytes
}

/** The same records with `shiftMs` added to each timestamp delta. */
function withTimestampsMoved(records: Buffer, count: number, shiftMs: number): Buffer {
  const growth = count * (MAX_VARLONG_BYTES + MAX_VARINT_BYTES)
  const moved = Buffer.allocUnsafe(records.length + growth)
  const delta = Buffer.allocUnsafe(MAX_VARLONG_BYTES)
  const cursor = new RecordCursor(records, count)
  let position = 0
  while (cursor.next()) {
    const deltaBytes = writeVarlong(delta, cursor.timestampDelta + shiftMs, 0)
    position = writeVarlong(moved, 1 + deltaBytes + cursor.end - cursor.timestampEnd, position)
    moved[position++] = records[cursor.bodyStart]!
    position += delta.copy(moved, position, 0, deltaBytes)
    position += records.copy(moved, position, cursor.timestampEnd, cursor.end)
  }
  return moved.subarray(0, position)
}

/** Zigzag varint, exact up to 2^53; returns the position after it. */
function writeVarlong(target: Buffer, value: number, position: number): number {
  let rest = value < 0 ? -value * 2 - 1 : value * 2
  let at = position
  while (rest > 0x7f) {
    target[at++] = (rest % 128) | 0x80
    rest = Math.floor(rest / 128)
  }
  target[at++] = rest
  return at
}
