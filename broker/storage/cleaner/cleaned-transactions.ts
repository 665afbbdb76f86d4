/**
 * Follows the transactions of a log while it is compacted from its start: which batches belong to an aborted one, and
 * which markers have nothing left that they could speak of. The offsets where aborted transactions begin come from the
 * transaction indexes; the batches must be shown in order.
 */
import type { AbortedTransaction } from '../transaction-index.ts'

/** What the marker in a control batch says; `emptied`: compaction has taken it away already. */
export type MarkerType = 'commit' | 'abort' | 'emptied' | 'other'

export class CleanedTransactions {
  /** In the order of their first offsets. */
  readonly #upcoming: AbortedTransaction[]
  #next = 0
  /** Aborted ones under way, by producer, and whether one of their batches was seen. */
  readonly #aborted = new Map<number, { transaction: AbortedTransaction; hasRecords: boolean }>()
  /** Producers with a transaction under way that will be committed, and of which a batch was seen. */
  readonly #committed = new Set<number>()
  readonly #kept: (transaction: AbortedTransaction) => void

  /** `kept`: told of every aborted transaction whose records are still there when its marker comes. */
  constructor(
    aborted: readonly AbortedTransaction[],
    kept: (transaction: AbortedTransaction) => void = () => {},
  ) {
    this.#upcoming = aborted.toSorted((a, b) => a.firstOffset - b.firstOffset)
    this.#kept = kept
  }

  #beginUpTo(offset: number): void {
    for (;;) {
      const transaction = this.#upcoming[this.#next]
      if (transaction === undefined || transaction.firstOffset > offset) return
      this.#next += 1
      if (!this.#aborted.has(transaction.producerId)) {
        this.#aborted.set(transaction.producerId, { transaction, hasRecords: false })
      }
    }
  }

  /** A batch of records: whether it belongs to an aborted transaction. */
  passRecords(batch: { lastOffset: number; producerId: number; isTransactional: boolean }): boolean {
    this.#beginUpTo(batch.lastOffset)
    if (!batch.isTransactional) return false
    const aborted = this.#aborted.get(batch.producerId)
    if (aborted === undefined) {
      this.#committed.add(batch.producerId)
      return false
    }
    aborted.hasRecords = true
    return true
  }

  /** A control batch: whether it has become needless, since no batch of its transaction is left. */
  passMarker(batch: { lastOffset: number; producerId: number }, type: MarkerType): boolean {
    this.#beginUpTo(batch.lastOffset)
    if (type === 'emptied') return true
    if (type === 'other') return false
    if (type === 'commit') return !this.#committed.delete(batch.producerId)
    const aborted = this.#aborted.get(batch.producerId)
    this.#aborted.delete(batch.producerId)
    if (aborted === undefined || !aborted.hasRecords) return true
    this.#kept(aborted.transaction)
    return false
  }
}
