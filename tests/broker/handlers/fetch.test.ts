import { fetch } from '../../../broker/handlers/fetch.ts'
import type { RequestContext } from '../../../broker/handlers/context.ts'
import type { Fetch } from '../../../broker/protocol/apis/fetch.ts'
import { errorName, KafkaError } from '../../../broker/protocol/errors.ts'
import { type RequestOf, type ResponseOf, ZERO_UUID } from '../../../broker/protocol/schema.ts'
import type { ReplicaManager } from '../../../broker/replication/replica-manager.ts'
import { batchOfTexts, textsIn } from '../../support/records.ts'
import { marker, producerBatch } from '../../support/transactions.ts'
import { useBroker } from '../../support/use-broker.ts'
import { waitUntil } from '../../support/wait-until.ts'

type Request = RequestOf<typeof Fetch>
type Asked = Partial<Request['topics'][number]['partitions'][number]>
type Response = ResponseOf<typeof Fetch>

const broker = useBroker()
let topic = ''
let topics = 0

/** Each test has a topic of its own, with two partitions. */
beforeEach(async () => {
  topics += 1
  topic = `orders-${topics}`
  await broker.createTopic(topic, 2)
})

async function append(texts: string[], index = 0): Promise<void> {
  await broker.append(topic, texts, index)
}

