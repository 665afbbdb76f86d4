import { produce } from '../../../broker/handlers/produce.ts'
import type { Produce } from '../../../broker/protocol/apis/produce.ts'
import { errorCode, errorName } from '../../../broker/protocol/errors.ts'
import { type RequestOf, ZERO_UUID } from '../../../broker/protocol/schema.ts'
import { batchOfTexts } from '../../support/records.ts'
import { useBroker } from '../../support/use-broker.ts'

const broker = useBroker({ topics: { orders: 2, __consumer_offsets: 1 } })
const topicId = (): string => broker.metadata.image.topics.get('orders')!.id

interface Sent {
  readonly version?: number
  readonly topic?: string
  readonly topicId?: string
  readonly acks?: number
  readonly transactionalId?: string
  /** By partition index. */
  readonly records: Readonly<Record<number, Buffer | null>>
}

async function send(sent: Sent): Promise<Awaited<ReturnType<typeof produce>>> {
  const request: RequestOf<typeof Produce> = {
    transactionalId: sent.transactionalId ?? null,
    acks: sent.acks ?? -1,
    timeoutMs: 1000,
    topicData: [
      {
        name: sent.topic ?? 'orders',
        topicId: sent.topicId ?? ZERO_UUID,
        partitionData: Object.entries(sent.records).map(([index, records]) => ({
          index: Number(index),
          records,
        })),
      },
    ],
  }
  return produce(request, broker.context(sent.version ?? 9))
}

/** Error name and base offset of each partition in the answer. */
async function results(sent: Sent): Promise<(string | number)[][]> {
  const response = await send(sent)
  return (response?.responses[0]?.partitionResponses ?? []).map(({ index, errorCode, baseOffset }) => [
    index,
    errorName(errorCode),
    baseOffset,
  ])
}

test.each([0, 1, -1])('appends to each partition named with acks=%i', async (acks) => {
  const before = [0, 1].map((index) => broker.partition('orders', index).log.logEndOffset)
  const response = await send({ acks, records: { 0: batchOfTexts(['a', 'b']), 1: batchOfTexts(['c']) } })
  expect(broker.partition('orders', 0).log.logEndOffset).toBe(before[0]! + 2)
  expect(broker.partition('orders', 1).log.logEndOffset).toBe(before[1]! + 1)
  if (acks === 0) expect(response).toBeNull()
  else {
    expect(response?.responses[0]?.partitionResponses).toMatchObject([
      { index: 0, errorCode: 0, baseOffset: before[0], logAppendTimeMs: -1, logStartOffset: 0 },
      { index: 1, errorCode: 0, baseOffset: before[1] },
    ])
  }
})

test('finds a topic by its id from v13 on', async () => {
  const end = broker.partition('orders').log.logEndOffset
  expect(
    await results({ version: 13, topic: '', topicId: topicId(), records: { 0: batchOfTexts(['x']) } }),
  ).toEqual([[0, 'NONE', end]])
  const unknown = {
    version: 13,
    topic: '',
    topicId: 'AAAAAAAAAAAAAAAAAAAAAg',
    records: { 0: batchOfTexts(['x']) },
  }
  expect(await results(unknown)).toEqual([[0, 'UNKNOWN_TOPIC_ID', -1]])
})

test('a partition that fails does not spoil the others', async () => {
  const spoilt = batchOfTexts(['spoilt'])
  spoilt[spoilt.length - 1]! ^= 0xff
  const end = broker.partition('orders', 1).log.logEndOffset
  expect(
    await results({ records: { 0: spoilt, 1: batchOfTexts(['good']), 7: batchOfTexts(['nowhere']) } }),
  ).toEqual([
    [0, 'CORRUPT_MESSAGE', -1],
    [1, 'NONE', end],
    [7, 'UNKNOWN_TOPIC_OR_PARTITION', -1],
  ])
})

test.each<[string, Sent, string]>([
  [
    'an acks value that does not exist',
    { acks: 2, records: { 0: batchOfTexts(['x']) } },
    'INVALID_REQUIRED_ACKS',
  ],
  ['no records at all', { records: { 0: null } }, 'INVALID_RECORD'],
  [
    'two batches for one partition',
    { records: { 0: Buffer.concat([batchOfTexts(['x']), batchOfTexts(['y'])]) } },
    'INVALID_RECORD',
  ],
  [
    'a transactional producer',
    {
      transactionalId: 'transfer',
      records: {
        0: batchOfTexts(['x'], { isTransactional: true, producerId: 1, producerEpoch: 0, baseSequence: 0 }),
      },
    },
    'INVALID_TXN_STATE',
  ],
  [
    'a transactional batch without a transaction',
    {
      records: {
        0: batchOfTexts(['x'], { isTransactional: true, producerId: 1, producerEpoch: 0, baseSequence: 0 }),
      },
    },
    'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
  ],
  ['a few bytes', { records: { 0: Buffer.alloc(10) } }, 'INVALID_RECORD'],
  [
    'zstd from a client too old to be given it back',
    { version: 6, records: { 0: batchOfTexts(['x'], { codec: 'zstd' }) } },
    'UNSUPPORTED_COMPRESSION_TYPE',
  ],
  [
    'a topic that only brokers write',
    { topic: '__consumer_offsets', records: { 0: batchOfTexts(['x']) } },
    'INVALID_TOPIC_EXCEPTION',
  ],
  [
    'a topic that only brokers would write',
    { topic: '__transaction_state', records: { 0: batchOfTexts(['x']) } },
    'UNKNOWN_TOPIC_OR_PARTITION',
  ],
  [
    'an unknown topic',
    { topic: 'nowhere', records: { 0: batchOfTexts(['x']) } },
    'UNKNOWN_TOPIC_OR_PARTITION',
  ],
])('refuses %s', async (_case, sent, error) => {
  expect(await results(sent)).toEqual([[0, error, -1]])
})

test('names the records at fault', async () => {
  await broker.createTopic('latest', 1, { 'cleanup.policy': 'compact' })
  const response = await send({ topic: 'latest', records: { 0: batchOfTexts(['a', 'b']) } })
  expect(response?.responses[0]?.partitionResponses).toMatchObject([
    {
      errorCode: errorCode('INVALID_RECORD'),
      errorMessage: expect.stringContaining('record 0: the topic is compacted') as string,
      recordErrors: [
        { batchIndex: 0, batchIndexErrorMessage: expect.stringContaining('key') as string },
        { batchIndex: 1 },
      ],
    },
  ])
})

test('with acks=0 an error is thrown, so that the connection closes', async () => {
  await expect(send({ acks: 0, topic: 'nowhere', records: { 0: batchOfTexts(['x']) } })).rejects.toThrow(
    'acks=0',
  )
})

test('a retried batch of an idempotent producer is answered with its first offset', async () => {
  const batch = (): Buffer => batchOfTexts(['once'], { producerId: 77, producerEpoch: 0, baseSequence: 0 })
  const first = await results({ records: { 0: batch() } })
  await results({ records: { 0: batchOfTexts(['between']) } })
  expect(await results({ records: { 0: batch() } })).toEqual(first)
})
