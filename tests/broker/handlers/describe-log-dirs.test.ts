import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { describeLogDirs } from '../../../broker/handlers/describe-log-dirs.ts'
import { metadata } from '../../../broker/handlers/metadata.ts'
import { errorName } from '../../../broker/protocol/errors.ts'
import { FaultyFiles } from '../../support/faulty-files.ts'
import { type OneBrokerParts, openParts } from '../../support/one-broker-parts.ts'
import { batchOfTexts } from '../../support/records.ts'
import { waitUntil } from '../../support/wait-until.ts'

let directory: string
let dirs: [string, string]
let files: FaultyFiles
let parts: OneBrokerParts

const open = (): Promise<OneBrokerParts> =>
  openParts({ directory, files, withController: true, settings: { 'log.dirs': dirs.join(',') } })

beforeEach(async () => {
  directory = mkdtempSync(path.join(os.tmpdir(), 'log-dirs-'))
  dirs = [path.join(directory, 'a'), path.join(directory, 'b')]
  files = new FaultyFiles()
  parts = await open()
  await parts.createTopic('orders', 3)
  await append(0)
})

afterEach(async () => {
  files.heal()
  await parts.close()
  rmSync(directory, { recursive: true, force: true })
})

const append = (index: number): Promise<unknown> =>
  parts.partition('orders', index).append(batchOfTexts(['a record']), { acks: -1, timeoutMs: 1000 })

async function describeDirs(topics: { topic: string; partitions: number[] }[] | null = null) {
  const response = await describeLogDirs({ topics }, parts.context(5))
  expect(response).toMatchObject({ throttleTimeMs: 0, errorCode: 0 })
  return response!.results
}

/** The directory of a partition that is served. */
const dirOf = (index: number): string => path.dirname(parts.logs.get('orders', index)!.directory)

const partitionsOf = ({ topics }: Awaited<ReturnType<typeof describeDirs>>[number]) =>
  topics.flatMap(({ partitions }) => partitions)

test('tells of every directory in the order of log.dirs, with its space and what lies in it', async () => {
  const results = await describeDirs()
  expect(results.map(({ errorCode, logDir }) => [errorName(errorCode), logDir])).toEqual([
    ['NONE', dirs[0]],
    ['NONE', dirs[1]],
  ])
  for (const { totalBytes, usableBytes } of results) {
    expect(usableBytes).toBeGreaterThan(0)
    expect(totalBytes).toBeGreaterThan(usableBytes!)
  }
  expect(results.map((result) => partitionsOf(result).length)).toEqual([2, 1])
  const all = results.flatMap(partitionsOf).toSorted((a, b) => a.partitionIndex - b.partitionIndex)
  const { sizeBytes } = parts.partition('orders').log
  expect(sizeBytes).toBeGreaterThan(70)
  expect(all).toEqual([
    { partitionIndex: 0, partitionSize: sizeBytes, offsetLag: 0, isFutureKey: false },
    { partitionIndex: 1, partitionSize: 0, offsetLag: 0, isFutureKey: false },
    { partitionIndex: 2, partitionSize: 0, offsetLag: 0, isFutureKey: false },
  ])
})

test('tells of the partitions that are asked for, and of directories without any', async () => {
  const results = await describeDirs([
    { topic: 'orders', partitions: [2, 7] },
    { topic: 'unknown', partitions: [0] },
  ])
  expect(results).toHaveLength(2)
  expect(results.flatMap(partitionsOf).map(({ partitionIndex }) => partitionIndex)).toEqual([2])
})

test('a directory that failed has an error, and its partitions are offline while others are served', async () => {
  const failed = dirOf(0)
  const served = [1, 2].find((index) => dirOf(index) !== failed)!
  files.fail(failed, 'EIO')
  await expect(append(0)).rejects.toMatchObject({ error: 'KAFKA_STORAGE_ERROR' })
  const results = await describeDirs()
  const result = results.find(({ logDir }) => logDir === failed)
  expect(result).toEqual({ errorCode: 56, logDir: failed, topics: [] })
  expect(() => parts.partition('orders')).toThrow(expect.objectContaining({ error: 'KAFKA_STORAGE_ERROR' }))
  await append(served)

  await waitUntil(
    () => parts.metadata.image.brokers.get(1)!.offlineReplicas.size > 0,
    'the registration tells what is offline',
  )
  const request = { topics: [{ topicId: 'AAAAAAAAAAAAAAAAAAAAAA', name: 'orders' }] }
  const described = await metadata(
    {
      ...request,
      allowAutoTopicCreation: false,
      includeClusterAuthorizedOperations: false,
      includeTopicAuthorizedOperations: false,
    },
    parts.context(12, { departed: { recent: () => [] } as never }),
  )
  const offline = described!.topics[0]!.partitions.filter(
    ({ offlineReplicas }) => offlineReplicas!.length > 0,
  )
  expect(offline.map(({ partitionIndex }) => partitionIndex)).toEqual(
    [0, 1, 2].filter((index) => index !== served),
  )
})

test('what a directory must hold that cannot be opened at the start is offline, and is not made anew', async () => {
  const failed = dirOf(0)
  await parts.close()
  files.fail(failed, 'EIO')
  parts = await open()
  expect(() => parts.partition('orders')).toThrow(expect.objectContaining({ error: 'KAFKA_STORAGE_ERROR' }))
  await parts.createTopic('later', 2)
  files.heal()
  await parts.close()
  parts = await open()
  await waitUntil(() => parts.replicas.partition('orders', 0)?.isLeader === true, 'it is led again')
  expect(parts.partition('orders').log.logEndOffset).toBe(1)
  expect(parts.metadata.image.brokers.get(1)!.offlineReplicas.size).toBe(0)
})
