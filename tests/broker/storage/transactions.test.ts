/** Transactions in a partition's log: what stays unstable, what was aborted, and who may write next. */
import type { LogManager } from '../../../broker/storage/log-manager.ts'
import type { PartitionLog } from '../../../broker/storage/partition-log.ts'
import { CrashingFiles } from '../../support/crashing-files.ts'
import { clientBatch, openLogs, smallSegments, TOPIC_ID, valuesOf } from '../../support/log-scene.ts'
import { marker, producerBatch } from '../../support/transactions.ts'

const DIRECTORY = '/logs'
const coordinator = { origin: 'coordinator' } as const

let files: CrashingFiles
let manager: LogManager
let log: PartitionLog

beforeEach(async () => {
  files = new CrashingFiles()
  manager = await openLogs(DIRECTORY, files)
  log = await manager.create('t', 0, TOPIC_ID, smallSegments)
})

afterEach(() => manager.close())

async function reopen(): Promise<void> {
  await manager.close()
  manager = await openLogs(DIRECTORY, files)
  log = manager.get('t', 0)!
  log.updateConfig(smallSegments)
}

/** The same after the power was lost with everything on the disk but the clean-shutdown mark. */
async function crash(): Promise<void> {
  await log.flush()
  files = files.afterCrash(() => 0.999)
  manager = await openLogs(DIRECTORY, files)
  log = manager.get('t', 0)!
}

const sequences = new Map<number, number>()
beforeEach(() => sequences.clear())

/** One record of a transaction; returns its offset. */
async function write(producerId: number, epoch = 0): Promise<number> {
  const sequence = sequences.get(producerId) ?? 0
  sequences.set(producerId, sequence + 1)
  const batch = producerBatch(['v'], { producerId, sequence, epoch, isTransactional: true })
  return (await log.appendAsLeader(batch, 1)).baseOffset
}

async function end(producerId: number, outcome: 'commit' | 'abort', epoch = 0): Promise<number> {
  const { baseOffset } = await log.appendAsLeader(marker(outcome, { producerId, epoch }), 1, coordinator)
  return baseOffset
}

const stable = (): number => {
  log.updateHighWatermark(log.logEndOffset)
  return log.lastStableOffset
}

test('records are stable up to the earliest transaction that is open', async () => {
  await log.appendAsLeader(clientBatch(['plain']), 1)
  expect(stable()).toBe(1)
  await write(7)
  await write(8)
  await log.appendAsLeader(clientBatch(['plain']), 1)
  expect([log.firstUnstableOffset, stable()]).toEqual([1, 1])
  await end(7, 'commit')
  expect([stable(), log.firstUnstableOffset]).toEqual([2, 2])
  await end(8, 'abort')
  expect([stable(), log.firstUnstableOffset]).toEqual([log.logEndOffset, undefined])
})

test('a transaction stays unstable until its marker is below the high watermark', async () => {
  await write(7)
  const markerOffset = await end(7, 'commit')
  await log.appendAsLeader(clientBatch(['after']), 1)
  log.updateHighWatermark(markerOffset)
  expect([log.firstUnstableOffset, log.lastStableOffset]).toEqual([0, 0])
  log.updateHighWatermark(markerOffset + 1)
  expect([log.firstUnstableOffset, log.lastStableOffset]).toEqual([undefined, markerOffset + 1])
})

test.each([
  ['as they are', async () => {}],
  ['after a clean restart', reopen],
  ['after a crash', crash],
])('aborted transactions are found %s', async (_, between) => {
  for (let round = 0; round < 6; round++) {
    await write(7)
    await write(8)
    await write(7)
    await end(7, round % 2 === 0 ? 'abort' : 'commit')
    await end(8, 'abort')
  }
  expect(log.segments().length).toBeGreaterThan(2)
  await between()
  const found = log.abortedTransactions(0, log.logEndOffset)
  expect(
    found.map(({ producerId, firstOffset, lastOffset }) => [producerId, firstOffset, lastOffset]),
  ).toEqual([
    [7, 0, 3],
    [8, 1, 4],
    [8, 6, 9],
    [7, 10, 13],
    [8, 11, 14],
    [8, 16, 19],
    [7, 20, 23],
    [8, 21, 24],
    [8, 26, 29],
  ])
  expect(found.slice(0, 2).map(({ lastStableOffset }) => lastStableOffset)).toEqual([1, 5])
  const between10And12 = log.abortedTransactions(10, 12)
  expect(between10And12.map(({ producerId, firstOffset }) => [producerId, firstOffset])).toEqual([
    [7, 10],
    [8, 11],
  ])
  expect(log.abortedTransactions(29, 30)).toHaveLength(1)
  expect(log.abortedTransactions(30, 30)).toHaveLength(0)
})

