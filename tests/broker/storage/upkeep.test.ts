/** What a log does with time and without being asked: flushes, checkpoints, producers forgotten; and what opening costs. */
import { loadConfig } from '../../../broker/config/config.ts'
import type { LogManager } from '../../../broker/storage/log-manager.ts'
import type { PartitionLog } from '../../../broker/storage/partition-log.ts'
import { CrashingFiles } from '../../support/crashing-files.ts'
import { clientBatch, openLogs, smallSegments, storageConfig, TOPIC_ID } from '../../support/log-scene.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { producerBatch } from '../../support/transactions.ts'
import { waitUntil } from '../../support/wait-until.ts'

const DIRECTORY = '/logs'
const DAY_MS = 86_400_000

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

const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 50; turn++) await Promise.resolve()
}

test('flush.messages: as many records are on disk before the append that completes them is answered', async () => {
  log.updateConfig(storageConfig.topic(new Map([['flush.messages', '3']])))
  await log.appendAsLeader(clientBatch(['a', 'b']), 1)
  expect(log.recoveryPoint).toBe(0)
  await log.appendAsLeader(clientBatch(['c']), 1)
  expect(log.recoveryPoint).toBe(3)
})

test('flush.ms: records are on disk when they are that old, those that follow when they are', async () => {
  log.updateConfig(storageConfig.topic(new Map([['flush.ms', '1000']])))
  for (const end of [1, 2]) {
    await log.appendAsLeader(clientBatch(['a']), 1)
    clock.advance(999)
    await settle()
    expect(log.recoveryPoint).toBe(end - 1)
    clock.advance(1)
    await settle()
    expect(log.recoveryPoint).toBe(end)
  }
})

test('log.flush.interval.ms and, without it, log.flush.scheduler.interval.ms are what topics have by default', () => {
  const flushMs = (lines: string): number =>
    loadConfig(`node.id=1\nquorum.connect=embedded:/unused\n${lines}`).topic(new Map()).get('flush.ms')
  expect(flushMs('log.flush.scheduler.interval.ms=2000')).toBe(2000)
  expect(flushMs('log.flush.scheduler.interval.ms=2000\nlog.flush.interval.ms=500')).toBe(500)
})

test('a rolled segment is flushed without being asked, and the checkpoint says so in time', async () => {
  for (let index = 0; index < 9; index++) await log.appendAsLeader(clientBatch(['v']), 1)
  await waitUntil(() => log.recoveryPoint >= 8, 'the first segment is flushed')
  const checkpoint = (): string =>
    files.readFile(`${DIRECTORY}/recovery-point-offset-checkpoint`)?.toString() ?? ''
  const flushed = log.recoveryPoint
  clock.advance(60_000)
  await waitUntil(() => checkpoint() !== '', 'the checkpoint is written')
  expect(checkpoint()).toBe(`0\n1\nt 0 ${flushed}\n`)
})

test('producers that wrote nothing for a day are forgotten, unless their transaction is open', async () => {
  const timestamp = clock.now()
  await log.appendAsLeader(producerBatch(['a'], { producerId: 1, sequence: 0, timestamp }), 1)
  await log.appendAsLeader(
    producerBatch(['b'], { producerId: 2, sequence: 0, timestamp, isTransactional: true }),
    1,
  )
  const known = (): number[] => log.activeProducers().map(({ producerId }) => producerId)
  clock.advance(DAY_MS - 1)
  expect(known()).toEqual([1, 2])
  clock.advance(600_000)
  expect(known()).toEqual([2])
  const late = producerBatch(['c'], { producerId: 1, sequence: 77, timestamp: clock.now() })
  expect((await log.appendAsLeader(late, 1)).duplicate).toBe(false)
})

test('after a clean stop partitions are opened without a change to them, or a look into closed segments', async () => {
  for (let index = 0; index < 30; index++) await log.appendAsLeader(clientBatch(['v']), index)
  expect(log.segments().length).toBeGreaterThan(3)
  await manager.close()
  const opened: string[] = []
  const open = files.open.bind(files)
  files.open = (path, options) => {
    opened.push(path)
    return open(path, options)
  }
  const before = files.changeCount
  manager = await openLogs(DIRECTORY, files, { clock })
  log = manager.get('t', 0)!
  // The clean-shutdown mark goes; what the directory has is synced.
  expect(files.changeCount - before).toBeLessThanOrEqual(2)
  const last = String(log.segments().at(-1)!.baseOffset).padStart(20, '0')
  expect(opened.filter((path) => path.includes('/t-0/') && !path.includes(last))).toEqual([])
  expect(log.logEndOffset).toBe(30)
})
