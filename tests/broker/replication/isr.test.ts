import * as fc from 'fast-check'
import { decideIsr, Follower, type IsrView, lowestInSyncOffset } from '../../../broker/replication/isr.ts'

const LAG_MAX_MS = 30_000

interface Scene {
  readonly isr?: readonly number[]
  readonly highWatermark?: number
  readonly leaderEndOffset?: number
  readonly epochStartOffset?: number
  readonly nowMs?: number
  /** Registered brokers with their epochs; brokers 2 and 3 in epoch 12 and 13 unless told otherwise. */
  readonly brokers?: Readonly<Record<number, number>>
  readonly shuttingDown?: readonly number[]
}

/** Broker 1 leads, 2 and 3 follow. */
function view(followers: readonly Follower[], scene: Scene = {}): IsrView {
  const brokers = scene.brokers ?? { 1: 11, 2: 12, 3: 13 }
  return {
    leaderId: 1,
    replicas: [3, 1, 2],
    isr: scene.isr ?? [1, 2, 3],
    followers: new Map(followers.map((follower) => [follower.id, follower])),
    highWatermark: scene.highWatermark ?? 100,
    leaderEndOffset: scene.leaderEndOffset ?? 100,
    epochStartOffset: scene.epochStartOffset ?? 0,
    nowMs: scene.nowMs ?? 0,
    lagMaxMs: LAG_MAX_MS,
    brokers: {
      epoch: (id) => brokers[id],
      shuttingDown: (id) => scene.shuttingDown?.includes(id) ?? false,
    },
  }
}

function follower(
  id: number,
  endOffset: number,
  o: { inSync?: boolean; leaderEnd?: number; nowMs?: number } = {},
) {
  const result = new Follower(id, (o.inSync ?? true) ? 10 + id : undefined, 0)
  result.recordFetch(endOffset, 10 + id, o.leaderEnd ?? 100, o.nowMs ?? 0)
  return result
}

describe('leaving the in-sync replicas', () => {
  test('nobody leaves while all are caught up', () => {
    expect(decideIsr(view([follower(2, 100), follower(3, 100)]))).toBeUndefined()
  })

  test('a follower that has been behind for the lag time leaves, not before', () => {
    const followers = [follower(2, 100, { leaderEnd: 200 }), follower(3, 200, { leaderEnd: 200 })]
    const scene = { leaderEndOffset: 200 }
    expect(decideIsr(view(followers, { ...scene, nowMs: LAG_MAX_MS }))).toBeUndefined()
    expect(decideIsr(view(followers, { ...scene, nowMs: LAG_MAX_MS + 1 }))).toEqual([3, 1])
  })

  test('a follower that never fetched has the whole lag time', () => {
    const silent = new Follower(2, 12, 0)
    const others = [silent, follower(3, 100, { nowMs: LAG_MAX_MS })]
    expect(decideIsr(view(others, { nowMs: LAG_MAX_MS }))).toBeUndefined()
    expect(decideIsr(view(others, { nowMs: LAG_MAX_MS + 1 }))).toEqual([3, 1])
  })

  test('a follower at the end of a quiet log stays, however long ago it fetched', () => {
    const followers = [follower(2, 100), follower(3, 100)]
    expect(decideIsr(view(followers, { nowMs: 10 * LAG_MAX_MS }))).toBeUndefined()
  })

  test('a follower that always reaches the end of its previous fetch is not behind', () => {
    const busy = follower(2, 100, { leaderEnd: 150 })
    for (let step = 1; step <= 100; step += 1) {
      busy.recordFetch(100 + step * 50, 12, 150 + step * 50, step * 1000)
    }
    const scene = { highWatermark: 5100, leaderEndOffset: 5150, nowMs: 101_000 }
    expect(decideIsr(view([busy, follower(3, 5150, { leaderEnd: 5150 })], scene))).toBeUndefined()
  })

  test('a follower whose broker is not registered any more leaves at once', () => {
    const brokers = { 1: 11, 3: 13 }
    expect(decideIsr(view([follower(2, 100), follower(3, 100)], { brokers }))).toEqual([3, 1])
  })

  test('a follower whose broker registered anew leaves until it fetches in its new life', () => {
    const brokers = { 1: 11, 2: 22, 3: 13 }
    const restarted = follower(2, 100)
    expect(decideIsr(view([restarted, follower(3, 100)], { brokers }))).toEqual([3, 1])
    restarted.recordFetch(100, 22, 100, 0)
    expect(decideIsr(view([restarted, follower(3, 100)], { brokers }))).toBeUndefined()
  })

  test('a follower that has lost records below the high watermark leaves at once', () => {
    expect(decideIsr(view([follower(2, 99), follower(3, 100)]))).toEqual([3, 1])
  })

  test('the leader stays, also as the last one', () => {
    const scene = { brokers: {} }
    expect(decideIsr(view([follower(2, 0), follower(3, 0)], scene))).toEqual([1])
  })
})

