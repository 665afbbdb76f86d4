/** What happens to a compaction when others get at the log while it rests, and what a loss of power leaves of one. */
import { type Logger, silentLogger } from '../../../../broker/runtime/logger.ts'
import { CompactedLog, type Entry, lastValues } from '../../../support/compacted-log.ts'
import { CrashingFiles } from '../../../support/crashing-files.ts'
import { randomFrom } from '../../../support/seeded-random.ts'

/** Turns of the event loop in which a compaction of the workload is over: it rests after every batch. */
const TURNS = 150

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** One record a batch, over a few keys, some deleted. */
function workload(count: number): Entry[] {
  return Array.from({ length: count }, (_, index) => ({
    key: `k${(index * 7) % 5}`,
    value: index % 6 === 5 ? null : `${index}`,
  }))
}

/** What a reader makes of these entries, in order. */
function foldOf(entries: readonly Entry[]): Record<string, string> {
  const values = new Map<string, string>()
  for (const { key, value } of entries) {
    if (value === null) values.delete(key)
    else values.set(key, value)
  }
  return Object.fromEntries(values)
}

const ENTRIES = workload(50)

/** Log lines that someone would have to look at. */
function attentiveLogger(): { logger: Logger; errors: object[] } {
  const errors: object[] = []
  const logger: Logger = { ...silentLogger, error: (fields) => errors.push(fields), child: () => logger }
  return { logger, errors }
}

async function writtenScene(
  logger: Logger = silentLogger,
  files = new CrashingFiles(),
): Promise<CompactedLog> {
  const scene = await new CompactedLog({ logger, files }).open()
  for (const entry of ENTRIES) await scene.append([entry])
  await scene.log.flush()
  return scene
}

/** Begins a compaction, lets it get on for so many turns, does that, and waits for its end. */
async function disturb(scene: CompactedLog, turns: number, action: () => Promise<unknown>): Promise<void> {
  const round = scene.cleaner.round()
  for (let turn = 0; turn < turns; turn++) await nextTurn()
  await action()
  await round
}

function namesIn(scene: CompactedLog): string[] {
  return scene.files.list('/logs/t-0').map(({ name }) => name)
}

test('a compaction is over within the turns that are tried here', async () => {
  const scene = await writtenScene()
  await disturb(scene, TURNS, async () => {
    expect(scene.log.compactedUpTo).toBeGreaterThan(0)
  })
  await scene.close()
})

test.each([3, 20, 45])(
  'the log may be truncated to %d at any time',
  async (offset) => {
    for (let turns = 0; turns <= TURNS; turns += 5) {
      const { logger, errors } = attentiveLogger()
      const scene = await writtenScene(logger)
      await disturb(scene, turns, () => scene.log.truncateTo(offset))
      const kept = ENTRIES.slice(0, scene.log.logEndOffset)
      // A batch that was compacted away must have had a newer one of its key; that one may be gone now.
      expect(Object.keys(lastValues(scene.log)).every((key) => kept.some((entry) => entry.key === key))).toBe(
        true,
      )
      expect(scene.log.compactedUpTo).toBeLessThanOrEqual(scene.log.logEndOffset)
      await scene.append([{ key: 'after', value: '1' }])
      await scene.compact()
      expect(errors).toEqual([])
      await scene.close()
      await scene.open()
      expect(lastValues(scene.log)['after']).toBe('1')
      await scene.close()
    }
  },
  60_000,
)

test('old segments may be removed at any time', async () => {
  for (let turns = 0; turns <= TURNS; turns += 5) {
    const { logger, errors } = attentiveLogger()
    const scene = await writtenScene(logger)
    await disturb(scene, turns, () => scene.log.removeSegmentsBefore(16, 'test'))
    await scene.compact()
    expect(lastValues(scene.log)).toEqual(foldOf(ENTRIES.slice(16)))
    expect(errors).toEqual([])
    await scene.close()
  }
}, 60_000)

test('records may be appended at any time', async () => {
  for (let turns = 0; turns <= TURNS; turns += 5) {
    const scene = await writtenScene()
    await disturb(scene, turns, () => scene.append([{ key: 'k0', value: 'newest' }]))
    expect(lastValues(scene.log)).toEqual({ ...foldOf(ENTRIES), k0: 'newest' })
    await scene.close()
  }
}, 60_000)

