/** Whose records a log directory holds: what is written, what is refused, and what the error tells. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { MetaPropertiesError, readMetaProperties } from '../../../broker/storage/meta-properties.ts'
import { CLUSTER_ID, openLogs } from '../../support/log-scene.ts'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'brokerkit-meta-'))
})

afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

function directories(...contents: (string | undefined)[]): string[] {
  return contents.map((content, index) => {
    const directory = path.join(folder, `logs-${index}`)
    mkdirSync(directory)
    if (content !== undefined) writeFileSync(path.join(directory, 'meta.properties'), content)
    return directory
  })
}

function v1(clusterId: string, nodeId = 1): string {
  return `#\n#Sat Nov 21 10:00:00 UTC 2026\ncluster.id=${clusterId}\nversion=1\ndirectory.id=QTNBvIDGT1CpWaw8wVBGqw\nnode.id=${nodeId}\n`
}

async function start(dirs: string[], knowsTopic?: (topicId: string) => boolean): Promise<void> {
  const manager = await openLogs(dirs[0]!, undefined, {
    dirs,
    ...(knowsTopic === undefined ? {} : { knowsTopic }),
  })
  await manager.close()
}

async function refusal(dirs: string[], knowsTopic?: (topicId: string) => boolean): Promise<string> {
  const error: unknown = await start(dirs, knowsTopic).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(MetaPropertiesError)
  return (error as Error).message
}

test('the first start writes the file, the second accepts it', async () => {
  const dirs = directories(undefined)
  await start(dirs)
  expect(readMetaProperties(dirs[0]!)).toEqual({
    version: 1,
    clusterId: CLUSTER_ID,
    nodeId: 1,
    directoryId: expect.stringMatching(/^[\w-]{22}$/),
  })
  const written = readFileSync(path.join(dirs[0]!, 'meta.properties'), 'utf8')
  await start(dirs)
  expect(readFileSync(path.join(dirs[0]!, 'meta.properties'), 'utf8')).toBe(written)
})

test("both of Kafka's versions are accepted", async () => {
  const dirs = directories(v1(CLUSTER_ID), `version=0\nbroker.id=1\ncluster.id=${CLUSTER_ID}\n`)
  await start(dirs)
  expect(dirs.map((directory) => readMetaProperties(directory)?.version)).toEqual([1, 0])
})

test('a commented-out cluster id is filled in, the rest kept', async () => {
  const dirs = directories(v1(CLUSTER_ID).replace('cluster.id', '#cluster.id'))
  await start(dirs)
  expect(readMetaProperties(dirs[0]!)).toEqual({
    version: 1,
    clusterId: CLUSTER_ID,
    nodeId: 1,
    directoryId: 'QTNBvIDGT1CpWaw8wVBGqw',
  })
})

test('another cluster: which file, both ids, the recovery command', async () => {
  const dirs = directories(v1('another-cluster-id-abc'))
  const message = await refusal(dirs)
  expect(message).toContain(`${dirs[0]}/meta.properties has cluster.id=another-cluster-id-abc`)
  expect(message).toContain(CLUSTER_ID)
  expect(message).toContain('npm run provision -- recover-meta --node 1')
  expect(message).toContain('Likely wrong: quorum.connect, ')
  expect(readMetaProperties(dirs[0]!)?.clusterId).toBe('another-cluster-id-abc')
})

test('partitions of topics that the quorum knows say which one is likely wrong', async () => {
  const dirs = directories(v1('another-cluster-id-abc'), v1('another-cluster-id-abc'))
  for (const [name, id] of [
    ['a-0', 'AbcdefghijklmnopqrstuQ'],
    ['b-0', 'BbcdefghijklmnopqrstuQ'],
  ] as const) {
    mkdirSync(path.join(dirs[0]!, name))
    writeFileSync(path.join(dirs[0]!, name, 'partition.metadata'), `version: 0\ntopic_id: ${id}`)
  }
  expect(await refusal(dirs, (id) => id.startsWith('A'))).toMatch(
    /Likely wrong: this file, because 1 of 2 partitions here belong to topics that this quorum knows/,
  )
  expect(await refusal(dirs, () => false)).toMatch(
    /Likely wrong: quorum\.connect.*None of the 2 partitions here/,
  )
})

test('the majority of the directories says which one is likely wrong', async () => {
  const oneForeign = directories(v1(CLUSTER_ID), v1('another-cluster-id-abc'), v1(CLUSTER_ID))
  expect(await refusal(oneForeign)).toMatch(/logs-1.*Likely wrong: log\.dirs, .* 2 of 3/)
  rmSync(folder, { recursive: true })
  mkdirSync(folder)
  const allForeign = directories(v1('another-cluster-id-abc'), v1('another-cluster-id-abc'))
  expect(await refusal(allForeign)).toMatch(/Likely wrong: quorum\.connect, .* because 2 of 2/)
})

test('another node', async () => {
  expect(await refusal(directories(v1(CLUSTER_ID, 3)))).toMatch(/belongs to node 3, .* node\.id=1/)
})

test.each([
  ['empty', '', /is empty/],
  ['without a version', `cluster.id=${CLUSTER_ID}\n`, /no version/],
  ['of an unknown version', 'version=7\n', /version=7, expected 0 or 1/],
  ['with a node id that is no number', 'version=1\nnode.id=one\n', /node\.id=one/],
])('a file %s', async (_what, content, message) => {
  expect(await refusal(directories(content))).toMatch(message)
})

test('a second broker on the same directory is told who has it, and the first goes on', async () => {
  const dirs = directories(undefined)
  const first = await openLogs(dirs[0]!)
  await expect(openLogs(dirs[0]!)).rejects.toThrow(`${dirs[0]} is in use by another broker in this process`)
  await first.close()
  await start(dirs)
})
