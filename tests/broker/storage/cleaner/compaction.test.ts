/** Compaction of a real log over files in memory. */
import { CODECS } from '../../../../broker/protocol/compression.ts'
import { decodeRecords } from '../../../../broker/protocol/record-codec.ts'
import { type Logger, silentLogger } from '../../../../broker/runtime/logger.ts'
import { batchesOf, CompactedLog, committedRecords, lastValues } from '../../../support/compacted-log.ts'

/** So little memory for keys that five fit. */
const ROOM_FOR_FIVE = {
  'log.cleaner.dedupe.buffer.size': String(2 ** 20 + 1),
  'log.cleaner.io.buffer.load.factor': '0.00012',
}

let scene: CompactedLog
beforeEach(async () => {
  scene = await new CompactedLog().open()
})
afterEach(() => scene.close())

const texts = (): string[] =>
  committedRecords(scene.log).map(
    ({ offset, key, value }) => `${offset}:${String(key)}=${value?.toString() ?? ''}`,
  )

/** Closes the segments written so far, by filling new ones under a key of their own. */
async function fill(): Promise<void> {
  const { length } = scene.log.segments()
  while (scene.log.segments().length < length + 2) await scene.append([{ key: 'filler', value: 'x' }])
  await scene.log.flush()
}

async function write(...entries: string[]): Promise<void> {
  for (const entry of entries) {
    const [key, value] = entry.split('=')
    await scene.append([{ key: key!, value: value ?? null }])
  }
}

test('of each key the newest record stays, under its offset', async () => {
  await write('a=1', 'b=2', 'a=3', 'c=4', 'b=5')
  await fill()
  expect(await scene.compact()).toBe(1)
  expect(texts().filter((text) => !text.includes('filler'))).toEqual(['2:a=3', '3:c=4', '4:b=5'])
  expect(scene.log.compactedUpTo).toBe(scene.log.segments().at(-1)!.baseOffset)
})

test('segments that have become small are merged', async () => {
  for (let index = 0; index < 60; index++) await write('a=1')
  const before = scene.log.segments().length
  expect(before).toBeGreaterThan(5)
  await scene.compact()
  await fill()
  await scene.compact()
  expect(scene.log.segments().length).toBeLessThan(before)
  expect(scene.files.list('/logs/t-0').filter(({ name }) => name.endsWith('.cleaned'))).toEqual([])
})

test('a tombstone is kept for delete.retention.ms after the first compaction, then goes', async () => {
  await write('a=1', 'a')
  await fill()
  await scene.compact()
  expect(texts()[0]).toBe('1:a=')
  scene.clock.advance(999)
  await fill()
  await scene.compact()
  expect(texts()[0]).toBe('1:a=')
  scene.clock.advance(1)
  await fill()
  await scene.compact()
  expect(texts().some((text) => text.includes('a='))).toBe(false)
})

test('the last batch of a producer stays as an empty one, and its sequence goes on after a restart', async () => {
  await scene.append([{ key: 'a', value: '1' }], { producerId: 5, sequence: 0 })
  await scene.append([{ key: 'a', value: '2' }], { producerId: 5, sequence: 1 })
  await write('a=3')
  await fill()
  await scene.compact()
  const kept = batchesOf(scene.log).filter(({ producerId }) => producerId === 5)
  expect(kept.map(({ baseOffset, recordCount }) => [baseOffset, recordCount])).toEqual([[1, 0]])
  for (const { name } of scene.files.list('/logs/t-0')) {
    if (name.endsWith('.snapshot')) scene.files.remove(`/logs/t-0/${name}`)
  }
  await scene.close()
  await scene.open()
  await expect(scene.append([{ key: 'a', value: '4' }], { producerId: 5, sequence: 7 })).rejects.toThrow(
    'expected 2',
  )
  await scene.append([{ key: 'a', value: '4' }], { producerId: 5, sequence: 2 })
})

