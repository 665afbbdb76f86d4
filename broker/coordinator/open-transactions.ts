/**
 * What transactions wrote into a state topic, held back until their end: a commit marker makes it count, an abort
 * marker undoes it. A marker is a control batch of the same producer, whose one record has a key of two int16: a
 * version, and 0 for abort or 1 for commit.
 */
import type { BatchView } from '../protocol/record-batch.ts'
import { decodeRecords, type DecodedRecord } from '../protocol/record-codec.ts'

const COMMIT = 1
const TYPE_POSITION = 2

export class OpenTransactions {
  /** By producer id; each has one transaction at a time. */
  readonly #held = new Map<number, DecodedRecord[]>()

  /** How many have no end in the log so far. */
  get size(): number {
    return this.#held.size
  }

  /** The records that count from this batch on, in the order of the log. */
  pass(batch: BatchView): readonly DecodedRecord[] {
    if (batch.isControl) return this.#end(batch)
    const records = decodeRecords(batch)
    if (!batch.isTransactional) return records
    this.#held.set(batch.producerId, [...(this.#held.get(batch.producerId) ?? []), ...records])
    return []
  }

  #end(marker: BatchView): readonly DecodedRecord[] {
    const records = this.#held.get(marker.producerId) ?? []
    this.#held.delete(marker.producerId)
    const type = decodeRecords(marker)[0]?.key?.readInt16BE(TYPE_POSITION)
    return type === COMMIT ? records : []
  }
}
