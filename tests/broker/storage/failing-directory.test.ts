/** Logs on disks that fail or fill up in the middle of things. */
import { mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { encodeBatch } from '../../../broker/protocol/record-codec.ts'
import type { DirectoryLoss } from '../../../broker/storage/directory-view.ts'
import type { LogManager, LogManagerOptions } from '../../../broker/storage/log-manager.ts'
import type { PartitionLog } from '../../../broker/storage/partition-log.ts'
import { FaultyFiles, type Operation } from '../../support/faulty-files.ts'
import {
  clientBatch,
  openLogs,
  smallSegments,
  storageConfig,
  TOPIC_ID,
  valuesOf,
} from '../../support/log-scene.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { settle } from '../../support/replication-scene.ts'
import { tempFolder } from '../../support/temp-folder.ts'

const newPath = tempFolder()
const topicConfig = storageConfig.topic(new Map())

let files: FaultyFiles
let clock: ManualClock
let dirs: [string, string]
let logs: LogManager
let losses: DirectoryLoss[]
let freeBytes: number

async function open(more: Partial<LogManagerOptions> = {}): Promise<LogManager> {
  const measure = () => Promise.resolve({ fileSystem: 'x', totalBytes: 2 ** 40, usableBytes: freeBytes })
  const opened = await openLogs('', files, { dirs, clock, measure, ...more })
  opened.onOffline((loss) => losses.push(loss))
  return opened
}

beforeEach(async () => {
  files = new FaultyFiles()
  clock = new ManualClock()
  const root = newPath('disks')
  mkdirSync(root)
  dirs = [path.join(root, 'a'), path.join(root, 'b')]
  losses = []
  freeBytes = 2 ** 40
  logs = await open()
})

afterEach(async () => {
  files.heal()
  await logs.close()
})

const create = (partition: number, config = topicConfig): Promise<PartitionLog> =>
  logs.create('t', partition, TOPIC_ID, config)

const append = (log: PartitionLog, ...values: string[]) => log.appendAsLeader(clientBatch(values), 0)

function sequenced(value: string, baseSequence: number): Buffer {
  const record = { timestamp: 1_700_000_000_000, key: null, value: Buffer.from(value) }
  return encodeBatch([record], { producerId: 7, producerEpoch: 0, baseSequence })
}

const texts = (log: PartitionLog): string[] => valuesOf(log).map(({ value }) => value)

const STORAGE_ERROR = expect.objectContaining({ error: 'KAFKA_STORAGE_ERROR' })

/** Space has come back, and was measured. */
async function spaceReturns(): Promise<void> {
  files.heal()
  clock.advance(10_000)
  await settle()
}

describe('a disk that fills up', () => {
  test('refuses the append whole, leaves the file as it was, and takes appends again when there is space', async () => {
    const log = await create(0)
    await append(log, 'kept')
    const file = path.join(log.directory, '00000000000000000000.log')
    const before = statSync(file).size
    files.limitSpace(log.directory, 30)
    await expect(append(log, 'too much')).rejects.toEqual(STORAGE_ERROR)
    expect(statSync(file).size).toBe(before)
    await expect(append(log, 'too soon')).rejects.toEqual(STORAGE_ERROR)
    await expect(log.appendAsFollower(clientBatch(['too soon']))).rejects.toEqual(STORAGE_ERROR)
    expect(texts(log)).toEqual(['kept'])
    await spaceReturns()
    expect((await append(log, 'after')).baseOffset).toBe(1)
    expect(losses).toEqual([])
    await logs.close()
    logs = await open()
    expect(texts(logs.get('t', 0)!)).toEqual(['kept', 'after'])
  })

  test('a refused batch of an idempotent producer counts as never seen', async () => {
    const log = await create(0)
    await log.appendAsLeader(sequenced('0', 0), 0)
    files.limitSpace(log.directory, 30)
    await expect(log.appendAsLeader(sequenced('1', 1), 0)).rejects.toEqual(STORAGE_ERROR)
    await spaceReturns()
    expect(await log.appendAsLeader(sequenced('1', 1), 0)).toMatchObject({ baseOffset: 1, duplicate: false })
    expect(await log.appendAsLeader(sequenced('1', 1), 0)).toMatchObject({ baseOffset: 1, duplicate: true })
    expect(texts(log)).toEqual(['0', '1'])
  })

  test('appends that arrive together are refused together', async () => {
    const log = await create(0)
    files.limitSpace(log.directory, 100)
    const results = await Promise.allSettled([append(log, 'a'), append(log, 'b'), append(log, 'c')])
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
    expect(log.logEndOffset).toBe(0)
  })

  test('wherever the space ends, whatever was acknowledged is there and nothing else', async () => {
    for (let bytes = 0; bytes < 1200; bytes += 37) {
      const partition = bytes
      const log = await create(partition, smallSegments)
      files.limitSpace(log.directory, bytes)
      const acknowledged: string[] = []
      for (let index = 0; index < 20; index += 1) {
        const value = `value ${index}`
        await append(log, value).then(
          () => acknowledged.push(value),
          () => {},
        )
        if (log.logEndOffset !== acknowledged.length)
          throw new Error(`${log.logEndOffset} after ${bytes} bytes`)
      }
      await spaceReturns()
      expect(losses).toEqual([])
      await append(log, 'after')
      expect(texts(log)).toEqual([...acknowledged, 'after'])
    }
    const expected = [...logs.logs()].map((log) => [log.partition, texts(log)])
    await logs.close()
    logs = await open()
    expect([...logs.logs()].map((log) => [log.partition, texts(log)])).toEqual(
      expect.arrayContaining(expected),
    )
  })

  test('below the reserve only records of clients are refused', async () => {
    const log = await create(0)
    freeBytes = -1
    clock.advance(10_000)
    await settle()
    await expect(append(log, 'client')).rejects.toEqual(STORAGE_ERROR)
    await log.appendAsLeader(clientBatch(['coordinator']), 0, { origin: 'coordinator' })
    expect(texts(log)).toEqual(['coordinator'])
    expect(losses).toEqual([])
  })

  test('a partition that cannot be made leaves nothing behind', async () => {
    files.limitSpace(path.dirname(dirs[0]), 0)
    await expect(create(0)).rejects.toEqual(STORAGE_ERROR)
    expect(dirs.flatMap((dir) => readdirSync(dir).filter((name) => name.startsWith('t-')))).toEqual([])
    await spaceReturns()
    await append(await create(0), 'made')
  })
})

describe('a disk that fails', () => {
  const broken: [what: string, code: string, operations: Operation[], act: (log: PartitionLog) => unknown][] =
    [
      ['writing', 'EIO', ['write'], (log) => append(log, 'x')],
      ['writing, being read-only', 'EROFS', ['write'], (log) => append(log, 'x')],
      [
        'writing, and then cutting off what was written',
        'ENOSPC',
        ['write', 'truncate'],
        (log) => append(log, 'x'),
      ],
      ['reading', 'EIO', ['read'], async (log) => log.read(0, 1000, { upTo: 1, minOneBatch: true })],
      ['syncing', 'EIO', ['sync'], (log) => log.flush()],
      ['syncing for want of space', 'ENOSPC', ['sync'], (log) => log.flush()],
    ]

  test.each(broken)('%s: its directory goes offline alone', async (_what, code, operations, act) => {
    const [first, second] = [await create(0), await create(1)]
    await append(first, 'one')
    files.fail(path.dirname(first.directory), code, operations)
    await expect(act(first)).rejects.toEqual(STORAGE_ERROR)
    expect(losses).toEqual([{ directory: path.dirname(first.directory), logs: [first], remaining: 1 }])
    expect(logs.get('t', 0)).toBeUndefined()
    await append(second, 'two')
    expect(path.dirname((await create(2)).directory)).toBe(path.dirname(second.directory))
    await expect(append(first, 'three')).rejects.toEqual(STORAGE_ERROR)
    const online = (await logs.describe()).filter(({ isOnline }) => isOnline)
    expect(online.map((directory) => directory.path)).toEqual([path.dirname(second.directory)])
  })

  test('what was acknowledged is there when the disk is good again at the next start', async () => {
    const log = await create(0)
    await append(log, 'one')
    files.fail(path.dirname(log.directory), 'EIO')
    await expect(append(log, 'two')).rejects.toEqual(STORAGE_ERROR)
    await logs.close()
    files.heal()
    logs = await open()
    expect(texts(logs.get('t', 0)!)).toEqual(['one'])
  })
})

describe('at the start', () => {
  beforeEach(async () => {
    await append(await create(0), 'one')
    await append(await create(1), 'two')
    await logs.close()
  })

  test.each([
    ['cannot be read', 'EIO', undefined],
    ['is read-only', 'EROFS', ['write', 'remove', 'rename'] as const],
    ['has a file that cannot be read', 'EIO', ['read'] as const],
  ])('a directory that %s is offline, and the others serve', async (_what, code, operations) => {
    files.fail(dirs[0], code, operations)
    logs = await open()
    expect(logs.offlineAtStart).toEqual([dirs[0]])
    expect((await logs.describe()).map(({ isOnline }) => isOnline)).toEqual([false, true])
    const served = [...logs.logs()]
    expect(served.map(({ directory }) => path.dirname(directory))).toEqual([dirs[1]])
    await append(served[0]!, 'three')
    files.heal()
    await logs.close()
    logs = await open()
    expect([...logs.logs()].flatMap(texts).toSorted()).toEqual(['one', 'three', 'two'])
  })

  describe('a directory that is empty all of a sudden', () => {
    const soleReplicas = () => [0, 1].map((partition) => ({ topic: 't', partition }))

    beforeEach(() => rmSync(dirs[0], { recursive: true }))

    test('is offline when nobody else has what is missing: its file system is not mounted', async () => {
      logs = await open({ soleReplicas })
      expect(logs.offlineAtStart).toEqual([dirs[0]])
      expect(logs.healths[0]!.offlineReason).toContain('1 partitions that only this broker has (t-')
      await logs.close()
      writeFileSync(path.join(dirs[0], 'meta.properties'), 'version=1\n')
      logs = await open({ soleReplicas })
      expect(logs.offlineAtStart).toEqual([])
    })

    test('is used when others have what is missing', async () => {
      logs = await open({ soleReplicas: () => [] })
      expect(logs.offlineAtStart).toEqual([])
    })
  })

  test('without any directory left, the broker does not start, and says why', async () => {
    files.fail(path.dirname(dirs[0]), 'EIO')
    await expect(open()).rejects.toThrow(
      `no log directory can be used: ${dirs[0]} is offline since ${dirs[0]} failed: EIO`,
    )
    files.heal()
    logs = await open()
    expect(logs.offlineAtStart).toEqual([])
  })
})
