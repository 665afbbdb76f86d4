import { fetch } from '../../../broker/handlers/fetch.ts'
import type { RequestContext } from '../../../broker/handlers/context.ts'
import type { Fetch } from '../../../broker/protocol/apis/fetch.ts'
import { errorName } from '../../../broker/protocol/errors.ts'
import { type RequestOf, type ResponseOf, ZERO_UUID } from '../../../broker/protocol/schema.ts'
import { batchOfTexts, textsIn } from '../../support/records.ts'
import { useBroker } from '../../support/use-broker.ts'

type Request = RequestOf<typeof Fetch>
type Asked = Partial<Request['topics'][number]['partitions'][number]>
type Response = ResponseOf<typeof Fetch>

const broker = useBroker({ topics: { orders: 2 }, perTest: true })

async function append(texts: string[], index = 0): Promise<void> {
  await broker.append('orders', texts, index)
}

/** Partitions of the topic `orders`, from offset 0 unless told otherwise. */
function request(asked: readonly Asked[], more: Partial<Request> = {}): Request {
  return {
    clusterId: null,
    replicaId: -1,
    replicaState: { replicaId: -1, replicaEpoch: -1 },
    maxWaitMs: 0,
    minBytes: 1,
    maxBytes: 1_000_000,
    isolationLevel: 0,
    sessionId: 0,
    sessionEpoch: -1,
    topics: [
      {
        topic: 'orders',
        topicId: ZERO_UUID,
        partitions: asked.map((one, index) => ({
          partition: index,
          currentLeaderEpoch: -1,
          fetchOffset: 0,
          lastFetchedEpoch: -1,
          logStartOffset: -1,
          partitionMaxBytes: 1_000_000,
          replicaDirectoryId: ZERO_UUID,
          highWatermark: 2 ** 63,
          ...one,
        })),
      },
    ],
    forgottenTopicsData: [],
    rackId: '',
    ...more,
  }
}

async function ask(asked: Request, version = 12, more: Partial<RequestContext> = {}): Promise<Response> {
  return (await fetch(asked, broker.context(version, more)))!
}

function partitionsOf(response: Response): Response['responses'][number]['partitions'] {
  return response.responses[0]!.partitions
}

function errorsOf(response: Response): string[] {
  return partitionsOf(response).map(({ errorCode }) => errorName(errorCode))
}

function texts(response: Response): string[][] {
  return partitionsOf(response).map(({ records }) => textsIn(records))
}

test('returns the records from the offset on, and where the log is', async () => {
  await append(['a', 'b'])
  await append(['c'])
  const response = await ask(request([{ fetchOffset: 2 }, {}]))
  expect(texts(response)).toEqual([['2:c'], []])
  expect(partitionsOf(response)[0]).toMatchObject({
    errorCode: 0,
    highWatermark: 3,
    lastStableOffset: 3,
    logStartOffset: 0,
  })
})

test('returns whole batches: a reader in the middle of one gets its beginning as well', async () => {
  await append(['a', 'b', 'c'])
  expect(texts(await ask(request([{ fetchOffset: 1 }])))).toEqual([['0:a', '1:b', '2:c']])
})

describe('limits', () => {
  test('the first batch comes whole although it is larger than every limit', async () => {
    await append(['a'.repeat(500)])
    await append(['b'])
    const response = await ask(request([{ partitionMaxBytes: 10 }], { maxBytes: 10 }))
    expect(texts(response)).toEqual([[`0:${'a'.repeat(500)}`]])
  })

  test('only the first partition with records is allowed that', async () => {
    await append(['a'.repeat(500)])
    await append(['b'.repeat(500)], 1)
    const response = await ask(request([{}, {}], { maxBytes: 600 }))
    expect(texts(response).map((records) => records.length)).toEqual([1, 0])
    expect(errorsOf(response)).toEqual(['NONE', 'NONE'])
  })

  test('each partition has its own', async () => {
    for (let count = 0; count < 5; count += 1) await append(['a'.repeat(100)])
    await append(['b'], 1)
    const size = batchOfTexts(['a'.repeat(100)]).length
    const response = await ask(request([{ partitionMaxBytes: 2 * size }, {}]))
    expect(texts(response).map((records) => records.length)).toEqual([2, 1])
  })
})

