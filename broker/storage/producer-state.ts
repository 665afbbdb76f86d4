/**
 * What a partition knows of the producers that wrote to it (KIP-98): of each id the epoch, the last five batches, by
 * which a repeated batch is recognised and a gap refused, and its open transaction.
 *
 * A transaction is open from its first batch to the marker that ends it, and unstable until that marker is below the
 * high watermark: only then can the outcome not change any more. The earliest unstable one bounds what readers of
 * committed records get.
 */
import { type EndMarker, readEndMarker } from '../protocol/control-records.ts'
import { KafkaError } from '../protocol/errors.ts'
import { addSequence, type BatchView } from '../protocol/record-batch.ts'
import type { AbortedTransaction } from './transaction-index.ts'

/** As many as a client keeps in flight. */
const BATCHES_KEPT = 5

/** Who wrote a batch: only clients number theirs. */
export type AppendOrigin = 'client' | 'coordinator'

export interface ProducerBatch {
  readonly firstSequence: number
  readonly lastSequence: number
  readonly firstOffset: number
  readonly lastOffset: number
  /** The largest of its records. */
  readonly timestamp: number
}

export interface Producer {
  epoch: number
  /** Of the transaction coordinator that wrote the last marker; -1 before the first. */
  coordinatorEpoch: number
  /** -1 when no transaction is open. */
  transactionFirstOffset: number
  /** Oldest first; empty after a marker that raised the epoch. */
  batches: ProducerBatch[]
  lastTimestamp: number
}

export interface ActiveProducer {
  readonly producerId: number
  readonly producerEpoch: number
  /** -1 when no batch of this epoch is known. */
  readonly lastSequence: number
  /** Of its last batch; -1 when no batch of this epoch is known. */
  readonly lastOffset: number
  readonly lastTimestamp: number
  readonly coordinatorEpoch: number
  /** -1 when no transaction is open. */
  readonly currentTxnStartOffset: number
}

/** First offsets of a transaction and of its marker. */
interface EndedTransaction {
  readonly firstOffset: number
  readonly lastOffset: number
}

export class ProducerState {
  readonly #producers = new Map<number, Producer>()
  /** Producer ids of the open transactions by first offset, which rises from entry to entry. */
  readonly #open = new Map<number, number>()
  /** Ended by markers that are not known to be below the high watermark. */
  #unreplicated: EndedTransaction[] = []
  #firstUnstableOffset: number | undefined