test.each([
  ['a clean restart', reopen],
  ['a crash', crash],
])('an open transaction outlives %s', async (_, between) => {
  await write(7)
  for (let index = 0; index < 20; index++) await log.appendAsLeader(clientBatch(['plain']), 1)
  await write(7)
  await between()
  expect(log.firstUnstableOffset).toBe(0)
  expect(log.activeProducers()).toMatchObject([
    { producerId: 7, producerEpoch: 0, lastSequence: 1, coordinatorEpoch: -1, currentTxnStartOffset: 0 },
  ])
  await end(7, 'abort')
  expect(log.abortedTransactions(0, 100)).toMatchObject([{ producerId: 7, firstOffset: 0, lastOffset: 22 }])
  expect(log.activeProducers()).toMatchObject([{ coordinatorEpoch: 0, currentTxnStartOffset: -1 }])
})

test('a truncation opens the transaction again whose marker it takes', async () => {
  await write(7)
  const markerOffset = await end(7, 'abort')
  await write(8)
  stable()
  await log.truncateTo(markerOffset)
  expect(log.abortedTransactions(0, 100)).toEqual([])
  expect([log.firstUnstableOffset, log.lastStableOffset]).toEqual([0, 0])
  expect(log.activeProducers()).toHaveLength(1)
})

test('followers have the same transactions', async () => {
  await write(7)
  await write(8)
  await end(7, 'abort')
  const follower = await manager.create('copy', 0, 'BbcdefghijklmnopqrstuQ', smallSegments)
  await follower.appendAsFollower(log.read(0, 10_000, { upTo: 10, minOneBatch: true }).records)
  expect(follower.firstUnstableOffset).toBe(0)
  follower.updateHighWatermark(3)
  expect(follower.lastStableOffset).toBe(1)
  expect(follower.abortedTransactions(0, 3)).toEqual(log.abortedTransactions(0, 3))
  expect(follower.activeProducers()).toEqual(log.activeProducers())
})

describe('refused are', () => {
  const refusal = (batch: Buffer, options = {}): Promise<unknown> =>
    log.appendAsLeader(batch, 1, options).then(
      () => 'appended',
      (error: { error: string }) => error.error,
    )

  test('batches outside of the open transaction of their producer', async () => {
    await write(7)
    expect(await refusal(producerBatch(['v'], { producerId: 7, sequence: 1 }))).toBe('INVALID_TXN_STATE')
  })

  test('markers of an earlier coordinator or producer epoch', async () => {
    await write(7, 3)
    const sent = (epoch: number, coordinatorEpoch: number): Promise<unknown> =>
      refusal(marker('commit', { producerId: 7, epoch, coordinatorEpoch }), coordinator)
    expect(await sent(2, 5)).toBe('INVALID_PRODUCER_EPOCH')
    expect(await sent(3, 5)).toBe('appended')
    expect(await sent(3, 4)).toBe('TRANSACTION_COORDINATOR_FENCED')
    expect(await sent(3, 5)).toBe('appended')
  })

  test('control batches of clients', async () => {
    expect(await refusal(marker('commit', { producerId: 7 }))).toBe('INVALID_RECORD')
  })

  test('sequences that do not begin with 0 after a marker that raised the epoch', async () => {
    await write(7)
    await end(7, 'commit', 1)
    const next = (sequence: number, epoch: number): Promise<unknown> =>
      refusal(producerBatch(['v'], { producerId: 7, sequence, epoch, isTransactional: true }))
    expect(await next(1, 0)).toBe('INVALID_PRODUCER_EPOCH')
    expect(await next(1, 1)).toBe('OUT_OF_ORDER_SEQUENCE_NUMBER')
    expect(await next(0, 1)).toBe('appended')
  })
})

test('a coordinator writes on behalf of a producer without sequences', async () => {
  const batch = producerBatch(['offsets'], { producerId: 7, sequence: -1, isTransactional: true })
  await log.appendAsLeader(batch, 1, coordinator)
  await log.appendAsLeader(Buffer.from(batch), 1, coordinator).catch((error: unknown) => error)
  expect(log.activeProducers()).toMatchObject([{ lastSequence: -1, currentTxnStartOffset: 0 }])
  expect(valuesOf(log).map(({ value }) => value)).toContain('offsets')
})
