/**
 * The markers that end a transaction in a partition (KIP-98). A marker is a control batch of one record:
 * key int16 version 0, int16 type (0 abort, 1 commit); value int16 version 0, int32 epoch of the coordinator.
 */
import { KafkaError } from './errors.ts'
import type { BatchView } from './record-batch.ts'
import { decodeRecords, encodeBatch } from './record-codec.ts'

const ABORT = 0
const COMMIT = 1

export interface EndMarker {
  readonly isAborted: boolean
  /** Of the transaction coordinator that wrote it. */
  readonly coordinatorEpoch: number
  readonly timestamp: number
}

/**
 * What a whole control batch says. undefined when it ends no transaction: it is of another type, or compaction has
 * emptied it. Throws CORRUPT_MESSAGE.
 */
export function readEndMarker(batch: BatchView): EndMarker | undefined {
  const [record] = decodeRecords(batch)
  if (record === undefined) return undefined
  const { key, value, timestamp } = record
  if (key === null || key.length < 4) {
    throw new KafkaError('CORRUPT_MESSAGE', `the control batch at offset ${batch.baseOffset} has no type`)
  }
  const type = key.readInt16BE(2)
  if (type !== ABORT && type !== COMMIT) return undefined
  if (value === null || value.length < 6) {
    throw new KafkaError(
      'CORRUPT_MESSAGE',
      `the marker at offset ${batch.baseOffset} has no coordinator epoch`,
    )
  }
  return { isAborted: type === ABORT, coordinatorEpoch: value.readInt32BE(2), timestamp }
}

export interface EndMarkerToWrite extends EndMarker {
  readonly producerId: number
  readonly producerEpoch: number
}

/** The control batch of a marker, without offset yet. */
export function encodeEndMarker(marker: EndMarkerToWrite): Buffer {
  const key = Buffer.alloc(4)
  key.writeInt16BE(marker.isAborted ? ABORT : COMMIT, 2)
  const value = Buffer.alloc(6)
  value.writeInt32BE(marker.coordinatorEpoch, 2)
  return encodeBatch([{ timestamp: marker.timestamp, key, value }], {
    producerId: marker.producerId,
    producerEpoch: marker.producerEpoch,
    isTransactional: true,
    isControl: true,
  })
}
