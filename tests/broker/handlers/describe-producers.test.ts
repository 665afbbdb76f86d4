import { describeProducers } from '../../../broker/handlers/describe-producers.ts'
import { errorName } from '../../../broker/protocol/errors.ts'
import { producerBatch } from '../../support/transactions.ts'
import { useBroker } from '../../support/use-broker.ts'

const broker = useBroker({ topics: { orders: 2 } })

async function describeOf(name: string, index: number): Promise<{ error: string; producers: unknown }> {
  const response = await describeProducers(
    { topics: [{ name, partitionIndexes: [index] }] },
    broker.context(0),
  )
  const { errorCode, activeProducers } = response!.topics[0]!.partitions[0]!
  return { error: errorName(errorCode), producers: activeProducers }
}

test('tells of each producer what it wrote last, and where its open transaction begins', async () => {
  const timestamp = Date.now()
  await broker.append('orders', producerBatch(['a', 'b'], { producerId: 5, sequence: 0, timestamp }))
  const transaction = { producerId: 7, epoch: 3, sequence: 0, isTransactional: true, timestamp }
  await broker.append('orders', producerBatch(['c'], transaction))
  const { error, producers } = await describeOf('orders', 0)
  expect(error).toBe('NONE')
  expect(producers).toMatchObject([
    { producerId: 5, producerEpoch: 0, lastSequence: 1, lastTimestamp: timestamp, currentTxnStartOffset: -1 },
    { producerId: 7, producerEpoch: 3, lastSequence: 0, lastTimestamp: timestamp, currentTxnStartOffset: 2 },
  ])
  expect(await describeOf('orders', 1)).toEqual({ error: 'NONE', producers: [] })
})

test.each([
  ['orders', 9, 'UNKNOWN_TOPIC_OR_PARTITION'],
  ['nothing', 0, 'UNKNOWN_TOPIC_OR_PARTITION'],
  ['a b', 0, 'INVALID_TOPIC_EXCEPTION'],
])('refuses %s-%i', async (name, index, error) => {
  expect(await describeOf(name, index)).toEqual({ error, producers: [] })
})
