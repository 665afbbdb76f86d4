import { KafkaError } from '../../../broker/protocol/errors.ts'
import type { AppendInfo } from '../../../broker/storage/append-info.ts'
import {
  batchOf,
  LAG_MAX_MS,
  openScene,
  type ReplicationScene,
  settle,
} from '../../support/replication-scene.ts'

let scene: ReplicationScene

afterEach(() => scene.close())

const all = { acks: -1, timeoutMs: 1000 } as const
const one = { acks: 1, timeoutMs: 1000 } as const

/** How an append ends: its base offset, or the name of its error; 'waits' until then. */
function follow(append: Promise<AppendInfo>): () => Promise<number | string> {
  let result: number | string = 'waits'
  void append.then(
    (info) => {
      result = info.baseOffset
    },
    (error: unknown) => {
      result = error instanceof KafkaError ? error.error : String(error)
    },
  )
  return async () => {
    await settle()
    return result
  }
}

function errorOf(action: () => unknown): string {
  try {
    action()
    return 'nothing was thrown'
  } catch (error) {
    return error instanceof KafkaError ? error.error : String(error)
  }
}

describe('a leader', () => {
  beforeEach(async () => {
    scene = await openScene({ 'min.insync.replicas': '2' })
    await scene.decide()
  })

  test('acknowledges acks=1 when its own log has the records, and keeps them from consumers', async () => {
    const { partition } = scene
    expect(await partition.append(batchOf(10), one)).toMatchObject({ baseOffset: 0, lastOffset: 9 })
    expect(partition.log.logEndOffset).toBe(10)
    expect(partition.highWatermark).toBe(0)
    const read = partition.fetch({
      offset: 0,
      lastFetchedEpoch: -1,
      maxBytes: 1000,
      minOneBatch: true,
      replica: undefined,
    })
    expect(read).toMatchObject({ sizeBytes: 0, highWatermark: 0 })
  })

  test('acknowledges acks=all when every in-sync replica has the records', async () => {
    const result = follow(scene.partition.append(batchOf(10), all))
    await settle()
    scene.fetchAs(2, 10)
    expect(await result()).toBe('waits')
    scene.fetchAs(3, 9)
    expect(await result()).toBe('waits')
    scene.fetchAs(3, 10)
    expect(await result()).toBe(0)
    expect(scene.partition.highWatermark).toBe(10)
  })

  test('sends a follower what consumers may not read yet', async () => {
    await scene.partition.append(batchOf(10), one)
    expect(scene.fetchAs(2, 0)).toMatchObject({ highWatermark: 0 })
    expect(scene.fetchAs(2, 0).sizeBytes).toBeGreaterThan(0)
  })

  test('gives up waiting for acks=all at the deadline; the records stay', async () => {
    const result = follow(scene.partition.append(batchOf(10), all))
    await settle()
    scene.clock.advance(1000)
    expect(await result()).toBe('REQUEST_TIMED_OUT')
    expect(scene.partition.log.logEndOffset).toBe(10)
  })

  test('refuses acks=all, and nothing else, with fewer in sync than min.insync.replicas', async () => {
    await scene.decide({ isr: [1] })
    await expect(scene.partition.append(batchOf(1), all)).rejects.toMatchObject({
      error: 'NOT_ENOUGH_REPLICAS',
    })
    expect(scene.partition.log.logEndOffset).toBe(0)
    expect(await scene.partition.append(batchOf(1), one)).toMatchObject({ baseOffset: 0 })
  })

  test('tells an acks=all that waits when the in-sync replicas become too few', async () => {
    const result = follow(scene.partition.append(batchOf(1), all))
    await settle()
    await scene.decide({ isr: [1] })
    expect(await result()).toBe('NOT_ENOUGH_REPLICAS_AFTER_APPEND')
    expect(scene.partition.highWatermark).toBe(0)
  })

  test('acknowledges what it was waiting for when the replica that lacked it has left', async () => {
    const result = follow(scene.partition.append(batchOf(1), all))
    await settle()
    scene.fetchAs(2, 1)
    await scene.decide({ isr: [1, 2] })
    expect(await result()).toBe(0)
  })

  test('sends whoever waits to the new leader when it is deposed', async () => {
    const result = follow(scene.partition.append(batchOf(1), all))
    await settle()
    await scene.decide({ leader: 2, leaderEpoch: 6 })
    expect(await result()).toBe('NOT_LEADER_OR_FOLLOWER')
    await expect(scene.partition.append(batchOf(1), one)).rejects.toMatchObject({
      error: 'NOT_LEADER_OR_FOLLOWER',
    })
  })

  test('keeps whoever waits when it goes on in a new epoch', async () => {
    const result = follow(scene.partition.append(batchOf(1), all))
    await settle()
    await scene.decide({ leaderEpoch: 6 })
    expect(await result()).toBe('waits')
    scene.fetchAs(2, 1)
    scene.fetchAs(3, 1)
    expect(await result()).toBe(0)
    await scene.partition.append(batchOf(1), one)
    expect(scene.partition.log.endOffsetForEpoch(5)).toEqual({ epoch: 5, endOffset: 1 })
    expect(scene.partition.log.latestEpoch).toBe(6)
  })

  test('stamps an append that a new epoch overtakes with the old one, whose end comes after it', async () => {
    const append = scene.partition.append(batchOf(3), one)
    const decided = scene.decide({ leaderEpoch: 6 })
    await Promise.all([append, decided])
    expect(scene.partition.log.endOffsetForEpoch(5)).toEqual({ epoch: 5, endOffset: 3 })
  })

  test('does not know the high watermark until followers have told it where they are', async () => {
    await scene.partition.append(batchOf(5), one)
    await scene.decide({ leaderEpoch: 6 })
    expect(scene.partition.highWatermarkIsCurrent).toBe(false)
    scene.fetchAs(2, 5)
    scene.fetchAs(3, 5)
    expect(scene.partition.highWatermarkIsCurrent).toBe(true)
  })

  test('shows a reader where the logs parted, and does not take its offset for progress', async () => {
    await scene.partition.append(batchOf(5), one)
    await scene.decide({ leaderEpoch: 8 })
    await scene.partition.append(batchOf(5), one)
    const read = scene.fetchAs(2, 7, { lastFetchedEpoch: 5 })
    expect(read).toMatchObject({ sizeBytes: 0, divergingEpoch: { epoch: 5, endOffset: 5 } })
    expect(scene.fetchAs(2, 9, { lastFetchedEpoch: 7 })).toMatchObject({
      divergingEpoch: { epoch: 5, endOffset: 5 },
    })
    scene.fetchAs(3, 10, { lastFetchedEpoch: 8 })
    expect(scene.partition.highWatermark).toBe(0)
    expect(scene.fetchAs(2, 5, { lastFetchedEpoch: 5 }).divergingEpoch).toBeUndefined()
    expect(scene.partition.highWatermark).toBe(5)
  })

  test('refuses offsets outside of its log and replicas that are not the partition’s', async () => {
    await scene.partition.append(batchOf(5), one)
    expect(errorOf(() => scene.fetchAs(2, 6))).toBe('OFFSET_OUT_OF_RANGE')
    expect(errorOf(() => scene.fetchAs(2, -1))).toBe('OFFSET_OUT_OF_RANGE')
    expect(errorOf(() => scene.fetchAs(4, 0))).toBe('NOT_LEADER_OR_FOLLOWER')
  })
})

