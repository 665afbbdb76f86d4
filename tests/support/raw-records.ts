/** Records and batches that no client library would make, byte by byte. */
import { type Codec, compress } from '../../broker/protocol/compression.ts'
import { crc32c } from '../../broker/protocol/crc32c.ts'
import { encodeBatch } from '../../broker/protocol/record-codec.ts'

export interface RawRecord {
  readonly attributes?: number
  readonly timestampDelta?: number
  readonly offsetDelta?: number
  /** A number is a length without the bytes that it announces. */
  readonly key?: string | null | number
  readonly value?: string | null | number
  readonly headerCount?: number
  /** Bytes of the headers as they are. */
  readonly headers?: readonly number[]
  /** The length that it says it has, where that is not so. */
  readonly length?: number
}

/** A zigzag varint. */
export function varint(value: number): number[] {
  const bytes: number[] = []
  let rest = value < 0 ? -value * 2 - 1 : value * 2
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128)
  return [...bytes, rest]
}

export function rawRecord(record: RawRecord = {}): Buffer {
  const body = [
    record.attributes ?? 0,
    ...varint(record.timestampDelta ?? 0),
    ...varint(record.offsetDelta ?? 0),
    ...field(record.key ?? null),
    ...field(record.value === undefined ? 'v' : record.value),
    ...varint(record.headerCount ?? 0),
    ...(record.headers ?? []),
  ]
  return Buffer.from([...varint(record.length ?? body.length), ...body])
}

function field(value: string | null | number): number[] {
  if (value === null) return varint(-1)
  return typeof value === 'number' ? varint(value) : [...varint(value.length), ...Buffer.from(value)]
}

/** Changes the batch and makes its checksum right again. */
export function resealed(batch: Buffer, change: (batch: Buffer) => void): Buffer {
  change(batch)
  batch.writeUInt32BE(crc32c(batch.subarray(21)), 17)
  return batch
}

/** A batch of `count` records with these bytes in their place. */
export function batchOfBytes(
  records: Buffer,
  options: { count?: number; codec?: Codec; timestamp?: number; compressed?: boolean } = {},
): Buffer {
  const { count = 1, codec = 'none', timestamp = Date.now(), compressed = false } = options
  const header = encodeBatch([{ timestamp, key: null, value: null }], { codec }).subarray(0, 61)
  const batch = Buffer.concat([header, compressed ? records : compress(codec, records)])
  return resealed(batch, () => {
    batch.writeInt32BE(batch.length - 12, 8)
    batch.writeInt32BE(count - 1, 23)
    batch.writeInt32BE(count, 57)
  })
}