/** Partitions of the topic, from offset 0 unless told otherwise. */
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
        topic,
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

  test('while clients leave their answers unread, they get a batch at a time', async () => {
    await append(['a'])
    await append(['b'])
    const answerRoom = (): number => 0
    expect(texts(await ask(request([{}]), 12, { answerRoom }))).toEqual([['0:a']])
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

  test('what is there already is enough', async () => {
    await append(['x'.repeat(1000)])
    await append(['y'.repeat(1000)])
    const response = await ask(request([{}], { maxWaitMs: 30_000, minBytes: 2000 }))
    expect(texts(response)[0]).toHaveLength(2)
  })

  test('nothing is read for a wait: its memory is lent when the answer is made', async () => {
    await append(['x'])
    let lent = 0
    const lend = (sizeBytes: number): Buffer => {
      lent += 1
      return Buffer.alloc(sizeBytes)
    }
    const asked = ask(request([{}], { maxWaitMs: 30_000, minBytes: 100 }), 12, { lend })
    expect(lent).toBe(0)
    await append(['y'])
    expect(texts(await asked)).toEqual([['0:x', '1:y']])
    expect(lent).toBe(1)
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
    const { id } = broker.metadata.image.topics.get(topic)!
    const asked = ask(request([{}], { maxWaitMs: 30_000 }))
    await broker.metadata.deleteTopic(topic, id)
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
  ['a newer leader epoch', { currentLeaderEpoch: 9 }, 'UNKNOWN_LEADER_EPOCH'],
  ['a partition that is not there', { partition: 5 }, 'UNKNOWN_TOPIC_OR_PARTITION'],
])('refuses %s', async (_case, asked, error) => {
  await append(['a', 'b', 'c'])
  const response = await ask(request([asked]))
  expect(errorsOf(response)).toEqual([error])
  expect(partitionsOf(response)[0]).toMatchObject({ highWatermark: -1 })
})

test.each([
  [5, 'NOT_LEADER_OR_FOLLOWER'],
  [6, 'KAFKA_STORAGE_ERROR'],
])('a log directory that is offline is told of in version %i as %s', async (version, error) => {
  const leader = (): never => {
    throw new KafkaError('KAFKA_STORAGE_ERROR', 'offline')
  }
  const replicas = { leader } as unknown as ReplicaManager
  expect(errorsOf(await ask(request([{}]), version, { replicas }))).toEqual([error])
})

test('finds topics by id from v13 on', async () => {
  await append(['a'])
  const topicId = broker.metadata.image.topics.get(topic)!.id
  const byId = (id: string): Request => {
    const asked = request([{}])
    return { ...asked, topics: [{ ...asked.topics[0]!, topic: '', topicId: id }] }
  }
  expect(texts(await ask(byId(topicId), 13))).toEqual([['0:a']])
  expect(errorsOf(await ask(byId('AAAAAAAAAAAAAAAAAAAAAg'), 13))).toEqual(['UNKNOWN_TOPIC_ID'])
})

describe('sessions', () => {
  const told = (response: Response): Record<string, string[]> =>
    Object.fromEntries(
      response.responses.flatMap(({ partitions }) =>
        partitions.map(({ partitionIndex, records }) => [partitionIndex, textsIn(records)]),
      ),
    )

  /** Begins a session with both partitions. */
  async function begin(version = 12): Promise<number> {
    const response = await ask(request([{}, {}], { sessionEpoch: 0 }), version)
    expect(response.sessionId).toBeGreaterThan(0)
    return response.sessionId!
  }

  /** Goes on with it: what is `asked` anew, by partition. */
  function goOn(sessionId: number, sessionEpoch: number, asked: readonly Asked[] = []): Promise<Response> {
    return ask(request(asked, { sessionId, sessionEpoch }))
  }

  test('a client that wants none gets none', async () => {
    await append(['a'])
    const sessionsBefore = broker.fetchSessions.size
    const response = await ask(request([{}]))
    expect([response.sessionId, texts(response)]).toEqual([0, [['0:a']]])
    expect(broker.fetchSessions.size).toBe(sessionsBefore)
  })

  test('the first answer has every partition, the next ones those with news only', async () => {
    await append(['a'])
    const sessionId = await begin()
    expect(told(await goOn(sessionId, 1, [{ fetchOffset: 1 }]))).toEqual({})
    await append(['b'], 1)
    expect(told(await goOn(sessionId, 2))).toEqual({ 1: ['0:b'] })
    expect(told(await goOn(sessionId, 3, [{ fetchOffset: 1 }, { fetchOffset: 1 }]))).toEqual({})
  })

  test('a partition whose start has moved is news', async () => {
    await append(['a', 'b'])
    const sessionId = await begin()
    await goOn(sessionId, 1, [{ fetchOffset: 2 }])
    await broker.partition(topic).log.raiseLogStartOffset(1)
    const response = await goOn(sessionId, 2)
    expect(partitionsOf(response)).toMatchObject([{ partitionIndex: 0, logStartOffset: 1, highWatermark: 2 }])
    expect(told(await goOn(sessionId, 3))).toEqual({})
  })

  test('an error is told again and again, and its end once', async () => {
    await append(['a'])
    const sessionId = await begin()
    for (const epoch of [1, 2]) {
      const response = await goOn(sessionId, epoch, [{ fetchOffset: 99 }])
      expect(errorsOf(response)).toEqual(['OFFSET_OUT_OF_RANGE'])
    }
    expect(told(await goOn(sessionId, 3, [{ fetchOffset: 1 }]))).toEqual({ 0: [] })
    expect(told(await goOn(sessionId, 4))).toEqual({})
  })

  test('partitions are added and forgotten', async () => {
    const { sessionId } = await ask(request([{}], { sessionEpoch: 0 }))
    await append(['b'], 1)
    expect(told(await goOn(sessionId!, 1, [{ partition: 1 }]))).toEqual({ 1: ['0:b'] })
    const forgottenTopicsData = [{ topic, topicId: ZERO_UUID, partitions: [1] }]
    const response = await ask(request([], { sessionId: sessionId!, sessionEpoch: 2, forgottenTopicsData }))
    expect([response.sessionId, told(response)]).toEqual([sessionId, {}])
  })

  test('a session without partitions ends', async () => {
    const sessionId = await begin()
    const forgottenTopicsData = [{ topic, topicId: ZERO_UUID, partitions: [0, 1] }]
    const response = await ask(request([], { sessionId, sessionEpoch: 1, forgottenTopicsData }))
    expect(response.sessionId).toBe(0)
    expect(errorName((await goOn(sessionId, 2)).errorCode ?? 0)).toBe('FETCH_SESSION_ID_NOT_FOUND')
  })

  test('whoever got records is read last the next time, so that the limit starves nobody', async () => {
    for (const index of [0, 1]) {
      await append(['x'.repeat(100)], index)
      await append(['y'.repeat(100)], index)
    }
    const { sessionId } = await ask(request([{}, {}], { sessionEpoch: 0, maxBytes: 1 }))
    const served: string[] = []
    const offsets = [0, 0]
    for (let epoch = 1; epoch <= 4; epoch += 1) {
      const asked = offsets.map((fetchOffset) => ({ fetchOffset }))
      const response = await ask(request(asked, { sessionId: sessionId!, sessionEpoch: epoch, maxBytes: 1 }))
      for (const [index, records] of Object.entries(told(response))) {
        if (records.length > 0) served.push(index)
        offsets[Number(index)]! += records.length
      }
    }
    expect(served).toEqual(['0', '1', '0', '1'])
  })

  test('a wait ends when any of its partitions has something', async () => {
    const sessionId = await begin()
    const asked = ask(request([], { sessionId, sessionEpoch: 1, maxWaitMs: 30_000 }))
    await append(['b'], 1)
    expect(told(await asked)).toEqual({ 1: ['0:b'] })
  })

  test('an answer with nothing at the end of the wait', async () => {
    const sessionId = await begin()
    const response = await ask(request([], { sessionId, sessionEpoch: 1, maxWaitMs: 20 }))
    expect([response.sessionId, response.responses]).toEqual([sessionId, []])
  })

  test('a topic that is made anew under the same name is another one', async () => {
    const { id } = broker.metadata.image.topics.get(topic)!
    const asked = request([{}], { sessionEpoch: 0 })
    const byId = { ...asked, topics: [{ ...asked.topics[0]!, topic: '', topicId: id }] }
    const { sessionId } = await ask(byId, 13)
    await broker.metadata.deleteTopic(topic, id)
    await waitUntil(() => broker.replicas.partition(topic, 0) === undefined, 'the topic is gone')
    expect(errorsOf(await ask(request([], { sessionId: sessionId!, sessionEpoch: 1 }), 13))).toEqual([
      'UNKNOWN_TOPIC_OR_PARTITION',
    ])
    await broker.createTopic(topic)
    expect(errorsOf(await ask(request([], { sessionId: sessionId!, sessionEpoch: 2 }), 13))).toEqual([
      'INCONSISTENT_TOPIC_ID',
    ])
  })

  test.each([
    ['an id that nobody has', 12_345, 1, 12, 'FETCH_SESSION_ID_NOT_FOUND'],
    ['an epoch that was used', 0, 1, 12, 'INVALID_FETCH_SESSION_EPOCH'],
    ['an epoch to come', 0, 3, 12, 'INVALID_FETCH_SESSION_EPOCH'],
    ['ids of topics after their names', 0, 2, 13, 'FETCH_SESSION_TOPIC_ID_ERROR'],
  ])('%s is refused as a whole', async (_case, idOffset, sessionEpoch, version, error) => {
    const sessionId = await begin()
    await goOn(sessionId, 1)
    const response = await ask(request([], { sessionId: sessionId + idOffset, sessionEpoch }), version)
    expect([errorName(response.errorCode ?? 0), response.responses]).toEqual([error, []])
  })

  test('of two requests that go on from the same answer, the slower one is refused', async () => {
    const sessionId = await begin()
    const slow = ask(request([], { sessionId, sessionEpoch: 1, maxWaitMs: 30_000 }))
    const quick = await ask(request([], { sessionId, sessionEpoch: 2 }))
    await append(['a'])
    expect([quick, await slow].map((response) => errorName(response.errorCode ?? 0))).toEqual([
      'NONE',
      'INVALID_FETCH_SESSION_EPOCH',
    ])
  })
})

test('a request of an earlier life of a follower is refused', async () => {
  const epoch = broker.metadata.image.brokers.get(1)!.epoch
  const response = await ask(request([{}], { replicaState: { replicaId: 1, replicaEpoch: epoch - 1 } }), 17)
  expect(errorName(response.errorCode ?? 0)).toBe('STALE_BROKER_EPOCH')
})

describe('read_committed', () => {
  const tx = { producerId: 7, sequence: 0, isTransactional: true }

  async function committed(fetchOffset = 0, more: Partial<Request> = {}): Promise<Response> {
    return ask(request([{ fetchOffset }], { isolationLevel: 1, ...more }))
  }

  function end(outcome: 'commit' | 'abort'): Promise<unknown> {
    const options = { acks: -1, timeoutMs: 1000, origin: 'coordinator' } as const
    return broker.partition(topic).append(marker(outcome, { producerId: 7 }), options)
  }

  test('gets a list of aborted transactions, others none', async () => {
    await append(['a'])
    expect(partitionsOf(await committed())[0]!.abortedTransactions).toEqual([])
    expect(partitionsOf(await ask(request([{}])))[0]!.abortedTransactions).toBeNull()
  })

  test('reads up to the first transaction that is undecided, and others up to the end', async () => {
    await append(['a'])
    await broker.append(topic, producerBatch(['b'], tx))
    await append(['c'])
    const response = await committed()
    expect(texts(response)).toEqual([['0:a']])
    expect(partitionsOf(response)[0]).toMatchObject({ highWatermark: 3, lastStableOffset: 1 })
    expect(texts(await ask(request([{}])))).toEqual([['0:a', '1:b', '2:c']])
  })

  test('is told which of the records were aborted', async () => {
    await append(['a'])
    await broker.append(topic, producerBatch(['b'], tx))
    await end('abort')
    const response = await committed()
    expect(partitionsOf(response)[0]).toMatchObject({
      lastStableOffset: 3,
      abortedTransactions: [{ producerId: 7, firstOffset: 1 }],
    })
    expect(partitionsOf(await committed(3))[0]!.abortedTransactions).toEqual([])
  })

  test('a wait ends when a transaction is decided, not before', async () => {
    await broker.append(topic, producerBatch(['b'], tx))
    let isAnswered = false
    const asked = committed(0, { maxWaitMs: 30_000 }).then((response) => {
      isAnswered = true
      return response
    })
    await append(['c'])
    await new Promise((resolve) => setImmediate(resolve))
    expect(isAnswered).toBe(false)
    await end('commit')
    expect(partitionsOf(await asked)[0]!.records).not.toHaveLength(0)
  })

  test('an isolation level that does not exist is refused', async () => {
    await expect(committed(0, { isolationLevel: 9 })).rejects.toThrow('isolation level 9')
  })
})
