import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { alterReplicaLogDirs } from '../../../broker/handlers/alter-replica-log-dirs.ts'
import { describeLogDirs } from '../../../broker/handlers/describe-log-dirs.ts'
import { errorName } from '../../../broker/protocol/errors.ts'
import { FaultyFiles } from '../../support/faulty-files.ts'
import { valuesOf } from '../../support/log-scene.ts'
import { type OneBrokerParts, openParts } from '../../support/one-broker-parts.ts'
import { batchOfTexts } from '../../support/records.ts'
import { waitUntil } from '../../support/wait-until.ts'

let directory: string
let dirs: [string, string]
let files: FaultyFiles
let parts: OneBrokerParts

const open = (folder = directory): Promise<OneBrokerParts> =>
  openParts({ directory: folder, files, withController: true, settings: { 'log.dirs': dirs.join(',') } })

beforeEach(async () => {
  directory = mkdtempSync(path.join(os.tmpdir(), 'move-'))
  dirs = [path.join(directory, 'a'), path.join(directory, 'b')]
  files = new FaultyFiles()
  parts = await open()
  await parts.createTopic('orders')
  await append('first', 'second')
})

afterEach(async () => {
  files.heal()
  await parts.close()
  rmSync(directory, { recursive: true, force: true })
})

const append = (...texts: string[]): Promise<unknown> =>
  parts.partition('orders').append(batchOfTexts(texts), { acks: -1, timeoutMs: 1000 })

const dirOf = (topic = 'orders'): string => path.dirname(parts.logs.get(topic, 0)!.directory)
const otherDir = (): string => dirs.find((dir) => dir !== dirOf())!
const texts = (): string[] => valuesOf(parts.partition('orders').log).map(({ value }) => value)
const entries = (dir: string): string[] => readdirSync(dir).filter((name) => name.startsWith('orders-0'))

/** The error for one partition. */
async function alter(target: string, topic = 'orders', partition = 0): Promise<string> {
  const request = { dirs: [{ path: target, topics: [{ name: topic, partitions: [partition] }] }] }
  const response = await alterReplicaLogDirs(request, parts.context(2))
  expect(response!.results).toEqual([
    { topicName: topic, partitions: [{ partitionIndex: partition, errorCode: expect.any(Number) }] },
  ])
  return errorName(response!.results[0]!.partitions[0]!.errorCode)
}

/** Where the partition and its copy lie, as a client is told. */
async function described(): Promise<{ dir: string; offsetLag: number; isFutureKey: boolean }[]> {
  const response = await describeLogDirs({ topics: null }, parts.context(5))
  return response!.results.flatMap(({ logDir, topics }) =>
    topics.flatMap(({ partitions }) =>
      partitions.map(({ offsetLag, isFutureKey }) => ({ dir: logDir, offsetLag, isFutureKey })),
    ),
  )
}

/** Begins a move that stays on the way until `files.heal`. */
async function beginMove(): Promise<{ from: string; to: string }> {
  const [from, to] = [dirOf(), otherDir()]
  expect(await alter(to)).toBe('NONE')
  files.holdSyncs(to)
  const future = (): number | undefined => parts.logs.moves.future('orders', 0)?.log.logEndOffset
  await waitUntil(() => future() === parts.partition('orders').log.logEndOffset, 'the copy has everything')
  return { from, to }
}

const untilMovedTo = (to: string): Promise<void> => waitUntil(() => dirOf() === to, 'the replica is moved')