describe('the in-sync replicas of a leader', () => {
  beforeEach(async () => {
    scene = await openScene({ 'min.insync.replicas': '1' })
    await scene.decide()
  })

  /** Brokers 2 and 3 have everything; then broker 2 stops and 3 goes on beyond the lag time. */
  async function broker2Lags(): Promise<void> {
    const { partition, clock } = scene
    scene.fetchAs(2, 0)
    scene.fetchAs(3, 0)
    await partition.append(batchOf(1), one)
    clock.advance(LAG_MAX_MS + 1)
    scene.fetchAs(3, 1)
    partition.reviewIsrAnew()
  }

  test('a lagging follower counts until the quorum has agreed to leave it out', async () => {
    await broker2Lags()
    const { partition, quorum } = scene
    expect(quorum.proposals.map(({ isr }) => isr)).toEqual([[1, 3]])
    expect(partition.highWatermark).toBe(0)
    quorum.proposals[0]!.answer(true)
    await settle()
    expect(partition.highWatermark).toBe(0)
    await scene.decide({ isr: [1, 3] })
    expect(partition.highWatermark).toBe(1)
  })

  test('a proposal is made once, and again when its outcome stays unknown', async () => {
    await broker2Lags()
    const { partition, quorum } = scene
    scene.fetchAs(3, 1)
    partition.reviewIsrAnew()
    expect(quorum.proposals).toHaveLength(1)
    quorum.proposals[0]!.fail(new Error('the quorum is silent'))
    await settle()
    expect(partition.highWatermark).toBe(0)
    partition.reviewIsrAnew()
    expect(quorum.proposals).toHaveLength(2)
    expect(quorum.proposals[1]!.expected).toBe(partition.state)
  })

  test('a follower that joins counts from the proposal on', async () => {
    const { partition, quorum } = scene
    await scene.decide({ isr: [1, 3] })
    scene.fetchAs(3, 0)
    scene.fetchAs(2, 0)
    expect(quorum.proposals.map(({ isr }) => isr)).toEqual([[1, 2, 3]])
    scene.clock.advance(LAG_MAX_MS + 1)
    const result = follow(partition.append(batchOf(1), all))
    await settle()
    scene.fetchAs(3, 1)
    expect(await result()).toBe('waits')
    scene.fetchAs(2, 1)
    expect(await result()).toBe(0)
  })

  test('a follower that came back without records that it had is left out at once', async () => {
    const { partition, quorum } = scene
    await partition.append(batchOf(5), one)
    scene.fetchAs(2, 5)
    scene.fetchAs(3, 5)
    expect(partition.highWatermark).toBe(5)
    scene.fetchAs(2, 3)
    expect(quorum.proposals.map(({ isr }) => isr)).toEqual([[1, 3]])
  })

  test('a follower whose broker is gone is left out as soon as that is known', () => {
    scene.quorum.brokers.delete(2)
    scene.partition.reviewIsr()
    expect(scene.quorum.proposals.map(({ isr }) => isr)).toEqual([[1, 3]])
  })

  test('a deposed leader proposes nothing more', async () => {
    await scene.decide({ leader: 2, leaderEpoch: 6 })
    scene.quorum.brokers.delete(2)
    scene.partition.reviewIsrAnew()
    expect(scene.quorum.proposals).toEqual([])
  })
})

