/** Retention of real logs over files in memory, by a clock that the test moves. */
import { encodeBatch } from '../../../../broker/protocol/record-codec.ts'
import { silentLogger } from '../../../../broker/runtime/logger.ts'
import { LogRetention } from '../../../../broker/storage/cleaner/log-retention.ts'
import type { LogManager } from '../../../../broker/storage/log-manager.ts'
import type { PartitionLog } from '../../../../broker/storage/partition-log.ts'
import { loadConfig } from '../../../../broker/config/config.ts'
import { CrashingFiles } from '../../../support/crashing-files.ts'
import { openLogs, TOPIC_ID } from '../../../support/log-scene.ts'
import { ManualClock } from '../../../support/manual-clock.ts'

const HOUR_MS = 3_600_000
const CHECK_MS = 300_000
const FIRST_CHECK_MS = 30_000
const DELETE_DELAY_MS = 60_000

const config = loadConfig({ 'node.id': '1', 'quorum.connect': 'embedded:/unused' })

let clock: ManualClock
let files: CrashingFiles
let manager: LogManager
let retention: LogRetention

beforeEach(async () => {
  clock = new ManualClock()
  files = new CrashingFiles()
  manager = await openLogs('/logs', files, { config, clock })
  retention = new LogRetention({ logs: () => manager.logs(), config, clock, logger: silentLogger })
})

afterEach(async () => {
  await retention.close()
  await manager.close()
})

function create(topic: string, settings: Record<string, string>): Promise<PartitionLog> {
  const small = { 'segment.index.bytes': '60', 'index.interval.bytes': '1' }
  return manager.create(topic, 0, TOPIC_ID, config.topic(new Map(Object.entries({ ...small, ...settings }))))
}

/** Batches of 100 bytes and more, at the clock's time; below the high watermark unless told otherwise. */
async function write(log: PartitionLog, count: number, o: { isReplicated?: boolean } = {}): Promise<void> {
  for (let index = 0; index < count; index++) {
    const value = Buffer.alloc(50)
    await log.appendAsLeader(encodeBatch([{ timestamp: clock.now(), key: null, value }]), 1)
  }
  if (o.isReplicated !== false) log.updateHighWatermark(log.logEndOffset)
}

const names = (topic: string, suffix: string): string[] =>
  files.list(`/logs/${topic}-0`).flatMap(({ name }) => (name.endsWith(suffix) ? [name] : []))

/** Lets what the clock has set off come to its end. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve))
}

test('the first look comes after log.initial.task.delay.ms, the next ones every log.retention.check.interval.ms', async () => {
  const log = await create('t', { 'retention.ms': String(HOUR_MS) })
  await write(log, 20)
  retention.start()
  clock.advance(FIRST_CHECK_MS)
  await turns()
  expect(log.logStartOffset).toBe(0)
  clock.advance(HOUR_MS - FIRST_CHECK_MS)
  await write(log, 1)
  await turns()
  clock.advance(CHECK_MS)
  await turns()
  expect(log.logStartOffset).toBeGreaterThan(0)
  expect(log.logStartOffset).toBeLessThanOrEqual(20)
})

test('a log whose records are all too old is emptied, and goes on where it was', async () => {
  const log = await create('t', { 'retention.ms': String(HOUR_MS) })
  await write(log, 20)
  clock.advance(HOUR_MS + 1)
  await retention.check()
  expect(log).toMatchObject({ logStartOffset: 20, logEndOffset: 20, sizeBytes: 0 })
  await write(log, 1)
  expect(log).toMatchObject({ logStartOffset: 20, logEndOffset: 21 })
  await retention.check()
  expect(log.logStartOffset).toBe(20)
})

test('retention.bytes keeps at least so much, in whole segments', async () => {
  const log = await create('t', { 'retention.bytes': '2000' })
  await write(log, 60)
  await retention.check()
  expect(log.sizeBytes).toBeGreaterThanOrEqual(2000)
  expect(log.sizeBytes).toBeLessThan(2000 + log.segments()[0]!.sizeBytes)
})

test('a change of the topic takes effect at the next look', async () => {
  const log = await create('t', { 'retention.ms': '-1' })
  await write(log, 20)
  clock.advance(1000 * HOUR_MS)
  await retention.check()
  expect(log.logStartOffset).toBe(0)
  log.updateConfig(config.topic(new Map([['retention.ms', '1000']])))
  await retention.check()
  expect(log.logStartOffset).toBe(20)
})

test('what is not replicated stays', async () => {
  const log = await create('t', { 'retention.ms': '1000' })
  await write(log, 20, { isReplicated: false })
  log.updateHighWatermark(10)
  clock.advance(HOUR_MS)
  await retention.check()
  expect(log.logStartOffset).toBeLessThanOrEqual(10)
  expect(log.logStartOffset).toBeGreaterThan(0)
})

test('the files of removed segments go after file.delete.delay.ms', async () => {
  const log = await create('t', { 'retention.ms': '1000' })
  await write(log, 20)
  clock.advance(HOUR_MS)
  await retention.check()
  expect(names('t', '.log')).toEqual(['00000000000000000020.log'])
  expect(names('t', '.log.deleted').length).toBeGreaterThan(1)
  clock.advance(DELETE_DELAY_MS)
  expect(names('t', '.deleted')).toEqual([])
})

test('DeleteRecords leaves segments that go at the next look', async () => {
  const log = await create('t', { 'retention.ms': '-1' })
  await write(log, 30)
  await log.raiseLogStartOffset(20)
  await retention.check()
  expect(log.segments()[1]!.baseOffset).toBeGreaterThan(20)
  expect(log.logStartOffset).toBe(20)
})

test('compacted logs are left to the cleaner', async () => {
  const log = await create('t', { 'cleanup.policy': 'compact,delete', 'retention.ms': '1000' })
  await write(log, 0)
  await log.appendAsLeader(
    encodeBatch([{ timestamp: clock.now(), key: Buffer.from('k'), value: Buffer.from('v') }]),
    1,
  )
  log.updateHighWatermark(1)
  clock.advance(HOUR_MS)
  await retention.check()
  expect(log.logStartOffset).toBe(0)
})

test('a log that fails does not keep the others from being looked at', async () => {
  const failing = await create('a', { 'retention.ms': '1000' })
  const other = await create('b', { 'retention.ms': '1000' })
  await write(failing, 20)
  await write(other, 20)
  await failing.settle()
  clock.advance(HOUR_MS)
  await retention.check()
  expect(other.logStartOffset).toBe(20)
})
