import { CleanedTransactions } from '../../../../broker/storage/cleaner/cleaned-transactions.ts'
import type { AbortedTransaction } from '../../../../broker/storage/transaction-index.ts'

const aborted = (producerId: number, firstOffset: number, lastOffset: number): AbortedTransaction => ({
  producerId,
  firstOffset,
  lastOffset,
  lastStableOffset: lastOffset + 1,
})
const records = (producerId: number, lastOffset: number) => ({
  producerId,
  lastOffset,
  isTransactional: true,
})
const marker = (producerId: number, lastOffset: number) => ({ producerId, lastOffset })

test('records of an aborted transaction are told apart from those of a committed one', () => {
  const transactions = new CleanedTransactions([aborted(1, 10, 13)])
  expect(transactions.passRecords(records(1, 5))).toBe(false)
  expect(transactions.passMarker(marker(1, 6), 'commit')).toBe(false)
  expect(transactions.passRecords(records(1, 10))).toBe(true)
  expect(transactions.passRecords(records(2, 11))).toBe(false)
  expect(transactions.passRecords({ producerId: 1, lastOffset: 12, isTransactional: false })).toBe(false)
  expect(transactions.passMarker(marker(1, 13), 'abort')).toBe(false)
  expect(transactions.passRecords(records(1, 14))).toBe(false)
})

test('a marker is needless once no batch of its transaction is left', () => {
  const transactions = new CleanedTransactions([aborted(1, 0, 3)])
  expect(transactions.passMarker(marker(1, 3), 'abort')).toBe(true)
  expect(transactions.passMarker(marker(2, 4), 'commit')).toBe(true)
  expect(transactions.passMarker(marker(2, 5), 'emptied')).toBe(true)
  expect(transactions.passMarker(marker(-1, 6), 'other')).toBe(false)
})

test('aborted transactions of which batches are left go into the new index, in order of their markers', () => {
  const kept: AbortedTransaction[] = []
  const both = [aborted(2, 1, 8), aborted(1, 0, 9), aborted(3, 2, 10)]
  const transactions = new CleanedTransactions(both, (transaction) => kept.push(transaction))
  transactions.passRecords(records(1, 0))
  transactions.passRecords(records(2, 1))
  transactions.passMarker(marker(2, 8), 'abort')
  transactions.passMarker(marker(1, 9), 'abort')
  transactions.passMarker(marker(3, 10), 'abort')
  expect(kept.map(({ producerId }) => producerId)).toEqual([2, 1])
})

test('the transactions of a producer are kept apart', () => {
  const transactions = new CleanedTransactions([aborted(1, 0, 1), aborted(1, 4, 5)])
  expect(transactions.passRecords(records(1, 0))).toBe(true)
  expect(transactions.passMarker(marker(1, 1), 'abort')).toBe(false)
  expect(transactions.passRecords(records(1, 2))).toBe(false)
  expect(transactions.passMarker(marker(1, 3), 'commit')).toBe(false)
  expect(transactions.passRecords(records(1, 4))).toBe(true)
  expect(transactions.passMarker(marker(1, 5), 'abort')).toBe(false)
})