describe('waiting', () => {
  test('an answer comes as soon as there are enough bytes, and not before', async () => {
    const size = batchOfTexts(['x']).length
    const waiting = request([{}, {}], { maxWaitMs: 30_000, minBytes: 2 * size })
    let response: Response | undefined
    const asked = ask(waiting).then((answer) => {
      response = answer
    })
    await append(['x'])
    await new Promise((resolve) => setImmediate(resolve))
    expect(response).toBeUndefined()
    await append(['y'], 1)
    await asked
    expect(texts(response!)).toEqual([['0:x'], ['0:y']])
  })

  test('an answer comes at the end of the wait with what there is', async () => {
    await append(['x'])
    const started = performance.now()
    const response = await ask(request([{}], { maxWaitMs: 50, minBytes: 1_000_000 }))
    expect(performance.now() - started).toBeGreaterThan(45)
    expect(texts(response)).toEqual([['0:x']])
  })

  test('an error is answered at once', async () => {
    const response = await ask(request([{}, { fetchOffset: 99 }], { maxWaitMs: 30_000 }))
    expect(errorsOf(response)).toEqual(['NONE', 'OFFSET_OUT_OF_RANGE'])
  })

  test('a wait ends when the topic is deleted', async () => {
    const topic = broker.metadata.image.topics.get('orders')!
    const asked = ask(request([{}], { maxWaitMs: 30_000 }))
    await broker.metadata.deleteTopic('orders', topic.id)
    expect(errorsOf(await asked)).toEqual(['UNKNOWN_TOPIC_OR_PARTITION'])
  })

  test('a wait ends when the client has gone', async () => {
    const gone = new AbortController()
    const asked = ask(request([{}], { maxWaitMs: 30_000 }), 12, { signal: gone.signal })
    gone.abort()
    expect(texts(await asked)).toEqual([[]])
  })
})

test.each<[string, Asked, string]>([
  ['an offset beyond the end', { fetchOffset: 4 }, 'OFFSET_OUT_OF_RANGE'],
  ['an older leader epoch', { currentLeaderEpoch: -2 }, 'FENCED_LEADER_EPOCH'],
  ['a newer leader epoch', { currentLeaderEpoch: 9 }, 'UNKNOWN_LEADER_EPOCH'],
  ['a partition that is not there', { partition: 5 }, 'UNKNOWN_TOPIC_OR_PARTITION'],
])('refuses %s', async (_case, asked, error) => {
  await append(['a', 'b', 'c'])
  const response = await ask(request([asked]))
  expect(errorsOf(response)).toEqual([error])
  expect(partitionsOf(response)[0]).toMatchObject({ highWatermark: -1 })
})

test('finds topics by id from v13 on', async () => {
  await append(['a'])
  const topicId = broker.metadata.image.topics.get('orders')!.id
  const byId = (id: string): Request => {
    const asked = request([{}])
    return { ...asked, topics: [{ ...asked.topics[0]!, topic: '', topicId: id }] }
  }
  expect(texts(await ask(byId(topicId), 13))).toEqual([['0:a']])
  expect(errorsOf(await ask(byId('AAAAAAAAAAAAAAAAAAAAAg'), 13))).toEqual(['UNKNOWN_TOPIC_ID'])
})

describe('sessions', () => {
  test.each([
    ['asks for one', 0, 0],
    ['wants none', 0, -1],
    ['ends one', 5, -1],
  ])('a client that %s is served without', async (_case, sessionId, sessionEpoch) => {
    await append(['a'])
    const response = await ask(request([{}], { sessionId, sessionEpoch }))
    expect(response.sessionId ?? 0).toBe(0)
    expect(texts(response)).toEqual([['0:a']])
  })

  test('a client that goes on with one is told that there is none', async () => {
    const response = await ask(request([{}], { sessionId: 5, sessionEpoch: 3 }))
    expect([errorName(response.errorCode ?? 0), response.responses]).toEqual([
      'FETCH_SESSION_ID_NOT_FOUND',
      [],
    ])
  })
})

test('a request of an earlier life of a follower is refused', async () => {
  const epoch = broker.metadata.image.brokers.get(1)!.epoch
  const response = await ask(request([{}], { replicaState: { replicaId: 1, replicaEpoch: epoch - 1 } }), 17)
  expect(errorName(response.errorCode ?? 0)).toBe('STALE_BROKER_EPOCH')
})

test('read_committed gets a list of aborted transactions, others none', async () => {
  await append(['a'])
  const aborted = async (isolationLevel: number): Promise<unknown> =>
    partitionsOf(await ask(request([{}], { isolationLevel })))[0]!.abortedTransactions
  expect(await aborted(1)).toEqual([])
  expect(await aborted(0)).toBeNull()
})