test('aborted records go at once; the markers when their records are gone and a horizon has passed', async () => {
  await scene.append([{ key: 'a', value: 'aborted' }], { producerId: 1, sequence: 0, isTransactional: true })
  await scene.end(1, 'abort')
  await scene.append([{ key: 'a', value: '1' }], { producerId: 2, sequence: 0, isTransactional: true })
  await scene.end(2, 'commit')
  await write('a=2')
  await scene.append([{ key: 'x', value: '1' }], { producerId: 1, sequence: 1 })
  await scene.append([{ key: 'x', value: '1' }], { producerId: 2, sequence: 1 })
  await fill()
  await scene.compact()
  expect(texts()[0]).toBe('4:a=2')
  const markers = (): unknown[] => batchesOf(scene.log).filter(({ isControl }) => isControl)
  expect(markers()).toHaveLength(2)
  await fill()
  scene.clock.advance(1000)
  await scene.compact()
  await fill()
  scene.clock.advance(1000)
  await scene.compact()
  expect(markers()).toHaveLength(0)
  expect(scene.log.abortedTransactions(0, scene.log.logEndOffset)).toEqual([])
})

test('nothing of an open transaction, nor what follows, is touched', async () => {
  await write('a=1', 'a=2')
  await fill()
  const openAt = scene.log.logEndOffset
  await scene.append([{ key: 'a', value: '3' }], { producerId: 1, sequence: 0, isTransactional: true })
  await write('a=4', 'a=5')
  await fill()
  const after = (): Buffer[] =>
    batchesOf(scene.log)
      .filter(({ baseOffset }) => baseOffset >= openAt)
      .map(({ bytes }) => Buffer.from(bytes))
  const before = after()
  await scene.compact()
  expect(after()).toEqual(before)
  expect(scene.log.compactedUpTo).toBeLessThanOrEqual(openAt)
  expect(scene.log.compactedUpTo).toBeGreaterThan(0)
})

test('where the map of keys is full the rest has its turn in the next round', async () => {
  await scene.close()
  scene = await new CompactedLog({ broker: ROOM_FOR_FIVE }).open()
  for (let index = 0; index < 30; index++) await write(`k${index % 10}=${index}`)
  await fill()
  const before = lastValues(scene.log)
  expect(await scene.compact()).toBeGreaterThan(1)
  expect(lastValues(scene.log)).toEqual(before)
  expect(committedRecords(scene.log).filter(({ key }) => String(key).startsWith('k'))).toHaveLength(10)
})

test('a batch with more keys than the map has room for sets the log aside, and is told', async () => {
  await scene.close()
  const errors: { reason?: string }[] = []
  const logger: Logger = { ...silentLogger, error: (fields) => errors.push(fields), child: () => logger }
  scene = await new CompactedLog({ broker: ROOM_FOR_FIVE, logger }).open()
  await scene.append(['a', 'b', 'c', 'd', 'e', 'f'].map((key) => ({ key, value: '1' })))
  await fill()
  const before = lastValues(scene.log)
  expect(await scene.compact()).toBe(0)
  expect(errors).toMatchObject([
    {
      topic: 't',
      partition: 0,
      reason:
        'the batch at offset 0 has more keys than the 5 for which log.cleaner.dedupe.buffer.size has room',
    },
  ])
  expect(scene.cleaner.uncleanableLogs).toBe(1)
  expect(lastValues(scene.log)).toEqual(before)

  // Once there is more memory it is tried again.
  const cluster = new Map([['log.cleaner.io.buffer.load.factor', '0.9']])
  scene.config.applyDynamic({ cluster, broker: new Map() }, () => {})
  expect(await scene.compact()).toBe(1)
  expect(lastValues(scene.log)).toEqual(before)
})

test('segments go on to meet, and each says where it ends, whatever is left of it', async () => {
  for (let index = 0; index < 60; index++) await write('a=1')
  const writtenMs = scene.clock.now()
  scene.clock.advance(5000)
  await scene.log.flush()
  await scene.compact()
  const segments = scene.log.segments()
  for (const [index, segment] of segments.slice(0, -1).entries()) {
    expect(segment.endOffset).toBe(segments[index + 1]!.baseOffset)
  }
  expect(batchesOf(scene.log).filter(({ recordCount }) => recordCount === 0).length).toBeGreaterThan(5)
  // Without records there is no time to look up; but how old they were is known.
  expect(segments[0]).toMatchObject({ maxTimestamp: -1, largestTimestamp: writtenMs })
})

