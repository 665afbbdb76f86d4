/** The segments of a partition: rolled by age, removed with a delay, replaced by cleaned ones. */
import { loadConfig } from '../../../broker/config/config.ts'
import { splitBatches } from '../../../broker/protocol/record-batch.ts'
import type { LogManager } from '../../../broker/storage/log-manager.ts'
import type { PartitionLog } from '../../../broker/storage/partition-log.ts'
import type { Segment } from '../../../broker/storage/segment.ts'
import { CrashingFiles } from '../../support/crashing-files.ts'
import { clientBatch, openLogs, smallSegments, TOPIC_ID, valuesOf } from '../../support/log-scene.ts'
import { ManualClock } from '../../support/manual-clock.ts'

const DIRECTORY = '/logs'
const DELAY_MS = 60_000

let files: CrashingFiles
let clock: ManualClock
let manager: LogManager
let log: PartitionLog

beforeEach(async () => {
  files = new CrashingFiles()
  clock = new ManualClock()
  manager = await openLogs(DIRECTORY, files, { clock })
  log = await manager.create('t', 0, TOPIC_ID, smallSegments)
})

afterEach(() => manager.close())

const names = (): string[] =>
  files
    .list(`${DIRECTORY}/t-0`)
    .map(({ name }) => name)
    .sort()

async function appendMany(count: number): Promise<void> {
  for (let index = 0; index < count; index++) await log.appendAsLeader(clientBatch([`v${index}`]), 1)
}

/** A copy of these segments without the values in `dropped`. */
function cleanedCopy(old: readonly Segment[], dropped: ReadonlySet<string>): Segment {
  const cleaned = log.newCleanedSegment(old[0]!.baseOffset)
  for (const segment of old) {
    for (const batch of splitBatches(segment.read(0, segment.sizeBytes))) {
      const isDropped = [...dropped].some((value) => batch.bytes.includes(value))
      if (!isDropped) cleaned.append([batch], log.limits)
    }
  }
  return cleaned
}

test('the active segment is rolled when it is older than segment.ms, and not when it is empty', async () => {
  const config = loadConfig('node.id=1\nquorum.connect=embedded:/unused\n')
  log.updateConfig(config.topic(new Map([['segment.ms', '1000']])))
  expect(await log.rollIfDue(Number.MAX_SAFE_INTEGER)).toBe(false)
  await log.appendAsLeader(clientBatch(['a'], 5000), 1)
  expect(await log.rollIfDue(6000)).toBe(false)
  expect(await log.rollIfDue(6001)).toBe(true)
  expect(log.segments().map(({ baseOffset }) => baseOffset)).toEqual([0, 1])
  expect(await log.rollIfDue(Number.MAX_SAFE_INTEGER)).toBe(false)
})

test('removed segments keep their files under another name until the delay is over', async () => {
  await appendMany(20)
  const [first, second, third] = log.segments()
  expect(await log.removeSegmentsBefore(third!.baseOffset, 'test')).toBe(2)
  expect(log.logStartOffset).toBe(third!.baseOffset)
  expect(log.segments()[0]).toBe(third)
  const deleted = names().filter((name) => name.endsWith('.deleted'))
  expect(deleted).toHaveLength(6)
  expect(deleted[0]).toContain(String(first!.baseOffset))
  expect(deleted[3]).toContain(String(second!.baseOffset))
  clock.advance(DELAY_MS - 1)
  expect(names().filter((name) => name.endsWith('.deleted'))).toHaveLength(6)
  clock.advance(1)
  expect(names().filter((name) => name.endsWith('.deleted'))).toHaveLength(0)
})

test('what is left of a removal goes when the log is opened next', async () => {
  await appendMany(20)
  await log.removeSegmentsBefore(log.segments()[1]!.baseOffset, 'test')
  await manager.close()
  manager = await openLogs(DIRECTORY, files, { clock })
  log = manager.get('t', 0)!
  expect(names().filter((name) => name.endsWith('.deleted'))).toHaveLength(0)
})

