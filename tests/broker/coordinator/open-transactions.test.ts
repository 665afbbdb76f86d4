import { OpenTransactions } from '../../../broker/coordinator/open-transactions.ts'
import { BatchView } from '../../../broker/protocol/record-batch.ts'
import { type BatchOptions, encodeBatch } from '../../../broker/protocol/record-codec.ts'

function batch(key: Buffer | string, options: BatchOptions = {}): BatchView {
  const record = { timestamp: 0, key: Buffer.from(key), value: Buffer.from('value') }
  return new BatchView(encodeBatch([record], options))
}

function written(key: string, producerId: number): BatchView {
  return batch(key, { producerId, producerEpoch: 0, baseSequence: 0, isTransactional: true })
}

function marker(producerId: number, type: 'abort' | 'commit'): BatchView {
  const key = Buffer.from([0, 0, 0, type === 'commit' ? 1 : 0])
  return batch(key, { producerId, producerEpoch: 0, isTransactional: true, isControl: true })
}

function keysOf(batches: readonly BatchView[], transactions = new OpenTransactions()): string[] {
  return batches.flatMap((each) => transactions.pass(each).map(({ key }) => String(key)))
}

test('records outside of transactions count at once', () => {
  expect(keysOf([batch('a'), batch('b')])).toEqual(['a', 'b'])
})

test('a transaction counts when it commits, after what was written meanwhile', () => {
  expect(keysOf([written('a', 1), written('b', 1), batch('c'), marker(1, 'commit')])).toEqual(['c', 'a', 'b'])
})

test('an aborted transaction never was, and the next of the same producer is another', () => {
  expect(keysOf([written('a', 1), marker(1, 'abort'), written('b', 1), marker(1, 'commit')])).toEqual(['b'])
})

test('producers do not end each other’s transactions', () => {
  const transactions = new OpenTransactions()
  expect(keysOf([written('a', 1), written('b', 2), marker(2, 'commit')], transactions)).toEqual(['b'])
  expect(transactions.size).toBe(1)
})
