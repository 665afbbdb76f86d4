/**
 * Loses power at one change of a seeded workload and looks at what is left: every record that was flushed, nothing
 * that was never written or after what is missing, and indexes, epochs, producers and transactions as the batches
 * themselves tell.
 */
import assert from 'node:assert/strict'
import { isDeepStrictEqual } from 'node:util'

import { type BatchView, splitBatches } from '../../broker/protocol/record-batch.ts'
import { decodeRecords } from '../../broker/protocol/record-codec.ts'
import type { PartitionLog } from '../../broker/storage/partition-log.ts'
import { type ActiveProducer, ProducerState } from '../../broker/storage/producer-state.ts'
import type { AbortedTransaction } from '../../broker/storage/transaction-index.ts'
import { CRASH_DIRECTORY, CrashWorkload } from './crash-workload.ts'
import { CrashingFiles, PowerLostError } from './crashing-files.ts'
import { clientBatch, openLogs, smallSegments } from './log-scene.ts'
import { randomFrom } from './seeded-random.ts'

export interface CrashPoint {
  readonly seed: number
  readonly steps: number
  /** The change that fails. */
  readonly crashAt: number
}

/** How many changes the workload makes when nothing fails. */
export async function changesOf(seed: number, steps: number): Promise<number> {
  const files = new CrashingFiles()
  await new CrashWorkload(files, randomFrom(seed)).run(steps)
  return files.changeCount
}

/** Rejects with what is wrong and where. */
export async function checkCrash({ seed, steps, crashAt }: CrashPoint): Promise<void> {
  try {
    const files = new CrashingFiles(crashAt)
    const workload = new CrashWorkload(files, randomFrom(seed))
    await runUntilCrash(workload, files, steps)
    const random = randomFrom(seed * 1_000_003 + crashAt)
    // The power may be lost once more while the log recovers.
    const again = files.afterCrash(random, random() < 0.3 ? Math.floor(random() * 20) : Infinity)
    const isUp = await openLogs(CRASH_DIRECTORY, again, { clock: workload.clock }).catch(() => undefined)
    await checkLeft(workload, isUp === undefined ? again.afterCrash(random) : again.afterCrash(random))
  } catch (error) {
    throw new Error(
      `seed ${seed}, ${steps} steps, power lost at change ${crashAt}: ${(error as Error).message}`,
      {
        cause: error,
      },
    )
  }
}

async function runUntilCrash(workload: CrashWorkload, files: CrashingFiles, steps: number): Promise<void> {
  try {
    await workload.run(steps)
  } catch (error) {
    assert.throws(() => files.mustHavePower(), PowerLostError, error as Error)
  }
}

async function checkLeft(workload: CrashWorkload, files: CrashingFiles): Promise<void> {
  const options = { clock: workload.clock, overridesOf: () => smallSegments.overrides }
  const manager = await openLogs(CRASH_DIRECTORY, files, options)
  const log = manager.get('t', 0)
  if (log === undefined) {
    assert.equal(workload.flushedEnd, 0, 'the partition is gone')
    await manager.close()
    return
  }
  log.updateHighWatermark(log.logEndOffset)
  const batches = batchesOf(log)
  checkBatches(workload, log, batches)
  checkLookups(log, batches)
  checkProducers(workload, log, batches)
  await checkGoesOn(log, manager.close.bind(manager))
  const reopened = await openLogs(CRASH_DIRECTORY, files, options)
  assert.equal(reopened.get('t', 0)!.logEndOffset, log.logEndOffset, 'the end after a clean restart')
  await reopened.close()
}

/** All that a reader gets, in order. */
function batchesOf(log: PartitionLog): BatchView[] {
  const batches: BatchView[] = []
  for (let offset = log.logStartOffset; offset < log.logEndOffset;) {
    const { records } = log.read(offset, 1, { upTo: log.logEndOffset, minOneBatch: true })
    const [batch] = splitBatches(Buffer.from(records))
    if (batch === undefined) break
    assert.ok(batch.isIntact(), `the checksum of the batch at offset ${batch.baseOffset}`)
    assert.ok(batch.lastOffset >= offset, `offset ${offset} leads to ${batch.baseOffset}`)
    batches.push(batch)
    offset = batch.lastOffset + 1
  }
  return batches
}