test('everything may be removed: the log goes on where it ended', async () => {
  await appendMany(5)
  expect(await log.removeSegmentsBefore(5, 'test')).toBeGreaterThan(0)
  expect(log.segments().map(({ baseOffset }) => baseOffset)).toEqual([5])
  expect(log.sizeBytes).toBe(0)
  expect((await log.appendAsLeader(clientBatch(['next']), 1)).baseOffset).toBe(5)
  expect(valuesOf(log)).toEqual([{ offset: 5, value: 'next' }])
})

test('producer snapshots are kept where segments begin, and go with them', async () => {
  await appendMany(20)
  const snapshots = (): number[] =>
    names().flatMap((name) => (name.endsWith('.snapshot') ? [Number(name.slice(0, 20))] : []))
  const bases = (): number[] => log.segments().map(({ baseOffset }) => baseOffset)
  expect(snapshots()).toEqual(bases().slice(1))
  await log.removeSegmentsBefore(bases()[2]!, 'test')
  expect(snapshots()).toEqual(bases())
  await manager.close()
  expect(snapshots()).toEqual([...bases(), 20])
  manager = await openLogs(DIRECTORY, files, { clock })
  log = manager.get('t', 0)!
  await appendMany(20)
  await manager.close()
  manager = await openLogs(DIRECTORY, files, { clock })
  log = manager.get('t', 0)!
  expect(snapshots()).toEqual([...new Set([...bases(), 40])])
})

describe('a replacement', () => {
  const dropped = new Set(['v2', 'v3', 'v5'])
  const kept = (): string[] => valuesOf(log).map(({ value }) => value)
  let old: readonly Segment[]
  let expected: string[]

  beforeEach(async () => {
    await appendMany(20)
    old = log.segments().slice(0, 2)
    expect(old.at(-1)!.endOffset).toBeGreaterThan(4)
    expected = kept().filter((value) => !dropped.has(value))
  })

  test('is what readers see, at the same offsets, also after a restart', async () => {
    const before = valuesOf(log)
    await log.replaceSegments(old, [cleanedCopy(old, dropped)])
    const after = before.filter(({ value }) => !dropped.has(value))
    expect(valuesOf(log)).toEqual(after)
    expect(log.read(2, 10_000, { upTo: 20, minOneBatch: true }).records.readBigInt64BE(0)).toBe(4n)
    await manager.close()
    manager = await openLogs(DIRECTORY, files, { clock })
    log = manager.get('t', 0)!
    expect(valuesOf(log)).toEqual(after)
  })

  test('is refused when the segments have gone meanwhile', async () => {
    const cleaned = cleanedCopy(old, dropped)
    await log.removeSegmentsBefore(old[1]!.baseOffset, 'test')
    await expect(log.replaceSegments(old, [cleaned])).rejects.toThrow('not there to be replaced')
    expect(names().filter((name) => name.endsWith('.cleaned'))).toEqual([])
    expect(kept()[0]).toBe(`v${old[1]!.baseOffset}`)
  })

  test('is done or not done after a crash at any of its changes, whatever was synced', async () => {
    await log.flush()
    const all = kept()
    const outcomes = new Set<string>()
    for (let crashAt = 0, isDone = false; !isDone; crashAt++) {
      for (const chance of [0, 0.3, 0.7, 0.999]) {
        const crashing = files.afterCrash(() => 0.999, crashAt)
        const crashed = await openLogs(DIRECTORY, crashing, { clock }).catch(() => undefined)
        const scene = { log, old }
        if (crashed !== undefined) {
          log = crashed.get('t', 0)!
          old = log.segments().slice(0, 2)
          try {
            isDone = true
            await log.replaceSegments(old, [cleanedCopy(old, dropped)])
          } catch (error) {
            isDone = false
            expect(String(error)).toContain('no power')
          }
        }
        const found = await openLogs(
          DIRECTORY,
          crashing.afterCrash(() => chance),
          { clock },
        )
        log = found.get('t', 0)!
        const values = kept()
        outcomes.add(values.length === all.length ? 'old' : 'new')
        expect([all, expected]).toContainEqual(values)
        await found.close()
        ;({ log, old } = scene)
      }
    }
    expect(outcomes).toEqual(new Set(['old', 'new']))
  })
})
