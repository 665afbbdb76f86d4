import type { BrokerRegistration } from '../../../broker/metadata/image.ts'
import { Fetch } from '../../../broker/protocol/apis/fetch.ts'
import { ListOffsets } from '../../../broker/protocol/apis/list-offsets.ts'
import { errorCode, type ErrorName } from '../../../broker/protocol/errors.ts'
import { ByteReader } from '../../../broker/protocol/reader.ts'
import type { AnyApi, DecodedResponse, RequestOf, RequestToSend } from '../../../broker/protocol/schema.ts'
import { ByteWriter } from '../../../broker/protocol/writer.ts'
import { FollowerFetcher, type LeaderConnection } from '../../../broker/replication/follower-fetcher.ts'
import { silentLogger } from '../../../broker/runtime/logger.ts'
import {
  batchOf,
  openScene,
  type ReplicationScene,
  settle,
  TOPIC_ID,
} from '../../support/replication-scene.ts'
import { waitUntil } from '../../support/wait-until.ts'

interface Asked {
  readonly api: AnyApi
  readonly version: number
  readonly request: unknown
  answer(response: unknown): void
  fail(error: Error): void
}

/** The leader's side of the connection: the test reads what was asked and gives the answers, both as on the wire. */
class ScriptedLeader {
  readonly asked: Asked[] = []
  connections = 0

  connect(): LeaderConnection {
    this.connections += 1
    const pending = new Set<(error: Error) => void>()
    const { asked } = this
    return {
      request<A extends AnyApi>(
        api: A,
        version: number,
        request: RequestToSend<A>,
      ): Promise<DecodedResponse<A>> {
        const writer = new ByteWriter()
        api.request.encode(version, request, writer)
        const seen: unknown = api.request.decode(version, new ByteReader(writer.toBuffer()))
        return new Promise((resolve, reject) => {
          pending.add(reject)
          const answer = (response: unknown): void => {
            const bytes = new ByteWriter()
            api.response.encode(version, response as Parameters<typeof api.response.encode>[1], bytes)
            resolve(api.response.decode(version, new ByteReader(bytes.toBuffer())) as DecodedResponse<A>)
          }
          asked.push({ api, version, request: seen, answer, fail: reject })
        })
      },
      async close() {
        for (const reject of pending) reject(new Error('the connection was closed'))
      },
    }
  }
}

let scene: ReplicationScene
let leader: ScriptedLeader
let fetcher: FollowerFetcher
const REGISTRATION: BrokerRegistration = {
  id: 2,
  epoch: 12,
  endpoints: [],
  rack: null,
  shuttingDown: false,
  offlineReplicas: new Map(),
  completeSince: 0,
  revision: 12,
}

beforeEach(async () => {
  scene = await openScene()
  await scene.decide({ leader: 2 })
  leader = new ScriptedLeader()
  fetcher = new FollowerFetcher({
    brokerId: 1,
    brokerEpoch: () => 11,
    leaderId: 2,
    leader: () => REGISTRATION,
    connect: () => leader.connect(),
    settings: {
      waitMaxMs: 500,
      minBytes: 1,
      partitionMaxBytes: 1_000_000,
      responseMaxBytes: 10_000_000,
      backoffMs: 1000,
    },
    clock: scene.clock,
    logger: silentLogger,
  })
})

afterEach(async () => {
  await fetcher.close()
  await scene.close()
})

/** The next request, of `api`; whatever goes to disk before it takes its time. */
async function next(api: AnyApi): Promise<Asked> {
  await waitUntil(() => leader.asked.length > 0, `a ${api.name} request is sent`)
  const asked = leader.asked.shift()!
  expect(asked.api.name).toBe(api.name)
  return asked
}

function partitionsIn(asked: Asked): RequestOf<typeof Fetch>['topics'][number]['partitions'] {
  return (asked.request as RequestOf<typeof Fetch>).topics.flatMap(({ partitions }) => partitions)
}

function fetched(more: {
  records?: Buffer
  error?: ErrorName
  highWatermark?: number
  logStartOffset?: number
  divergingEpoch?: { epoch: number; endOffset: number }
}): unknown {
  const { records = null, error = 'NONE', highWatermark = 0, ...rest } = more
  const partition = {
    partitionIndex: 0,
    errorCode: errorCode(error),
    highWatermark,
    abortedTransactions: null,
    records,
    ...rest,
  }
  return { throttleTimeMs: 0, errorCode: 0, responses: [{ topicId: TOPIC_ID, partitions: [partition] }] }
}

function offset(value: number): unknown {
  return {
    throttleTimeMs: 0,
    topics: [{ name: 'events', partitions: [{ partitionIndex: 0, errorCode: 0, offset: value }] }],
  }
}

