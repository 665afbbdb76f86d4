import { epochAfter, FetchSessions } from '../../../broker/handlers/fetch-sessions.ts'
import type { Fetch } from '../../../broker/protocol/apis/fetch.ts'
import { type RequestOf, ZERO_UUID } from '../../../broker/protocol/schema.ts'
import { ManualClock } from '../../support/manual-clock.ts'

type Request = RequestOf<typeof Fetch>

const TWO_MINUTES_MS = 120_000
const MAX_INT32 = 2 ** 31 - 1
const CONSUMER = { byId: false, isFollower: false }
const FOLLOWER = { byId: false, isFollower: true }

function request(partitions: number, more: Partial<Request> = {}): Request {
  return {
    clusterId: null,
    replicaId: -1,
    replicaState: { replicaId: -1, replicaEpoch: -1 },
    maxWaitMs: 0,
    minBytes: 1,
    maxBytes: 1_000_000,
    isolationLevel: 0,
    sessionId: 0,
    sessionEpoch: 0,
    topics: [
      {
        topic: 'orders',
        topicId: ZERO_UUID,
        partitions: Array.from({ length: partitions }, (_, partition) => ({
          partition,
          currentLeaderEpoch: -1,
          fetchOffset: 0,
          lastFetchedEpoch: -1,
          logStartOffset: -1,
          partitionMaxBytes: 1000,
          replicaDirectoryId: ZERO_UUID,
          highWatermark: 2 ** 63,
        })),
      },
    ],
    forgottenTopicsData: [],
    rackId: '',
    ...more,
  }
}

class Scene {
  readonly clock = new ManualClock()
  readonly sessions: FetchSessions
  #random = 0

  constructor(slots: number, random = (): number => (this.#random += 0.000_001)) {
    this.sessions = new FetchSessions({
      config: { get: (() => slots) as never },
      clock: this.clock,
      random,
    })
  }

  /** The id of a new session of so many partitions, or 0. */
  create(partitions: number, client = CONSUMER): number {
    return this.sessions.begin(request(partitions), client).end()
  }

  use(sessionId: number, sessionEpoch: number, more: Partial<Request> = {}): number {
    return this.sessions.begin(request(0, { sessionId, sessionEpoch, ...more }), CONSUMER).end()
  }

  /** Whether the session can be gone on with. */
  has(id: number): boolean {
    try {
      this.use(id, MAX_INT32)
      return true
    } catch (error) {
      return !String(error).includes('FETCH_SESSION_ID_NOT_FOUND')
    }
  }
}

test('an id that is taken is drawn again, and 0 is never drawn', () => {
  const drawn = [0, 0, 0.5, 0.5, 0.5, 0.999_999_999_999]
  const scene = new Scene(10, () => drawn.shift()!)
  const ids = [scene.create(1), scene.create(1), scene.create(1)]
  expect(ids).toEqual([1, 2 ** 30, MAX_INT32 - 1])
})

test('beyond the slots nobody gets a session, until one has not been used for two minutes', () => {
  const scene = new Scene(2)
  const [first, second] = [scene.create(1), scene.create(1)]
  expect(scene.create(5)).toBe(0)
  scene.clock.advance(TWO_MINUTES_MS)
  scene.use(first, 1)
  scene.clock.advance(1)
  expect(scene.create(1)).not.toBe(0)
  expect([first, second].map((id) => scene.has(id))).toEqual([true, false])
})

test('of sessions that are used, one older than two minutes makes room for a larger one', () => {
  const scene = new Scene(2)
  const [large, small] = [scene.create(5), scene.create(2)]
  scene.clock.advance(TWO_MINUTES_MS)
  scene.use(large, 1)
  scene.use(small, 1)
  scene.clock.advance(1)
  expect(scene.create(1)).toBe(0)
  expect(scene.create(3)).not.toBe(0)
  expect([large, small].map((id) => scene.has(id))).toEqual([true, false])
})

test('a follower takes the place of any consumer at once, and no consumer that of a follower', () => {
  const scene = new Scene(2)
  const [consumer, follower] = [scene.create(9), scene.create(1, FOLLOWER)]
  expect(scene.create(1, FOLLOWER)).not.toBe(0)
  expect([consumer, follower].map((id) => scene.has(id))).toEqual([false, true])
  scene.clock.advance(TWO_MINUTES_MS)
  scene.use(follower, 1)
  scene.clock.advance(1)
  expect(scene.create(1, FOLLOWER)).not.toBe(0)
  expect(scene.create(9)).toBe(0)
})

test('whoever begins anew, or ends its session, leaves none behind', () => {
  const scene = new Scene(10)
  const first = scene.create(1)
  const second = scene.sessions.begin(request(1, { sessionId: first }), CONSUMER).end()
  expect([scene.sessions.size, scene.has(first)]).toEqual([1, false])
  expect(scene.use(second, -1)).toBe(0)
  expect(scene.sessions.size).toBe(0)
  expect(scene.sessions.partitions).toBe(0)
})

test('the epoch after the last one is 1', () => {
  const scene = new Scene(1)
  const id = scene.create(1)
  for (let epoch = 1; epoch < 4; epoch += 1) scene.use(id, epoch)
  expect(() => scene.use(id, 1)).toThrow('at epoch 4, the request says 1')
  expect(epochAfter(MAX_INT32 - 1)).toBe(MAX_INT32)
  expect(epochAfter(MAX_INT32)).toBe(1)
})

test('all sessions together hold a bounded number of partitions', () => {
  const scene = new Scene(1000)
  const large = scene.create(150_000)
  expect(scene.create(50_001)).toBe(0)
  expect(scene.create(50_000)).not.toBe(0)
  // A session that grows beyond the bound ends with the answer that it gets.
  expect(scene.use(large, 1, { topics: request(150_001).topics })).toBe(0)
  expect(scene.has(large)).toBe(false)
  expect(scene.sessions.partitions).toBe(50_000)
})

test('where a partition is named twice the last word counts', () => {
  const scene = new Scene(1)
  const [topic] = request(1).topics
  const again = { ...topic!, partitions: [{ ...topic!.partitions[0]!, fetchOffset: 5 }] }
  const { targets } = scene.sessions.begin(request(0, { topics: [topic!, again] }), CONSUMER)
  expect(targets.map(({ asked }) => asked.fetchOffset)).toEqual([5])
})