describe('joining the in-sync replicas', () => {
  const isr = [1, 3]
  const others = follower(3, 100)

  test('a follower at the high watermark joins', () => {
    expect(decideIsr(view([follower(2, 100), others], { isr, leaderEndOffset: 120 }))).toEqual([3, 1, 2])
  })

  test.each<[string, number, Scene]>([
    ['below the high watermark', 99, {}],
    ['below the start of the leader epoch', 105, { epochStartOffset: 110, leaderEndOffset: 120 }],
    ['whose broker is shutting down', 100, { shuttingDown: [2] }],
    ['whose broker is not registered', 100, { brokers: { 1: 11, 3: 13 } }],
    ['that fetched before its broker registered anew', 100, { brokers: { 1: 11, 2: 99, 3: 13 } }],
  ])('a follower %s does not', (_case, endOffset, scene) => {
    expect(decideIsr(view([follower(2, endOffset), others], { isr, ...scene }))).toBeUndefined()
  })
})

describe('a decision', () => {
  const fetches = fc.array(
    fc.record({
      offset: fc.integer({ min: 90, max: 120 }),
      behind: fc.nat(10),
      afterMs: fc.nat(2 * LAG_MAX_MS),
    }),
    { maxLength: 3 },
  )

  test('is at rest once it is made: the same facts never ask for another change', () => {
    expect.hasAssertions()
    const followers = fc
      .tuple(fetches, fc.boolean(), fetches, fc.boolean())
      .map(([two, twoIn, three, threeIn]) => {
        const histories = [
          { follower: new Follower(2, twoIn ? 12 : undefined, 0), fetches: two },
          { follower: new Follower(3, threeIn ? 13 : undefined, 0), fetches: three },
        ]
        for (const { follower: each, fetches: made } of histories) {
          let nowMs = 0
          for (const { offset, behind, afterMs } of made) {
            nowMs += afterMs
            each.recordFetch(offset, 10 + each.id, offset + behind, nowMs)
          }
        }
        return histories.map(({ follower: each }) => each)
      })
    fc.assert(
      fc.property(
        followers,
        fc.subarray([2, 3]),
        fc.integer({ min: 90, max: 120 }),
        fc.nat(20),
        fc.nat(5 * LAG_MAX_MS),
        fc.subarray([2, 3]),
        (made, members, highWatermark, unreplicated, nowMs, shuttingDown) => {
          const leaderEndOffset = highWatermark + unreplicated
          const facts = view(made, {
            isr: [1, ...members],
            highWatermark,
            leaderEndOffset,
            nowMs,
            shuttingDown,
          })
          const isr = decideIsr(facts)
          if (isr !== undefined) expect(decideIsr({ ...facts, isr })).toBeUndefined()
        },
      ),
    )
  })
})

describe('where the high watermark may go', () => {
  const all = new Set([1, 2, 3])

  test('to the lowest end among the in-sync replicas', () => {
    const followers = [follower(2, 130), follower(3, 110)]
    expect(lowestInSyncOffset(view(followers, { leaderEndOffset: 150 }), all)).toBe(110)
  })

  test('nowhere while a member has not said where it is', () => {
    const followers = [new Follower(2, 12, 0), follower(3, 110)]
    expect(lowestInSyncOffset(view(followers, { leaderEndOffset: 150 }), all)).toBe(-1)
  })

  test('a member of an ISR change that is under way counts', () => {
    const followers = [follower(2, 100, { inSync: false, leaderEnd: 500 }), follower(3, 150)]
    const scene = { isr: [1, 3], leaderEndOffset: 150, nowMs: 100_000 }
    expect(lowestInSyncOffset(view(followers, scene), new Set([1, 3]))).toBe(150)
    expect(lowestInSyncOffset(view(followers, scene), all)).toBe(100)
  })

  test('it waits for a follower that is about to join, and not for one that is gone', () => {
    const joining = follower(2, 140, { inSync: false, leaderEnd: 140 })
    const followers = [joining, follower(3, 150)]
    const scene: Scene = { isr: [1, 3], leaderEndOffset: 150 }
    expect(lowestInSyncOffset(view(followers, scene), new Set([1, 3]))).toBe(140)
    const gone = { ...scene, brokers: { 1: 11, 3: 13 } }
    expect(lowestInSyncOffset(view(followers, gone), new Set([1, 3]))).toBe(150)
  })
})
