/** Which log is compacted when, and what happens to those that cannot be. */
import { encodeBatch } from '../../../../broker/protocol/record-codec.ts'
import { type Logger, silentLogger } from '../../../../broker/runtime/logger.ts'
import type { Files } from '../../../../broker/storage/files.ts'
import type { PartitionLog } from '../../../../broker/storage/partition-log.ts'
import { CompactedLog, lastValues, SMALL_SEGMENTS } from '../../../support/compacted-log.ts'
import { CrashingFiles } from '../../../support/crashing-files.ts'
import { FullFiles } from '../../../support/full-files.ts'
import { storageConfig } from '../../../support/log-scene.ts'

const DAY_MS = 86_400_000

interface Line {
  readonly message: string
  readonly topic?: string
  readonly reason?: string
}

let lines: Line[]
let scene: CompactedLog

function collectingLogger(): Logger {
  const collect = (fields: object, message: string): void => void lines.push({ ...fields, message })
  const logger: Logger = {
    ...silentLogger,
    info: collect,
    warn: collect,
    error: collect,
    child: () => logger,
  }
  return logger
}

async function begin(o: { settings?: Record<string, string>; files?: Files } = {}): Promise<void> {
  lines = []
  scene = await new CompactedLog({ ...o, logger: collectingLogger() }).open()
}

afterEach(() => scene.close())

/** Another log, written to like the scene's own. */
function create(topic: string, settings: Record<string, string> = {}): Promise<PartitionLog> {
  const overrides = new Map(Object.entries({ ...SMALL_SEGMENTS, ...settings }))
  return scene.manager.create(topic, 0, 'AbcdefghijklmnopqrstuQ', storageConfig.topic(overrides))
}

/** Batches of one record, all of the same key. */
async function write(log: PartitionLog, count: number): Promise<void> {
  for (let index = 0; index < count; index++) {
    const records = [{ timestamp: scene.clock.now(), key: Buffer.from('k'), value: Buffer.from(`${index}`) }]
    await log.appendAsLeader(encodeBatch(records), 1)
  }
  await log.flush()
  log.updateHighWatermark(log.logEndOffset)
}

const compacted = (): (string | undefined)[] =>
  lines.filter(({ message }) => message === 'log compacted').map(({ topic }) => topic)

test('the log with the largest dirty share comes first', async () => {
  await begin()
  const other = await create('other')
  await write(scene.log, 40)
  await scene.compact()
  lines.length = 0
  await write(scene.log, 10)
  await write(other, 20)
  await scene.compact()
  expect(compacted()).toEqual(['other', 't'])
})

test('a log is left alone up to min.cleanable.dirty.ratio', async () => {
  await begin({ settings: { 'min.cleanable.dirty.ratio': '1' } })
  await write(scene.log, 40)
  expect(await scene.cleaner.round()).toBe(false)
  expect(scene.cleaner.maxDirtyRatio).toBe(1)
})

test('what is older than max.compaction.lag.ms is compacted whatever its share, and out of the active segment', async () => {
  await begin({ settings: { 'min.cleanable.dirty.ratio': '1', 'max.compaction.lag.ms': '60000' } })
  await write(scene.log, 3)
  expect(scene.log.segments()).toHaveLength(1)
  expect(await scene.cleaner.round()).toBe(false)
  scene.clock.advance(60_001)
  await scene.cleaner.round()
  await scene.log.flush()
  await scene.cleaner.round()
  expect(scene.log.compactedUpTo).toBe(3)
  expect(lastValues(scene.log)).toEqual({ k: '2' })
})

test('what is younger than min.compaction.lag.ms waits', async () => {
  await begin({ settings: { 'min.compaction.lag.ms': '60000' } })
  await write(scene.log, 40)
  expect(await scene.cleaner.round()).toBe(false)
  scene.clock.advance(60_000)
  expect(await scene.cleaner.round()).toBe(true)
})

test('logs that are not compacted are left alone', async () => {
  await begin()
  await write(await create('plain', { 'cleanup.policy': 'delete' }), 40)
  expect(await scene.compact()).toBe(0)
})

test('a damaged log is set aside with the place of the damage, and the others go on', async () => {
  await begin()
  const other = await create('other')
  await write(scene.log, 40)
  await write(other, 20)
  const path = '/logs/t-0/00000000000000000000.log'
  const file = scene.files.open(path)
  file.write([Buffer.from('damage')], 100)
  expect(await scene.compact()).toBe(0)
  expect(await scene.compact()).toBe(1)
  expect(compacted()).toEqual(['other'])
  expect(scene.cleaner.uncleanableLogs).toBe(1)
  const told = lines.filter(({ message }) => message.includes('set aside'))
  expect(told).toHaveLength(1)
  expect(told[0]).toMatchObject({ topic: 't', reason: expect.stringContaining(`${path}: the`) })
  await scene.manager.delete('t', 0)
  await scene.cleaner.round()
  expect(scene.cleaner.uncleanableLogs).toBe(0)
})

test('without space on the disk a log waits, and its directory stays online', async () => {
  const files = new FullFiles(new CrashingFiles())
  await begin({ files })
  await scene.append([{ key: 'first', value: '1' }])
  await write(scene.log, 40)
  files.isFull = true
  expect(await scene.cleaner.round()).toBe(false)
  expect(lines.at(-1)).toMatchObject({ topic: 't', message: expect.stringContaining('no space') })
  expect(scene.log.isUsable).toBe(true)
  expect(scene.files.list('/logs/t-0').filter(({ name }) => name.endsWith('.cleaned'))).toEqual([])
  files.isFull = false
  expect(await scene.cleaner.round()).toBe(true)
  expect(lastValues(scene.log)).toEqual({ first: '1', k: '39' })
})

test('compact,delete: old segments go as well, dirty or not', async () => {
  await begin({ settings: { 'cleanup.policy': 'compact,delete', 'retention.ms': String(DAY_MS) } })
  await write(scene.log, 40)
  scene.clock.advance(DAY_MS + 1)
  await write(scene.log, 1)
  await scene.compact()
  expect(scene.log.logStartOffset).toBeGreaterThan(30)
  expect(lastValues(scene.log)).toEqual({ k: '0' })
})

test('of a compacted log only what is before its start offset is removed', async () => {
  await begin({ settings: { 'retention.ms': '1', 'min.cleanable.dirty.ratio': '1' } })
  await write(scene.log, 40)
  scene.clock.advance(DAY_MS)
  await scene.cleaner.round()
  expect(scene.log.logStartOffset).toBe(0)
})

test('the totals add up what was read and written', async () => {
  await begin()
  await write(scene.log, 40)
  const before = scene.log.sizeBytes
  await scene.compact()
  const { compactions, bytesRead, bytesWritten } = scene.cleaner.totals
  expect(compactions).toBe(1)
  expect(before - scene.log.sizeBytes).toBe(bytesRead - bytesWritten)
  expect(lines.find(({ message }) => message === 'log compacted')).toMatchObject({
    topic: 't',
    partition: 0,
    dirtyRatio: 1,
    bytesRead,
    bytesWritten,
  })
})

test('it compacts on its own, rests while there is nothing to do, and stops at once', async () => {
  await begin()
  await write(scene.log, 40)
  scene.cleaner.start()
  while (scene.log.compactedUpTo === 0) await new Promise((resolve) => setImmediate(resolve))
  await scene.cleaner.close()
  expect(compacted()).toEqual(['t'])
})
