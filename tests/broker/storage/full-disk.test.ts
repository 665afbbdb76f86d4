/** Appends that find no space: refused, and as if they had never been. */
import type { LogManager } from '../../../broker/storage/log-manager.ts'
import type { PartitionLog } from '../../../broker/storage/partition-log.ts'
import { CrashingFiles } from '../../support/crashing-files.ts'
import { FullFiles } from '../../support/full-files.ts'
import { openLogs, smallSegments, TOPIC_ID, valuesOf } from '../../support/log-scene.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { marker, producerBatch } from '../../support/transactions.ts'

let disk: FullFiles
let clock: ManualClock
let manager: LogManager
let log: PartitionLog
let sequence: number

beforeEach(async () => {
  disk = new FullFiles(new CrashingFiles())
  clock = new ManualClock()
  const measure = (): Promise<{ fileSystem: string; totalBytes: number; usableBytes: number }> =>
    Promise.resolve({ fileSystem: 'disk', totalBytes: 2 ** 50, usableBytes: disk.isFull ? 0 : 2 ** 49 })
  manager = await openLogs('/logs', disk, { clock, measure })
  log = await manager.create('t', 0, TOPIC_ID, smallSegments)
  sequence = 0
})

afterEach(() => manager.close())

const next = (): Buffer =>
  producerBatch([`v${sequence}`], { producerId: 7, sequence: sequence++, isTransactional: true })

const refused = { error: 'KAFKA_STORAGE_ERROR' }

async function makeRoom(): Promise<void> {
  disk.isFull = false
  clock.advance(10_000)
  for (let turn = 0; turn < 10; turn++) await Promise.resolve()
}

// Every eighth batch is the first of a segment: 8 fails at the roll, the others at the write.
test.each([3, 7, 8])(
  'after %i batches: nothing of them stays, and the log goes on when there is space',
  async (count) => {
    for (let index = 0; index < count; index++) await log.appendAsLeader(next(), 1)
    const before = { values: valuesOf(log), producers: log.activeProducers(), files: segmentsOf() }
    disk.isFull = true
    const lost = sequence
    const results = await Promise.allSettled([log.appendAsLeader(next(), 2), log.appendAsLeader(next(), 2)])
    expect(results.map((result) => result.status)).toEqual(['rejected', 'rejected'])
    expect({ values: valuesOf(log), producers: log.activeProducers(), files: segmentsOf() }).toEqual(before)
    await expect(log.appendAsFollower(next())).rejects.toMatchObject(refused)
    await makeRoom()
    sequence = lost
    expect((await log.appendAsLeader(next(), 2)).baseOffset).toBe(count)
    await log.appendAsLeader(next(), 2)
    expect(valuesOf(log)).toHaveLength(count + 2)
    await manager.close()
    manager = await openLogs('/logs', disk, { clock })
    log = manager.get('t', 0)!
    expect(valuesOf(log)).toHaveLength(count + 2)
    expect(log.firstUnstableOffset).toBe(0)
  },
)

const segmentsOf = (): unknown => log.segments().map(({ baseOffset, sizeBytes }) => [baseOffset, sizeBytes])

test('a marker that finds no space ends no transaction', async () => {
  await log.appendAsLeader(next(), 1)
  disk.isFull = true
  const aborted = log.appendAsLeader(marker('abort', { producerId: 7 }), 1, { origin: 'coordinator' })
  await expect(aborted).rejects.toMatchObject(refused)
  expect(log.firstUnstableOffset).toBe(0)
  expect(log.abortedTransactions(0, 10)).toEqual([])
  await makeRoom()
})