test('a log that lost its checkpoints after it was compacted is still whole', async () => {
  for (let index = 0; index < 60; index++) await write(`k${index % 4}=${index}`)
  await scene.compact()
  const before = lastValues(scene.log)
  await scene.close()
  for (const { name } of scene.files.list('/logs')) {
    if (/checkpoint|cleanshutdown/.test(name)) scene.files.remove(`/logs/${name}`)
  }
  await scene.open()
  expect(scene.log.logEndOffset).toBe(60)
  expect(lastValues(scene.log)).toEqual(before)
})

test("a reader passes over segments of which Apache Kafka's compaction has left nothing", async () => {
  for (let index = 0; index < 60; index++) await write('a=1')
  await scene.log.flush()
  for (const segment of scene.log.segments().slice(0, -1)) {
    await scene.log.replaceSegments([segment], [scene.log.newCleanedSegment(segment.baseOffset)])
  }
  const { baseOffset } = scene.log.segments().at(-1)!
  for (let offset = 0; offset < baseOffset; offset++) {
    const { records } = scene.log.read(offset, 1, { upTo: scene.log.logEndOffset, minOneBatch: true })
    expect(Number(records.readBigInt64BE(0))).toBe(baseOffset)
  }
})

test('a follower that begins anew copies what is left, and its log goes on like that of the leader', async () => {
  for (let index = 0; index < 60; index++) await write(`k${index % 3}=${index}`)
  await scene.compact()
  await write('after=1')
  const follower = await new CompactedLog().open()
  while (follower.log.logEndOffset < scene.log.logEndOffset) {
    const { records } = scene.log.read(follower.log.logEndOffset, 200, {
      upTo: scene.log.logEndOffset,
      minOneBatch: true,
    })
    await follower.log.appendAsFollower(Buffer.from(records))
  }
  expect(batchesOf(follower.log).map(({ bytes }) => bytes)).toEqual(
    batchesOf(scene.log).map(({ bytes }) => bytes),
  )
  follower.log.updateHighWatermark(follower.log.logEndOffset)
  await follower.log.flush()
  await follower.compact()
  await follower.close()
  await follower.open()
  expect(lastValues(follower.log)).toEqual(lastValues(scene.log))
  await follower.close()
})

test('what was compacted is known after a restart, and not what was truncated since', async () => {
  for (let index = 0; index < 30; index++) await write(`a=${index}`)
  await scene.compact()
  const { compactedUpTo } = scene.log
  await scene.close()
  expect(String(scene.files.readFile('/logs/cleaner-offset-checkpoint'))).toBe(`0\n1\nt 0 ${compactedUpTo}\n`)
  await scene.open()
  expect(scene.log.compactedUpTo).toBe(compactedUpTo)
  await scene.log.truncateTo(compactedUpTo - 5)
  expect(scene.log.compactedUpTo).toBeLessThanOrEqual(compactedUpTo - 5)
})

test.each(CODECS)('others run while a large batch is compacted (%s)', async (codec) => {
  const entries = Array.from({ length: 6000 }, (_, index) => ({
    key: `k${index % 4000}`,
    value: index % 7 === 0 ? null : `${index}`,
  }))
  await scene.append(entries, { codec })
  await fill()
  const before = lastValues(scene.log)
  let turns = 0
  let isOver = false
  const count = (): void => {
    turns += 1
    if (!isOver) setImmediate(count)
  }
  count()
  await scene.compact()
  isOver = true
  expect(turns).toBeGreaterThan(10)
  expect(lastValues(scene.log)).toEqual(before)
  const [large] = batchesOf(scene.log)
  expect(large).toMatchObject({ recordCount: 4000, lastOffset: 5999, codec })
  expect(large!.deleteHorizonMs).toBeDefined()
  expect(large!.isIntact()).toBe(true)
})

test('compressed batches stay in their codec', async () => {
  for (const codec of ['gzip', 'snappy', 'lz4', 'zstd'] as const) {
    await scene.append(
      [
        { key: 'same', value: codec },
        { key: codec, value: 'v'.repeat(50) },
      ],
      { codec },
    )
  }
  await fill()
  await scene.compact()
  const cleaned = batchesOf(scene.log).slice(0, 4)
  expect(cleaned.map(({ codec }) => codec)).toEqual(['gzip', 'snappy', 'lz4', 'zstd'])
  expect(cleaned.map((batch) => decodeRecords(batch).length)).toEqual([1, 1, 1, 2])
})