function checkBatches(workload: CrashWorkload, log: PartitionLog, found: readonly BatchView[]): void {
  const { logStartOffset, logEndOffset } = log
  assert.ok(
    logStartOffset === workload.logStart || logStartOffset === workload.nextLogStart,
    `the log starts at ${logStartOffset}, expected ${workload.logStart} or ${workload.nextLogStart}`,
  )
  assert.ok(
    logEndOffset >= workload.flushedEnd,
    `the log ends at ${logEndOffset}, flushed up to ${workload.flushedEnd}`,
  )
  const expected = workload.batches.filter(
    ({ baseOffset, lastOffset }) =>
      lastOffset >= logStartOffset && lastOffset < logEndOffset && !workload.compacted.has(baseOffset),
  )
  const there = new Set(found.map(({ baseOffset }) => baseOffset))
  const due = expected.filter(
    ({ baseOffset }) => there.has(baseOffset) || !workload.compacting.has(baseOffset),
  )
  assert.deepEqual(
    found.map(({ baseOffset }) => baseOffset),
    due.map(({ baseOffset }) => baseOffset),
    'the batches that are there',
  )
  for (const [index, batch] of found.entries()) {
    assert.ok(batch.bytes.equals(due[index]!.bytes), `the bytes of the batch at offset ${batch.baseOffset}`)
  }
}

/** Each offset and timestamp leads where the batches say. */
function checkLookups(log: PartitionLog, batches: readonly BatchView[]): void {
  const records = batches
    .flatMap((batch) => decodeRecords(batch))
    .filter(({ offset }) => offset >= log.logStartOffset)
  for (const { offset, timestamp } of records) {
    const { records: read } = log.read(offset, 1, { upTo: log.logEndOffset, minOneBatch: true })
    const [batch] = splitBatches(read)
    assert.ok(batch!.baseOffset <= offset && offset <= batch!.lastOffset, `a read of offset ${offset}`)
    const first = records.find((record) => record.timestamp >= timestamp)
    assert.equal(
      log.offsetForTimestamp(timestamp, log.logEndOffset)?.offset,
      first?.offset,
      `timestamp ${timestamp}`,
    )
  }
  for (const batch of batches) {
    if (batch.baseOffset >= log.logStartOffset) {
      assert.equal(
        log.epochAt(batch.baseOffset),
        batch.leaderEpoch,
        `the epoch at offset ${batch.baseOffset}`,
      )
    }
  }
}

/**
 * Producers and transactions are those of all batches up to the end of the log. Where the crash took the snapshot that
 * knew of batches before the start of the log, they are those of the batches from there on, as in Apache Kafka.
 */
function checkProducers({ batches }: CrashWorkload, log: PartitionLog, found: readonly BatchView[]): void {
  const { logStartOffset, logEndOffset } = log
  const history = batches.filter(({ lastOffset }) => lastOffset < logEndOffset)
  const all = replay(history)
  const readable = replay(history.filter(({ lastOffset }) => lastOffset >= logStartOffset))
  const actual = log.activeProducers()
  for (const producer of actual) {
    assertOneOf(
      producer,
      [all, readable].map(({ producers }) => producers.get(producer.producerId)),
    )
  }
  const missing = found.filter(
    ({ producerId }) => producerId >= 0 && !actual.some((known) => known.producerId === producerId),
  )
  assert.deepEqual(missing, [], 'producers that are forgotten')
  assertOneOf(
    log.abortedTransactions(logStartOffset, logEndOffset),
    [all, readable].map(({ aborted }) => aborted.filter(({ lastOffset }) => lastOffset >= logStartOffset)),
  )
}

function assertOneOf(actual: unknown, expected: readonly unknown[]): void {
  if (expected.some((candidate) => isDeepStrictEqual(actual, candidate))) return
  assert.deepEqual(actual, expected[0])
}

interface Replayed {
  readonly producers: ReadonlyMap<number, ActiveProducer>
  readonly aborted: readonly AbortedTransaction[]
}

function replay(batches: readonly BatchView[]): Replayed {
  const state = new ProducerState()
  const aborted = batches.flatMap((batch) => state.update(batch) ?? [])
  return {
    producers: new Map(state.activeProducers().map((producer) => [producer.producerId, producer])),
    aborted,
  }
}

async function checkGoesOn(log: PartitionLog, close: () => Promise<void>): Promise<void> {
  const { baseOffset } = await log.appendAsLeader(clientBatch(['after']), 1_000)
  assert.equal(baseOffset, log.logEndOffset - 1, 'the offset of the next record')
  await close()
}
