/** Batches of transactional producers and the markers that end their transactions, for storage tests. */
import { encodeEndMarker } from '../../broker/protocol/control-records.ts'
import { encodeBatch } from '../../broker/protocol/record-codec.ts'

const TIMESTAMP = 1_700_000_000_000

export interface ProducerBatchOptions {
  readonly producerId: number
  readonly sequence: number
  readonly epoch?: number
  readonly isTransactional?: boolean
  readonly timestamp?: number
}

/** One record for each value. */
export function producerBatch(values: readonly string[], options: ProducerBatchOptions): Buffer {
  const { producerId, sequence, epoch = 0, isTransactional = false, timestamp = TIMESTAMP } = options
  return encodeBatch(
    values.map((value) => ({ timestamp, key: Buffer.from(`k-${value}`), value: Buffer.from(value) })),
    { producerId, producerEpoch: epoch, baseSequence: sequence, isTransactional },
  )
}

export interface MarkerOptions {
  readonly producerId: number
  readonly epoch?: number
  readonly coordinatorEpoch?: number
  readonly timestamp?: number
}

export function marker(outcome: 'commit' | 'abort', options: MarkerOptions): Buffer {
  const { producerId, epoch = 0, coordinatorEpoch = 0, timestamp = TIMESTAMP } = options
  const isAborted = outcome === 'abort'
  return encodeEndMarker({ producerId, producerEpoch: epoch, coordinatorEpoch, isAborted, timestamp })
}