  /** Of a snapshot. */
  static of(producers: Iterable<readonly [number, Producer]>): ProducerState {
    const state = new ProducerState()
    for (const [id, producer] of producers) state.#producers.set(id, producer)
    const open = [...state.#producers].filter(([, producer]) => producer.transactionFirstOffset >= 0)
    open.sort(([, a], [, b]) => a.transactionFirstOffset - b.transactionFirstOffset)
    for (const [id, { transactionFirstOffset }] of open) state.#open.set(transactionFirstOffset, id)
    state.#findFirstUnstable()
    return state
  }

  get size(): number {
    return this.#producers.size
  }

  entries(): IterableIterator<[number, Producer]> {
    return this.#producers.entries()
  }

  /** Where the earliest transaction begins that is open, or whose marker may not be replicated yet. */
  get firstUnstableOffset(): number | undefined {
    return this.#firstUnstableOffset
  }

  activeProducers(): ActiveProducer[] {
    return [...this.#producers].map(([producerId, producer]) => ({
      producerId,
      producerEpoch: producer.epoch,
      lastSequence: producer.batches.at(-1)?.lastSequence ?? -1,
      lastOffset: producer.batches.at(-1)?.lastOffset ?? -1,
      lastTimestamp: producer.lastTimestamp,
      coordinatorEpoch: producer.coordinatorEpoch,
      currentTxnStartOffset: producer.transactionFirstOffset,
    }))
  }

  /**
   * Checks a producer's batch before a leader appends it. Returns the offsets of the first appearance when a client
   * repeats a batch. A producer that is not known (new, expired, or its records are gone) may begin with any sequence.
   * Throws INVALID_PRODUCER_EPOCH, OUT_OF_ORDER_SEQUENCE_NUMBER, INVALID_TXN_STATE, TRANSACTION_COORDINATOR_FENCED.
   */
  check(batch: BatchView, origin: AppendOrigin): ProducerBatch | undefined {
    const producer = this.#producers.get(batch.producerId)
    if (producer === undefined) return undefined
    const repeated = origin === 'client' ? repeatedBatch(producer, batch) : undefined
    if (repeated !== undefined) return repeated
    checkEpoch(producer, batch)
    if (batch.isControl) checkCoordinatorEpoch(producer, batch)
    else {
      if (origin === 'client') checkSequence(producer, batch)
      checkTransaction(producer, batch)
    }
    return undefined
  }

  /**
   * Takes note of a batch that has its offset: appended, replicated, or found when the log was opened. A control
   * batch must be whole; of others the header will do. Returns the transaction that the batch aborts.
   */
  update(batch: BatchView): AbortedTransaction | undefined {
    if (batch.producerId < 0) return undefined
    if (!batch.isControl) {
      this.#addBatch(batch)
      return undefined
    }
    const marker = readEndMarker(batch)
    return marker === undefined ? undefined : this.#end(batch, marker)
  }

  #addBatch(batch: BatchView): void {
    const { baseOffset: firstOffset, lastOffset, baseSequence, lastSequence } = batch
    const producer = this.#producerOf(batch.producerId, batch.producerEpoch)
    producer.lastTimestamp = batch.maxTimestamp
    const timestamp = batch.maxTimestamp
    producer.batches.push({ firstSequence: baseSequence, lastSequence, firstOffset, lastOffset, timestamp })
    if (producer.batches.length > BATCHES_KEPT) producer.batches.shift()
    if (!batch.isTransactional || producer.transactionFirstOffset >= 0) return
    producer.transactionFirstOffset = firstOffset
    this.#open.set(firstOffset, batch.producerId)
    this.#findFirstUnstable()
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

  #end(batch: BatchView, marker: EndMarker): AbortedTransaction | undefined {
    const { producerId, baseOffset: lastOffset } = batch
    const producer = this.#producerOf(producerId, batch.producerEpoch)
    const firstOffset = producer.transactionFirstOffset
    producer.coordinatorEpoch = marker.coordinatorEpoch
    producer.lastTimestamp = marker.timestamp
    producer.transactionFirstOffset = -1
    if (firstOffset < 0) return undefined
    this.#open.delete(firstOffset)
    this.#unreplicated.push({ firstOffset, lastOffset })
    this.#findFirstUnstable()
    if (!marker.isAborted) return undefined
    const lastStableOffset = firstKey(this.#open) ?? lastOffset + 1
    return { producerId, firstOffset, lastOffset, lastStableOffset }
  }

  /** Transactions whose markers are below it cannot change any more. */
  highWatermarkMoved(highWatermark: number): void {
    if (this.#unreplicated.length === 0) return
    this.#unreplicated = this.#unreplicated.filter(({ lastOffset }) => lastOffset >= highWatermark)
    this.#findFirstUnstable()
  }

  #findFirstUnstable(): void {
    const first = this.#unreplicated.reduce(
      (lowest, { firstOffset }) => Math.min(lowest, firstOffset),
      firstKey(this.#open) ?? Infinity,
    )
    this.#firstUnstableOffset = first === Infinity ? undefined : first
  }

  /** Forgets producers that wrote nothing after `timestampMs` and have no open transaction. */
  expire(timestampMs: number): void {
    for (const [id, producer] of this.#producers) {
      if (producer.transactionFirstOffset < 0 && producer.lastTimestamp <= timestampMs) {
        this.#producers.delete(id)
      }
    }
  }
}

function firstKey(map: ReadonlyMap<number, unknown>): number | undefined {
  for (const key of map.keys()) return key
  return undefined
}

function repeatedBatch({ epoch, batches }: Producer, batch: BatchView): ProducerBatch | undefined {
  if (batch.producerEpoch !== epoch) return undefined
  const { baseSequence, lastSequence } = batch
  return batches.find((known) => known.firstSequence === baseSequence && known.lastSequence === lastSequence)
}

function checkEpoch(producer: Producer, { producerId, producerEpoch }: BatchView): void {
  if (producerEpoch >= producer.epoch) return
  throw new KafkaError(
    'INVALID_PRODUCER_EPOCH',
    `producer ${producerId} sent epoch ${producerEpoch}; it is at ${producer.epoch} already`,
  )
}

/** A new epoch begins with 0; in the same one a batch follows the last, if one is known. */
function checkSequence(producer: Producer, { producerId, producerEpoch, baseSequence }: BatchView): void {
  const last = producerEpoch === producer.epoch ? producer.batches.at(-1) : undefined
  const expected = last === undefined ? 0 : addSequence(last.lastSequence, 1)
  if (baseSequence === expected) return
  throw new KafkaError(
    'OUT_OF_ORDER_SEQUENCE_NUMBER',
    `producer ${producerId} of epoch ${producerEpoch} sent sequence ${baseSequence}, expected ${expected}`,
  )
}

function checkTransaction(producer: Producer, { producerId, isTransactional }: BatchView): void {
  if (isTransactional || producer.transactionFirstOffset < 0) return
  throw new KafkaError(
    'INVALID_TXN_STATE',
    `producer ${producerId} sent a batch outside of its transaction, which is open since offset ${producer.transactionFirstOffset}`,
  )
}

function checkCoordinatorEpoch(producer: Producer, batch: BatchView): void {
  const sent = readEndMarker(batch)?.coordinatorEpoch ?? Infinity
  if (sent >= producer.coordinatorEpoch) return
  throw new KafkaError(
    'TRANSACTION_COORDINATOR_FENCED',
    `a coordinator of epoch ${sent} ended the transaction of producer ${batch.producerId}; epoch ${producer.coordinatorEpoch} was here already`,
  )
}