test('the partition may be deleted at any time', async () => {
  for (let turns = 0; turns <= TURNS; turns += 5) {
    const { logger, errors } = attentiveLogger()
    const scene = await writtenScene(logger)
    await disturb(scene, turns, () => scene.manager.delete('t', 0))
    expect(errors).toEqual([])
    expect(scene.cleaner.uncleanableLogs).toBe(0)
    expect(namesIn(scene)).toEqual([])
    await scene.manager.close()
  }
}, 60_000)

test('a copy may be begun at any time: nothing is compacted until it is made', async () => {
  for (let turns = 0; turns <= TURNS; turns += 5) {
    const { logger, errors } = attentiveLogger()
    const scene = await writtenScene(logger)
    let sizeBytes = 0
    await disturb(scene, turns, async () => {
      scene.isMoving = true
      // What was about to be swapped in when it began still is.
      await nextTurn()
      await scene.log.flush()
      sizeBytes = scene.log.sizeBytes
    })
    expect(scene.log.sizeBytes).toBe(sizeBytes)
    expect(await scene.compact()).toBe(0)
    scene.isMoving = false
    await scene.compact()
    expect(lastValues(scene.log)).toEqual(foldOf(ENTRIES))
    expect(errors).toEqual([])
    await scene.close()
  }
}, 60_000)

test('the directory may go offline at any time', async () => {
  for (let turns = 0; turns <= TURNS; turns += 5) {
    const scene = await writtenScene()
    const { log } = scene
    await disturb(scene, turns, async () =>
      log.failure(Object.assign(new Error('EIO'), { errno: -5, code: 'EIO' })),
    )
    expect(log.isUsable).toBe(false)
    expect(scene.cleaner.uncleanableLogs).toBe(0)
    expect(await scene.cleaner.round()).toBe(false)
    await scene.close()
  }
}, 60_000)

test('the broker may stop at any time, and the next one goes on', async () => {
  for (let turns = 0; turns <= TURNS; turns += 5) {
    const scene = await writtenScene()
    await disturb(scene, turns, () => scene.cleaner.close())
    expect(namesIn(scene).filter((name) => name.endsWith('.cleaned'))).toEqual([])
    await scene.close()
    await scene.open()
    expect(lastValues(scene.log)).toEqual(foldOf(ENTRIES))
    await scene.compact()
    expect(lastValues(scene.log)).toEqual(foldOf(ENTRIES))
    await scene.close()
  }
}, 60_000)

/** Writes, compacts and removes until the power is lost; tells up to where all was flushed. */
async function runUntilCrash(files: CrashingFiles): Promise<{ flushedEnd: number; startOffset: number }> {
  const reached = { flushedEnd: 0, startOffset: 0 }
  try {
    const scene = await new CompactedLog({ files }).open()
    for (const [index, entry] of ENTRIES.entries()) {
      await scene.append([entry])
      if (index % 20 !== 19) continue
      await scene.log.flush()
      reached.flushedEnd = scene.log.logEndOffset
      await scene.compact()
      scene.clock.advance(600)
      files.mustHavePower()
    }
    reached.startOffset = 16
    await scene.log.removeSegmentsBefore(16, 'test')
    await scene.compact()
    await scene.close()
  } catch {
    expect(() => files.mustHavePower()).toThrow('no power')
  }
  return reached
}

test('whenever power is lost, a reader has the last value of each key', async () => {
  const whole = new CrashingFiles()
  await runUntilCrash(whole)
  expect(whole.changeCount).toBeGreaterThan(200)
  for (let crashAt = 1; crashAt <= whole.changeCount; crashAt++) {
    const files = new CrashingFiles(crashAt)
    const { flushedEnd, startOffset } = await runUntilCrash(files)
    const scene = await new CompactedLog({ files: files.afterCrash(randomFrom(crashAt)) }).open()
    const { logEndOffset, logStartOffset } = scene.log
    const place = `crash at change ${crashAt}`
    const expected = foldOf(ENTRIES.slice(logStartOffset, logEndOffset))
    expect({ place, values: lastValues(scene.log) }).toEqual({ place, values: expected })
    expect({ place, isAllThere: logEndOffset >= flushedEnd }).toEqual({ place, isAllThere: true })
    expect(logStartOffset).toBeLessThanOrEqual(startOffset)
    expect(namesIn(scene).filter((name) => /\.(cleaned|swap|deleted|tmp)$/.test(name))).toEqual([])
    await scene.compact()
    expect({ place, values: lastValues(scene.log) }).toEqual({ place, values: expected })
    await scene.close()
  }
}, 120_000)