test('moves a replica that is written and read meanwhile, and serves it from there', async () => {
  const { from, to } = await beginMove()
  await append('third')
  expect(await described()).toEqual(
    expect.arrayContaining([
      { dir: from, offsetLag: 0, isFutureKey: false },
      { dir: to, offsetLag: 1, isFutureKey: true },
    ]),
  )
  expect(entries(to)).toEqual([expect.stringMatching(/^orders-0\.[0-9a-f]{32}-future$/)])
  files.heal()
  const writes = Array.from({ length: 50 }, (_, index) => append(`write ${index}`))
  await untilMovedTo(to)
  await Promise.all(writes)
  await append('last')
  const all = ['first', 'second', 'third', ...writes.map((_, index) => `write ${index}`), 'last']
  expect(texts()).toEqual(all)
  expect(parts.partition('orders').highWatermark).toBe(all.length)
  await waitUntil(() => entries(from).every((name) => name.endsWith('-delete')), 'the former log is renamed')
  expect(entries(to)).toEqual(['orders-0'])
  expect(await described()).toEqual([{ dir: to, offsetLag: 0, isFutureKey: false }])
  await parts.close()
  parts = await open()
  await waitUntil(() => parts.replicas.partition('orders', 0)?.isLeader === true, 'it is led again')
  expect([dirOf(), texts()]).toEqual([to, all])
})

test('a log that is cut or begins later while it is copied', async () => {
  const { to } = await beginMove()
  const { log } = parts.partition('orders')
  await log.truncateTo(0)
  await log.appendAsLeader(batchOfTexts(['instead', 'of', 'these']), 7)
  await log.raiseLogStartOffset(1)
  files.heal()
  await untilMovedTo(to)
  expect(texts()).toEqual(['of', 'these'])
  expect(parts.partition('orders').log.logStartOffset).toBe(1)
})

test('is given up when the present directory is named', async () => {
  const { from, to } = await beginMove()
  const back = alter(from)
  files.heal()
  expect(await back).toBe('NONE')
  expect(entries(to).filter((name) => !name.endsWith('-delete'))).toEqual([])
  await append('third')
  expect([dirOf(), texts()]).toEqual([from, ['first', 'second', 'third']])
})

test('goes on after a restart', async () => {
  const { to } = await beginMove()
  const saved = path.join(directory, 'saved')
  for (const dir of dirs) cpSync(dir, path.join(saved, path.basename(dir)), { recursive: true })
  files.heal()
  await parts.close()
  for (const dir of dirs) {
    rmSync(dir, { recursive: true })
    cpSync(path.join(saved, path.basename(dir)), dir, { recursive: true })
  }
  parts = await open()
  await waitUntil(() => parts.replicas.partition('orders', 0)?.isLeader === true, 'it is led again')
  await untilMovedTo(to)
  expect(texts()).toEqual(['first', 'second'])
})

describe.each([0, 1])('a broker that died while the copy of directory %i took over', (at) => {
  let from: string
  let to: string

  /** Both are there, each complete, and the former one knows where its copy is. */
  beforeEach(async () => {
    if (dirOf() !== dirs[at]) {
      expect(await alter(dirs[at]!)).toBe('NONE')
      await untilMovedTo(dirs[at]!)
    }
    ;[from, to] = [dirOf(), otherDir()]
    await parts.close()
    cpSync(path.join(from, 'orders-0'), path.join(to, 'orders-0'), { recursive: true })
    writeFileSync(path.join(from, 'orders-0', 'moving-to'), to)
  })

  const reopened = async (): Promise<void> => {
    parts = await open()
    await waitUntil(() => parts.replicas.partition('orders', 0)?.isLeader === true, 'it is led again')
  }

  test('serves the copy, and removes the former log', async () => {
    await reopened()
    expect([dirOf(), texts()]).toEqual([to, ['first', 'second']])
    expect(entries(from).filter((name) => !name.endsWith('-delete'))).toEqual([])
  })

  test('serves the former log when the copy has not got its name', async () => {
    rmSync(path.join(to, 'orders-0'), { recursive: true })
    await reopened()
    expect([dirOf(), texts()]).toEqual([from, ['first', 'second']])
    expect(existsSync(path.join(from, 'orders-0', 'moving-to'))).toBe(false)
  })

  test('serves neither while the directory of the copy is offline', async () => {
    files.fail(to, 'EIO')
    parts = await open()
    expect(() => parts.partition('orders')).toThrow(expect.objectContaining({ error: 'KAFKA_STORAGE_ERROR' }))
    await parts.close()
    files.heal()
    await reopened()
    expect(dirOf()).toBe(to)
  })

  test('does not start with two logs of which none says that it was replaced', async () => {
    rmSync(path.join(from, 'orders-0', 'moving-to'))
    await expect(open()).rejects.toThrow('hold the same partition: move one of them out of log.dirs')
    rmSync(path.join(to, 'orders-0'), { recursive: true })
    await reopened()
  })

  test('removes of two logs the one that never held a record', async () => {
    rmSync(path.join(from, 'orders-0', 'moving-to'))
    rmSync(path.join(to, 'orders-0'), { recursive: true })
    mkdirSync(path.join(to, 'orders-0'))
    await reopened()
    expect([dirOf(), texts()]).toEqual([from, ['first', 'second']])
  })
})

