/**
 * What a partition knows of its idempotent producers: for each id the epoch and the last five batches, by which a
 * repeated batch is recognised and a gap refused (KIP-98).
 *
 * Snapshot, `<offset>.snapshot`: the state of all records before that offset. int16 version 1, uint32 CRC-32C of what
 * follows, int32 count, then 46 bytes each: producerId int64, epoch int16, lastSequence int32, lastOffset int64,
 * offsetDelta int32, timestamp int64, coordinatorEpoch int32, firstOffsetOfTransaction int64 (-1 none).
 */
import { crc32c } from '../protocol/crc32c.ts'
import { KafkaError } from '../protocol/errors.ts'
import { ByteReader } from '../protocol/reader.ts'
import { addSequence, type BatchView } from '../protocol/record-batch.ts'
import { ByteWriter } from '../protocol/writer.ts'

const SNAPSHOT_VERSION = 1
const SNAPSHOT_HEADER_BYTES = 6
/** As many as a client keeps in flight. */
const BATCHES_KEPT = 5

interface ProducerBatch {
  readonly firstSequence: number
  readonly lastSequence: number
  readonly firstOffset: number
  readonly lastOffset: number
  readonly timestamp: number
}

interface Producer {
  epoch: number
  coordinatorEpoch: number
  /** -1 when no transaction is open. */
  transactionFirstOffset: number
  /** Oldest first; may be empty after an end-of-transaction marker that raised the epoch. */
  batches: ProducerBatch[]
  lastTimestamp: number
}

/** The snapshot cannot be used: another version, or damaged. */
export class CorruptSnapshotError extends Error {
  override readonly name = 'CorruptSnapshotError'
}

export class ProducerState {
  readonly #producers = new Map<number, Producer>()

  get size(): number {
    return this.#producers.size
  }

  /**
   * Checks a batch from an idempotent producer before it is appended. Returns the offsets of the first appearance
   * when the batch is a repetition. Throws INVALID_PRODUCER_EPOCH or OUT_OF_ORDER_SEQUENCE_NUMBER.
   */
  check(batch: BatchView): { firstOffset: number; lastOffset: number } | undefined {
    const producer = this.#producers.get(batch.producerId)
    if (producer === undefined) return undefined
    const { producerEpoch, baseSequence, lastSequence } = batch
    if (producerEpoch < producer.epoch) {
      throw new KafkaError(
        'INVALID_PRODUCER_EPOCH',
        `producer ${batch.producerId} sent epoch ${producerEpoch}; it is at ${producer.epoch} already`,
      )
    }
    const sameEpoch = producerEpoch === producer.epoch
    const repeated = producer.batches.find(
      (known) => sameEpoch && known.firstSequence === baseSequence && known.lastSequence === lastSequence,
    )
    if (repeated !== undefined) return repeated
    const last = producer.batches.at(-1)
    if (sameEpoch && last === undefined) return undefined
    const expected = sameEpoch && last !== undefined ? addSequence(last.lastSequence, 1) : 0
    if (baseSequence === expected) return undefined
    throw new KafkaError(
      'OUT_OF_ORDER_SEQUENCE_NUMBER',
      `producer ${batch.producerId} of epoch ${producerEpoch} sent sequence ${baseSequence}, expected ${expected}`,
    )
  }

  /** Takes note of a batch that has its offset: appended, replicated, or found when the log was opened. */
  update(batch: BatchView): void {
    const { producerId } = batch
    if (producerId < 0) return
    const producer = this.#producerOf(producerId, batch.producerEpoch)
    producer.lastTimestamp = batch.maxTimestamp
    if (batch.isControl) {
      producer.transactionFirstOffset = -1
      return
    }
    const { baseOffset, lastOffset, baseSequence, lastSequence, maxTimestamp } = batch
    if (batch.isTransactional && producer.transactionFirstOffset < 0) {
      producer.transactionFirstOffset = baseOffset
    }
    producer.batches.push({
      firstSequence: baseSequence,
      lastSequence,
      firstOffset: baseOffset,
      lastOffset,
      timestamp: maxTimestamp,
    })
    if (producer.batches.length > BATCHES_KEPT) producer.batches.shift()
  }

  #producerOf(producerId: number, epoch: number): Producer {
    const known = this.#producers.get(producerId)
    if (known !== undefined) {
      if (known.epoch !== epoch) known.batches = []
      known.epoch = epoch
      return known
    }
    const producer: Producer = {
      epoch,
      coordinatorEpoch: -1,
      transactionFirstOffset: -1,
      batches: [],
      lastTimestamp: -1,
    }
    this.#producers.set(producerId, producer)
    return producer
  }

  /** Forgets producers that wrote nothing since `timestampMs` and have no open transaction. */
  expire(timestampMs: number): void {
    for (const [id, producer] of this.#producers) {
      if (producer.transactionFirstOffset < 0 && producer.lastTimestamp < timestampMs) {
        this.#producers.delete(id)
      }
    }
  }

  /** The snapshot's bytes. */
  encode(): Buffer {
    const writer = new ByteWriter(SNAPSHOT_HEADER_BYTES + 4 + this.#producers.size * 46)
    writer.int16(SNAPSHOT_VERSION)
    writer.uint32(0)
    writer.int32(this.#producers.size)
    for (const [producerId, producer] of this.#producers) {
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
    bytes.writeUInt32BE(crc32c(bytes.subarray(SNAPSHOT_HEADER_BYTES)), 2)
    return bytes
  }

  /** Throws CorruptSnapshotError. */
  static decode(bytes: Buffer): ProducerState {
    const version = bytes.length < SNAPSHOT_HEADER_BYTES + 4 ? undefined : bytes.readInt16BE(0)
    if (version !== SNAPSHOT_VERSION) {
      throw new CorruptSnapshotError(`${bytes.length} bytes of version ${version ?? 'unknown'}`)
    }
    if (bytes.readUInt32BE(2) !== crc32c(bytes.subarray(SNAPSHOT_HEADER_BYTES))) {
      throw new CorruptSnapshotError('its checksum does not match its content')
    }
    const state = new ProducerState()
    const reader = new ByteReader(bytes, SNAPSHOT_HEADER_BYTES)
    for (let left = reader.int32(); left > 0; left--) state.#decodeProducer(reader)
    return state
  }

  #decodeProducer(reader: ByteReader): void {
    const producerId = reader.int64()
    const epoch = reader.int16()
    const lastSequence = reader.int32()
    const lastOffset = reader.int64()
    const delta = reader.int32()
    const timestamp = reader.int64()
    const coordinatorEpoch = reader.int32()
    const transactionFirstOffset = reader.int64()
    const batch = {
      firstSequence: addSequence(lastSequence, 0x7fff_ffff - delta + 1),
      lastSequence,
      firstOffset: lastOffset - delta,
      lastOffset,
      timestamp,
    }
    this.#producers.set(producerId, {
      epoch,
      coordinatorEpoch,
      transactionFirstOffset,
      batches: lastOffset < 0 ? [] : [batch],
      lastTimestamp: timestamp,
    })
  }
}
