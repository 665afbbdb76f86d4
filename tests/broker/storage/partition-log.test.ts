/** A partition's log against a list of values, and its rules: sequences, epochs, timestamps, failures. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import * as fc from 'fast-check'
import { encodeBatch } from '../../../broker/protocol/record-codec.ts'
import type { LogManager } from '../../../broker/storage/log-manager.ts'
import type { PartitionLog } from '../../../broker/storage/partition-log.ts'
import { CrashingFiles } from '../../support/crashing-files.ts'
import {
  clientBatch,
  openLogs,
  smallSegments,
  storageConfig,
  TOPIC_ID,
  valuesOf,
} from '../../support/log-scene.ts'

const folders: string[] = []

function newFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'brokerkit-log-'))
  folders.push(folder)
  return folder
}

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

async function newLog(): Promise<{ folder: string; manager: LogManager; log: PartitionLog }> {
  const folder = newFolder()
  const manager = await openLogs(folder)
  return { folder, manager, log: await manager.create('t', 0, TOPIC_ID, smallSegments) }
}

type Step = { append: number } | { truncate: number } | { start: number } | { flush: true } | { reopen: true }

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ append: fc.integer({ min: 1, max: 5 }) }) },
  { weight: 1, arbitrary: fc.record({ truncate: fc.integer({ min: 0, max: 12 }) }) },
  { weight: 1, arbitrary: fc.record({ start: fc.integer({ min: 0, max: 10 }) }) },
  { weight: 1, arbitrary: fc.constant({ flush: true } as const) },
  { weight: 1, arbitrary: fc.constant({ reopen: true } as const) },
)

test('appends, truncations, start offsets and restarts leave what a list would', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const files = new CrashingFiles()
      let manager = await openLogs('/logs', files)
      let log = await manager.create('t', 0, TOPIC_ID, smallSegments)
      let batches: { base: number; values: string[] }[] = []
      let start = 0
      let count = 0
      for (const next of steps) {
        if ('append' in next) {
          const values = Array.from({ length: next.append }, () => `value-${count++}`)
          const { baseOffset } = await log.appendAsLeader(clientBatch(values), 1)
          batches.push({ base: baseOffset, values })
        } else if ('truncate' in next) {
          const target = Math.max(start, log.logEndOffset - next.truncate)
          await log.truncateTo(target)
          batches =
            target === start ? [] : batches.filter(({ base, values }) => base + values.length <= target)
        } else if ('start' in next) {
          start = Math.min(log.logEndOffset, start + next.start)
          await log.raiseLogStartOffset(start)
        } else if ('flush' in next) await log.flush()
        else {
          await manager.close()
          manager = await openLogs('/logs', files)
          log = manager.get('t', 0)!
          log.updateConfig(smallSegments)
        }
        const expected = batches
          .flatMap(({ base, values }) => values.map((value, index) => ({ offset: base + index, value })))
          .filter(({ offset }) => offset >= start)
        expect(valuesOf(log, 300)).toEqual(expected)
        expect(log.logStartOffset).toBe(start)
      }
      await manager.close()
    }),
    { numRuns: 60 },
  )
}, 60_000)

test('a log that is cut inside of the batch that it begins in goes on where it began', async () => {
  const { manager, log } = await newLog()
  await log.appendAsLeader(clientBatch(['a', 'b', 'c']), 1)
  await log.raiseLogStartOffset(1)
  await log.truncateTo(2)
  expect([log.logStartOffset, log.logEndOffset]).toEqual([1, 1])
  expect(await log.appendAsLeader(clientBatch(['d']), 1)).toMatchObject({ baseOffset: 1 })
  expect(valuesOf(log)).toEqual([{ offset: 1, value: 'd' }])
  await manager.close()
})

function fromProducer(sequence: number, epoch = 0, value = 'v'): Buffer {
  return encodeBatch([{ timestamp: Date.now(), key: null, value: Buffer.from(value) }], {
    producerId: 9,
    producerEpoch: epoch,
    baseSequence: sequence,
  })
}

test('an idempotent producer: repeats get their first offsets, gaps and old epochs are refused', async () => {
  const { folder, manager, log } = await newLog()
  for (let sequence = 0; sequence < 7; sequence++) await log.appendAsLeader(fromProducer(sequence), 1)
  const repeated = await log.appendAsLeader(fromProducer(3), 1)
  expect([repeated.duplicate, repeated.baseOffset]).toEqual([true, 3])
  await expect(log.appendAsLeader(fromProducer(8), 1)).rejects.toMatchObject({
    error: 'OUT_OF_ORDER_SEQUENCE_NUMBER',
  })
  await expect(log.appendAsLeader(fromProducer(1), 1)).rejects.toMatchObject({
    error: 'OUT_OF_ORDER_SEQUENCE_NUMBER',
  })
  await manager.close()
  const again = await openLogs(folder)
  const reopened = again.get('t', 0)!
  expect(await reopened.appendAsLeader(fromProducer(6), 1)).toMatchObject({ duplicate: true, baseOffset: 6 })
  expect(await reopened.appendAsLeader(fromProducer(0, 1), 1)).toMatchObject({ baseOffset: 7 })
  await expect(reopened.appendAsLeader(fromProducer(7, 0), 1)).rejects.toMatchObject({
    error: 'INVALID_PRODUCER_EPOCH',
  })
  await again.close()
})

test('sequences stay in order where batches are recompressed, however long each takes', async () => {
  const { manager, log } = await newLog()
  log.updateConfig(storageConfig.topic(new Map([['compression.type', 'gzip']])))
  const large = 'large '.repeat(100_000)
  const values = [large, 'small', large, 'small', 'small']
  const appended = await Promise.all(
    values.map((value, sequence) => log.appendAsLeader(fromProducer(sequence, 0, value), 1)),
  )
  expect(appended.map(({ baseOffset }) => baseOffset)).toEqual([0, 1, 2, 3, 4])
  expect(await log.appendAsLeader(fromProducer(2, 0, large), 1)).toMatchObject({
    duplicate: true,
    baseOffset: 2,
  })
  expect(valuesOf(log, 1).map(({ value }) => value)).toEqual(values)
  await manager.close()
})

test('appends of one turn get consecutive offsets, a repeat among them the offset of the first', async () => {
  const { manager, log } = await newLog()
  const [first, repeat, second] = await Promise.all([
    log.appendAsLeader(fromProducer(0), 1),
    log.appendAsLeader(fromProducer(0), 1),
    log.appendAsLeader(fromProducer(1), 1),
  ])
  expect([first.baseOffset, repeat.baseOffset, second.baseOffset]).toEqual([0, 0, 1])
  expect(log.logEndOffset).toBe(2)
  await manager.close()
})

test('records are found by timestamp', async () => {
  const { manager, log } = await newLog()
  const base = 1_700_000_000_000
  for (let batch = 0; batch < 40; batch++) {
    await log.appendAsLeader(clientBatch(['a', 'b', 'c'], base + batch * 10), 4)
  }
  for (const [timestamp, offset] of [
    [0, 0],
    [base + 1, 1],
    [base + 3, 3],
    [base + 215, 66],
    [base + 392, 119],
  ] as const) {
    expect(log.offsetForTimestamp(timestamp, log.logEndOffset)).toMatchObject({ offset, leaderEpoch: 4 })
  }
  expect(log.offsetForTimestamp(base + 393, log.logEndOffset)).toBeUndefined()
  expect(log.offsetForTimestamp(base + 215, 66)).toBeUndefined()
  expect(log.maxTimestampOffset()).toMatchObject({ offset: 119, timestamp: base + 392 })
  await manager.close()
})

test('a follower without records begins with the batch that the leader begins inside of', async () => {
  const leader = await newLog()
  const follower = await newLog()
  await leader.log.appendAsLeader(clientBatch(['a', 'b', 'c']), 1)
  await leader.log.appendAsLeader(clientBatch(['d']), 1)
  await leader.log.raiseLogStartOffset(2)
  await follower.log.truncateFullyAndStartAt(2)
  const { records } = leader.log.read(2, 10_000, { upTo: 4, minOneBatch: true })
  await follower.log.appendAsFollower(records)
  expect([follower.log.logStartOffset, follower.log.logEndOffset]).toEqual([0, 4])
  await follower.log.raiseLogStartOffset(2)
  expect(valuesOf(follower.log)).toEqual(valuesOf(leader.log))
  await expect(follower.log.appendAsFollower(records)).rejects.toMatchObject({ error: 'CORRUPT_MESSAGE' })
  await leader.manager.close()
  await follower.manager.close()
})

test('a follower keeps offsets and epochs, and refuses what does not follow', async () => {
  const leader = await newLog()
  const follower = await newLog()
  for (let epoch = 1; epoch < 6; epoch++) await leader.log.appendAsLeader(clientBatch(['x', 'y']), epoch)
  const { records } = leader.log.read(0, 10_000, { upTo: 10, minOneBatch: true })
  await follower.log.appendAsFollower(records)
  expect(valuesOf(follower.log)).toEqual(valuesOf(leader.log))
  expect(follower.log.latestEpoch).toBe(5)
  expect(follower.log.endOffsetForEpoch(3)).toEqual({ epoch: 3, endOffset: 6 })
  expect(follower.log.endOffsetForEpoch(6)).toEqual({ epoch: -1, endOffset: -1 })
  await expect(follower.log.appendAsFollower(records)).rejects.toMatchObject({ error: 'CORRUPT_MESSAGE' })
  const checkpoint = path.join(follower.folder, 't-0', 'leader-epoch-checkpoint')
  await follower.log.truncateTo(5)
  expect(readFileSync(checkpoint, 'utf8')).toBe('0\n2\n1 0\n2 2\n')
  await leader.manager.close()
  await follower.manager.close()
})

test('readers stay below the bound and get whole batches', async () => {
  const { manager, log } = await newLog()
  for (let index = 0; index < 10; index++) await log.appendAsLeader(clientBatch(['a', 'b']), 1)
  const size = clientBatch(['a', 'b']).length
  expect(log.read(0, 1, { upTo: 20, minOneBatch: false }).sizeBytes).toBe(0)
  expect(log.read(1, 1, { upTo: 20, minOneBatch: true }).sizeBytes).toBe(size)
  expect(log.read(0, size * 2 + 1, { upTo: 20, minOneBatch: true }).sizeBytes).toBe(size * 2)
  expect(log.read(0, 10_000, { upTo: 3, minOneBatch: true }).sizeBytes).toBe(size)
  expect(log.read(20, 10_000, { upTo: 20, minOneBatch: true }).sizeBytes).toBe(0)
  expect(() => log.read(21, 1, { upTo: 20, minOneBatch: true })).toThrow('OFFSET_OUT_OF_RANGE')
  await manager.close()
})

test('what can be read is counted in whole batches, over all segments', async () => {
  const { manager, log } = await newLog()
  for (let index = 0; index < 50; index++) await log.appendAsLeader(clientBatch(['a', 'b']), 1)
  expect(log.segments().length).toBeGreaterThan(2)
  const size = clientBatch(['a', 'b']).length
  expect(log.readableBytes(0, 100)).toBe(50 * size)
  expect(log.readableBytes(1, 3)).toBe(size)
  expect(log.readableBytes(97, 100)).toBe(2 * size)
  expect(log.readableBytes(31, 90)).toBe(30 * size)
  expect(log.readableBytes(100, 100)).toBe(0)
  expect(() => log.readableBytes(101, 200)).toThrow('OFFSET_OUT_OF_RANGE')
  await manager.close()
})

test('a failed write refuses appends from then on and leaves no clean-shutdown mark', async () => {
  const whole = new CrashingFiles()
  const setUp = async (files: CrashingFiles): Promise<[LogManager, PartitionLog]> => {
    const manager = await openLogs('/logs', files)
    return [manager, await manager.create('t', 0, TOPIC_ID, smallSegments)]
  }
  await setUp(whole)
  const failing = new CrashingFiles(whole.changeCount + 1)
  const [manager, log] = await setUp(failing)
  await log.appendAsLeader(clientBatch(['good']), 1)
  const error = { error: 'KAFKA_STORAGE_ERROR', detail: expect.stringContaining('no power') }
  await expect(log.appendAsLeader(clientBatch(['lost']), 1)).rejects.toMatchObject(error)
  await expect(log.appendAsLeader(clientBatch(['later']), 1)).rejects.toMatchObject(error)
  expect(log.logEndOffset).toBe(1)
  await manager.close()
  expect(failing.exists('/logs/.kafka_cleanshutdown')).toBe(false)
})