test('a copy that nothing can come of is removed at the start', async () => {
  const name = `gone-0.${'0'.repeat(32)}-future`
  await parts.close()
  mkdirSync(path.join(dirs[0], name))
  parts = await open()
  expect(readdirSync(dirs[0]).filter((entry) => entry.startsWith('gone'))).toEqual([
    expect.stringMatching(/-delete$/),
  ])
})

describe('refuses', () => {
  test('a directory that is not one of log.dirs', async () => {
    expect(await alter('/elsewhere')).toBe('LOG_DIR_NOT_FOUND')
    expect(await alter(`${otherDir()}/`)).toBe('LOG_DIR_NOT_FOUND')
  })

  test('a directory that is offline, and a replica in one', async () => {
    const [from, to] = [dirOf(), otherDir()]
    files.fail(from, 'EIO')
    await expect(append('x')).rejects.toMatchObject({ error: 'KAFKA_STORAGE_ERROR' })
    expect(await alter(from)).toBe('KAFKA_STORAGE_ERROR')
    expect(await alter(to)).toBe('KAFKA_STORAGE_ERROR')
  })

  test('a topic whose name leaves no room for that of a copy', async () => {
    expect(await alter(otherDir(), 'x'.repeat(220))).toBe('INVALID_TOPIC_EXCEPTION')
  })

  test('a partition that the cluster does not have', async () => {
    expect(await alter(otherDir(), 'unknown')).toBe('UNKNOWN_TOPIC_OR_PARTITION')
    expect(await alter(otherDir(), 'orders', 7)).toBe('UNKNOWN_TOPIC_OR_PARTITION')
    expect(await alter(otherDir(), 'orders', -1)).toBe('UNKNOWN_TOPIC_OR_PARTITION')
  })
})

test('a replica that is not here yet is made in the directory that was named for it', async () => {
  for (const index of [0, 1, 2]) {
    parts.logs.moves.prefer(`later-${index}`, 0, dirs[1])
    await parts.createTopic(`later-${index}`)
    expect(dirOf(`later-${index}`)).toBe(dirs[1])
  }
})

test('of two directories for one replica the last counts', async () => {
  const [from, to] = [dirOf(), otherDir()]
  const topics = [{ name: 'orders', partitions: [0] }]
  const request = {
    dirs: [
      { path: to, topics },
      { path: from, topics },
    ],
  }
  const response = await alterReplicaLogDirs(request, parts.context(2))
  expect(response!.results).toEqual([
    { topicName: 'orders', partitions: [{ partitionIndex: 0, errorCode: 0 }] },
  ])
  expect(parts.logs.moves.future('orders', 0)).toBeUndefined()
  expect(dirOf()).toBe(from)
})

test('a copy whose directory fails is given up, and the log goes on', async () => {
  const { from, to } = await beginMove()
  files.heal()
  files.fail(to, 'EIO')
  await waitUntil(() => parts.logs.moves.future('orders', 0) === undefined, 'the move is over')
  await append('third')
  expect([dirOf(), texts()]).toEqual([from, ['first', 'second', 'third']])
  expect(existsSync(path.join(from, 'orders-0', 'moving-to'))).toBe(false)
})