describe('a follower', () => {
  beforeEach(async () => {
    scene = await openScene()
    await scene.decide({ leader: 2 })
  })

  test('keeps the offsets and epochs of its leader, and its high watermark as far as its log reaches', async () => {
    const { partition } = scene
    expect(await partition.appendFromLeader(batchOf(4, { leaderEpoch: 5 }), 5)).toBe(true)
    await partition.followLeader({ highWatermark: 9, logStartOffset: 0 }, 5)
    expect(partition.log.latestEpoch).toBe(5)
    expect(partition.highWatermark).toBe(4)
  })

  test('takes nothing of a leader of another epoch', async () => {
    await scene.decide({ leader: 3, leaderEpoch: 6 })
    expect(await scene.partition.appendFromLeader(batchOf(4, { leaderEpoch: 5 }), 5)).toBe(false)
    await scene.partition.truncateTo(0, 5)
    expect(scene.partition.log.logEndOffset).toBe(0)
  })

  test('truncates to where its epoch ended at the leader', async () => {
    const { partition } = scene
    await partition.appendFromLeader(batchOf(4, { leaderEpoch: 3 }), 5)
    await partition.appendFromLeader(batchOf(4, { baseOffset: 4, leaderEpoch: 4 }), 5)
    await partition.appendFromLeader(batchOf(4, { baseOffset: 8, leaderEpoch: 4 }), 5)
    await partition.truncateToDivergence({ epoch: 4, endOffset: 8 }, 5)
    expect(partition.log.logEndOffset).toBe(8)
    expect(partition.log.latestEpoch).toBe(4)
  })

  test('truncates to the end of its next lower epoch when it does not have the one that the leader names', async () => {
    const { partition } = scene
    await partition.appendFromLeader(batchOf(4, { leaderEpoch: 1 }), 5)
    await partition.appendFromLeader(batchOf(4, { baseOffset: 4, leaderEpoch: 4 }), 5)
    await partition.truncateToDivergence({ epoch: 3, endOffset: 6 }, 5)
    expect(partition.log.logEndOffset).toBe(4)
    expect(partition.log.latestEpoch).toBe(1)
  })

  test('forgets an epoch that it led without a record', async () => {
    const { partition } = scene
    await partition.appendFromLeader(batchOf(4, { leaderEpoch: 5 }), 5)
    await scene.decide({ leader: 1, leaderEpoch: 6 })
    await scene.decide({ leader: 2, leaderEpoch: 7 })
    expect(partition.log.latestEpoch).toBe(6)
    await partition.truncateToDivergence({ epoch: 5, endOffset: 4 }, 7)
    expect(partition.log.latestEpoch).toBe(5)
    expect(partition.log.logEndOffset).toBe(4)
  })

  test('drops everything when the leader begins after its end', async () => {
    const { partition } = scene
    await partition.appendFromLeader(batchOf(4, { leaderEpoch: 5 }), 5)
    await partition.restartAt(100, 5)
    expect([partition.log.logStartOffset, partition.log.logEndOffset, partition.highWatermark]).toEqual([
      100, 100, 100,
    ])
  })
})
