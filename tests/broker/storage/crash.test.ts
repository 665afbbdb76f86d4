/** What is left of a log after power was lost at any of its writes, with any part of the unsynced bytes. */
import type { LogManager } from '../../../broker/storage/log-manager.ts'
import type { PartitionLog } from '../../../broker/storage/partition-log.ts'
import { CrashingFiles } from '../../support/crashing-files.ts'
import { clientBatch, openLogs, smallSegments, TOPIC_ID, valuesOf } from '../../support/log-scene.ts'

const DIRECTORY = '/logs'
const STEPS = 30

/** A small generator of random numbers with a seed (mulberry32), so that a failure can be repeated. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000
  }
}

interface Expected {
  /** Values by offset, as appended last. */
  values: string[]
  flushedEnd: number
}

async function workload(manager: LogManager, files: CrashingFiles, expected: Expected): Promise<void> {
  const log: PartitionLog = await manager.create('t', 0, TOPIC_ID, smallSegments)
  for (let step = 0; step < STEPS; step++) {
    const values = [`${step}-a`, `${step}-b`]
    expected.values.push(...values)
    await log.appendAsLeader(clientBatch(values), 1 + Math.floor(step / 8))
    if (step % 7 === 3) {
      await log.flush()
      expected.flushedEnd = log.logEndOffset
    }
    if (step % 13 === 12) {
      const end = log.logEndOffset - 6
      expected.flushedEnd = Math.min(expected.flushedEnd, end)
      await log.truncateTo(end)
      expected.values.length = end
    }
  }
  await manager.close()
  files.mustHavePower()
  expected.flushedEnd = expected.values.length
}

async function runUntilCrash(files: CrashingFiles): Promise<Expected> {
  const expected: Expected = { values: [], flushedEnd: 0 }
  try {
    await workload(await openLogs(DIRECTORY, files), files, expected)
  } catch {
    expect(() => files.mustHavePower()).toThrow('no power')
  }
  return expected
}

async function changesOfWorkload(): Promise<number> {
  const files = new CrashingFiles()
  const expected = await runUntilCrash(files)
  expect(expected.flushedEnd).toBe(STEPS * 2 - 12)
  return files.changeCount
}

async function checkAfterCrash(crashAt: number, seed: number): Promise<void> {
  const before = new CrashingFiles(crashAt)
  const expected = await runUntilCrash(before)
  const files = before.afterCrash(randomFrom(seed))
  const manager = await openLogs(DIRECTORY, files)
  const log = manager.get('t', 0)
  const found = log === undefined ? [] : valuesOf(log)
  const place = `crash at change ${crashAt}, seed ${seed}`
  expect({ place, kept: found.length >= expected.flushedEnd }).toEqual({ place, kept: true })
  expect({ place, values: found.map(({ value }) => value) }).toEqual({
    place,
    values: expected.values.slice(0, found.length),
  })
  for (const { offset } of found) {
    const { records } = log!.read(offset, 1, { upTo: log!.logEndOffset, minOneBatch: true })
    expect(Number(records.readBigInt64BE(0))).toBe(offset - (offset % 2))
  }
  await log?.appendAsLeader(clientBatch(['after']), 9)
  await manager.close()
  const again = await openLogs(DIRECTORY, files)
  expect(again.get('t', 0)?.logEndOffset).toBe(log?.logEndOffset)
  await again.close()
}

test('whenever power is lost, flushed records are there, and nothing that was never appended', async () => {
  const changes = await changesOfWorkload()
  expect(changes).toBeGreaterThan(100)
  for (let crashAt = 0; crashAt <= changes; crashAt++) {
    for (let seed = 1; seed <= 2; seed++) await checkAfterCrash(crashAt, crashAt * 10 + seed)
  }
}, 120_000)