test('says who it is, where it is and in which epoch, and goes on after what it was sent', async () => {
  fetcher.follow(scene.partition)
  const first = await next(Fetch)
  expect(first.request).toMatchObject({ replicaState: { replicaId: 1, replicaEpoch: 11 }, maxWaitMs: 500 })
  expect(partitionsIn(first)).toMatchObject([{ currentLeaderEpoch: 5, fetchOffset: 0, lastFetchedEpoch: -1 }])
  first.answer(fetched({ records: batchOf(3, { leaderEpoch: 5 }), highWatermark: 2 }))
  const second = await next(Fetch)
  expect(partitionsIn(second)).toMatchObject([{ fetchOffset: 3, lastFetchedEpoch: 5 }])
  expect(scene.partition.highWatermark).toBe(2)
})

test('truncates where the leader says that the logs part, and asks from there', async () => {
  await scene.partition.appendFromLeader(batchOf(4, { leaderEpoch: 3 }), 5)
  await scene.partition.appendFromLeader(batchOf(4, { baseOffset: 4, leaderEpoch: 4 }), 5)
  fetcher.follow(scene.partition)
  const first = await next(Fetch)
  expect(partitionsIn(first)).toMatchObject([{ fetchOffset: 8, lastFetchedEpoch: 4 }])
  first.answer(fetched({ divergingEpoch: { epoch: 3, endOffset: 4 } }))
  expect(partitionsIn(await next(Fetch))).toMatchObject([{ fetchOffset: 4, lastFetchedEpoch: 3 }])
})

describe('when its offset is out of the leader’s range', () => {
  beforeEach(async () => {
    await scene.partition.appendFromLeader(batchOf(4, { leaderEpoch: 5 }), 5)
    await scene.partition.appendFromLeader(batchOf(4, { baseOffset: 4, leaderEpoch: 5 }), 5)
    fetcher.follow(scene.partition)
    ;(await next(Fetch)).answer(fetched({ error: 'OFFSET_OUT_OF_RANGE', highWatermark: -1 }))
  })

  test('it truncates to the end of a leader that has less', async () => {
    ;(await next(ListOffsets)).answer(offset(4))
    expect(partitionsIn(await next(Fetch))).toMatchObject([{ fetchOffset: 4 }])
  })

  test('it starts anew with a leader that begins later', async () => {
    ;(await next(ListOffsets)).answer(offset(50))
    ;(await next(ListOffsets)).answer(offset(20))
    expect(partitionsIn(await next(Fetch))).toMatchObject([{ fetchOffset: 20, logStartOffset: 20 }])
  })

  test('it asks again when the range has its offset by now', async () => {
    ;(await next(ListOffsets)).answer(offset(50))
    ;(await next(ListOffsets)).answer(offset(2))
    expect(partitionsIn(await next(Fetch))).toMatchObject([{ fetchOffset: 8, logStartOffset: 0 }])
  })
})

test('leaves a partition alone for a while that the leader refuses', async () => {
  fetcher.follow(scene.partition)
  ;(await next(Fetch)).answer(fetched({ error: 'UNKNOWN_LEADER_EPOCH', highWatermark: -1 }))
  await settle()
  expect(leader.asked).toEqual([])
  scene.clock.advance(200)
  await next(Fetch)
})

test('waits longer and longer for a leader that does not answer, and no longer than it may', async () => {
  fetcher.follow(scene.partition)
  for (const pauseMs of [50, 100, 200, 400, 800, 1000, 1000]) {
    ;(await next(Fetch)).fail(new Error('connection refused'))
    await settle()
    scene.clock.advance(pauseMs - 1)
    await settle()
    expect(leader.asked).toEqual([])
    scene.clock.advance(1)
  }
  await next(Fetch)
})

test('a partition that is added does not wait for the end of a long poll', async () => {
  fetcher.follow(scene.partition)
  const poll = await next(Fetch)
  await scene.decide({ leader: 2, leaderEpoch: 6 })
  fetcher.follow(scene.partition)
  scene.clock.advance(10)
  const fresh = await next(Fetch)
  expect(partitionsIn(poll)).toMatchObject([{ currentLeaderEpoch: 5 }])
  expect(partitionsIn(fresh)).toMatchObject([{ currentLeaderEpoch: 6 }])
  expect(leader.connections).toBe(2)
})

test('takes nothing from an answer to what is not followed any more', async () => {
  fetcher.follow(scene.partition)
  const asked = await next(Fetch)
  fetcher.unfollow(scene.partition)
  asked.answer(fetched({ records: batchOf(3, { leaderEpoch: 5 }) }))
  await settle()
  expect(scene.partition.log.logEndOffset).toBe(0)
})
