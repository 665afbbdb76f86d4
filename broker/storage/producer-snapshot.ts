/**
 * `<offset>.snapshot`: the state of the producers by all records before that offset. int16 version 1, uint32 CRC-32C
 * of what follows, int32 count, then 46 bytes each: producerId int64, epoch int16, lastSequence int32, lastOffset
 * int64, offsetDelta int32, timestamp int64, coordinatorEpoch int32, firstOffsetOfTransaction int64 (-1 none).
 * Of the last batches of a producer it keeps the latest.
 */
import { crc32c } from '../protocol/crc32c.ts'
import { ByteReader } from '../protocol/reader.ts'
import { addSequence } from '../protocol/record-batch.ts'
import { ByteWriter } from '../protocol/writer.ts'
import { type Producer, ProducerState } from './producer-state.ts'

const VERSION = 1
const HEADER_BYTES = 6
const COUNT_BYTES = 4
const ENTRY_BYTES = 46

/** The snapshot cannot be used: another version, or damaged. */
export class CorruptSnapshotError extends Error {
  override readonly name = 'CorruptSnapshotError'
}

export function encodeSnapshot(state: ProducerState): Buffer {
  const writer = new ByteWriter(HEADER_BYTES + COUNT_BYTES + state.size * ENTRY_BYTES)
  writer.int16(VERSION)
  writer.uint32(0)
  writer.int32(state.size)
  for (const [producerId, producer] of state.entries()) {
    const last = producer.batches.at(-1)
    writer.int64(producerId)
    writer.int16(producer.epoch)
    writer.int32(last?.lastSequence ?? -1)
    writer.int64(last?.lastOffset ?? -1)
    writer.int32(last === undefined ? 0 : last.lastOffset - last.firstOffset)
    writer.int64(producer.lastTimestamp)
    writer.int32(producer.coordinatorEpoch)
    writer.int64(producer.transactionFirstOffset)
  }
  const bytes = writer.toBuffer()
  bytes.writeUInt32BE(crc32c(bytes.subarray(HEADER_BYTES)), 2)
  return bytes
}

/** Throws CorruptSnapshotError. */
export function decodeSnapshot(bytes: Buffer): ProducerState {
  const version = bytes.length < HEADER_BYTES + COUNT_BYTES ? undefined : bytes.readInt16BE(0)
  if (version !== VERSION) {
    throw new CorruptSnapshotError(`${bytes.length} bytes of version ${version ?? 'unknown'}`)
  }
  if (bytes.readUInt32BE(2) !== crc32c(bytes.subarray(HEADER_BYTES))) {
    throw new CorruptSnapshotError('its checksum does not match its content')
  }
  const reader = new ByteReader(bytes, HEADER_BYTES)
  const count = reader.int32()
  if (bytes.length !== HEADER_BYTES + COUNT_BYTES + count * ENTRY_BYTES) {
    throw new CorruptSnapshotError(`${bytes.length} bytes for ${count} producers`)
  }
  return ProducerState.of(Array.from({ length: count }, () => decodeProducer(reader)))
}

function decodeProducer(reader: ByteReader): readonly [number, Producer] {
  const producerId = reader.int64()
  const epoch = reader.int16()
  const lastSequence = reader.int32()
  const lastOffset = reader.int64()
  const delta = reader.int32()
  const lastTimestamp = reader.int64()
  const coordinatorEpoch = reader.int32()
  const transactionFirstOffset = reader.int64()
  const batch = {
    firstSequence: addSequence(lastSequence, 0x7fff_ffff - delta + 1),
    lastSequence,
    firstOffset: lastOffset - delta,
    lastOffset,
    timestamp: lastTimestamp,
  }
  const batches = lastOffset < 0 ? [] : [batch]
  return [producerId, { epoch, coordinatorEpoch, transactionFirstOffset, batches, lastTimestamp }]
}
