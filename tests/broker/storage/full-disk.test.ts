/** Brokers on small real file systems, filled up by a client that writes without a pause, or turned read-only. */
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { DescribeLogDirs } from '../../../broker/protocol/apis/describe-log-dirs.ts'
import { FindCoordinator } from '../../../broker/protocol/apis/find-coordinator.ts'
import { OffsetCommit } from '../../../broker/protocol/apis/offset-commit.ts'
import { Produce } from '../../../broker/protocol/apis/produce.ts'
import { errorName } from '../../../broker/protocol/errors.ts'
import { ext4Disks, tmpfsDisks } from '../../setup/small-disks.ts'
import { Ledger } from '../../support/ledger.ts'
import { batchOfTexts } from '../../support/records.ts'
import { describeWith } from '../../support/requires.ts'
import { type DiskKind, mountDisk, type SmallDisk } from '../../support/small-disk.ts'
import { type BrokerProcess, startBroker } from '../../support/start-broker.ts'
import { tempFolder } from '../../support/temp-folder.ts'
import { waitUntil } from '../../support/wait-until.ts'
import { WireClient } from '../../support/wire-client.ts'

const TOPIC = 'ledger'
const DISK_MIB = 80
const BALLAST_MIB = 24
const RESERVE_MIB = 16
const MiB = 1024 ** 2
const VALUE_BYTES = 16 * 1024
const TIMEOUT_MS = 60_000
const newPath = tempFolder()

let folder: string
let disk: SmallDisk
let broker: BrokerProcess
let client: WireClient

async function mountIn(kind: DiskKind, sizeMiB: number): Promise<void> {
  folder = newPath('broker')
  mkdirSync(folder)
  disk = await mountDisk({ kind, folder, sizeMiB })
}

async function start(overrides: Record<string, string>): Promise<void> {
  const port = broker?.folder === folder ? { port: broker.port } : {}
  broker = await startBroker({
    folder,
    overrides: { 'quorum.session.timeout.ms': '1000', ...overrides },
    ...port,
  })
  client ??= new WireClient([broker.address])
}

async function stop(): Promise<void> {
  await client.close()
  await broker.end('SIGKILL')
  await disk.unmount()
  client = undefined!
}

/** What a client is told that sends one record: the name of the error and its message. */
async function send(topic: string, index: number): Promise<string> {
  const { responses } = await client.send(broker.address, Produce, 9, {
    acks: -1,
    timeoutMs: 5000,
    topicData: [{ name: topic, partitionData: [{ index, records: batchOfTexts(['one more']) }] }],
  })
  const { errorCode, errorMessage } = responses[0]!.partitionResponses[0]!
  return `${errorName(errorCode)}: ${errorMessage ?? ''}`
}

/** Writes a record to the topic of the brokers' own: the committed offset of a group. */
async function commitOffset(): Promise<void> {
  await waitUntil(async () => {
    const found = await client.send(broker.address, FindCoordinator, 4, {
      keyType: 0,
      coordinatorKeys: ['g'],
    })
    if (found.coordinators[0]!.errorCode !== 0) return false
    const committed = await client.send(broker.address, OffsetCommit, 8, {
      groupId: 'g',
      memberId: '',
      topics: [
        { name: TOPIC, partitions: [{ partitionIndex: 0, committedOffset: 1, committedMetadata: '' }] },
      ],
    })
    return committed.topics[0]!.partitions[0]!.errorCode === 0
  }, 'an offset is committed')
}

function fillsUp(kind: DiskKind): void {
  /** Fills the disk until a client is told `refusal`, and gives space back; what was acknowledged, and what is there. */
  async function fill(
    settings: Record<string, string>,
    refusal: string,
    whileFull: () => Promise<void>,
  ): Promise<{ acknowledged: readonly string[]; found: readonly string[] }> {
    const overrides = { 'log.dirs': disk.path, 'log.segment.bytes': String(4 * MiB), ...settings }
    await disk.takeUp(BALLAST_MIB)
    await start(overrides)
    await client.createTopic(TOPIC, { replicationFactor: 1 })
    await client.createTopic('other', { replicationFactor: 1 })
    const ledger = await Ledger.open([broker.address], TOPIC, VALUE_BYTES)
    ledger.startWriting()
    await waitUntil(async () => (await send('other', 0)).includes(refusal), refusal, 30_000)
    const before = ledger.acknowledged.length
    expect(before).toBeGreaterThan(500)
    await whileFull()
    expect(await client.readAll(TOPIC, 0)).toEqual(ledger.acknowledged.slice(0, before))
    disk.giveBack()
    await waitUntil(() => ledger.acknowledged.length > before, 'records are taken again', 15_000)
    await ledger.close()
    expect(ledger.failedSends).toBe(0)
    expect(broker.logged('log directory taken offline')).toEqual([])
    await broker.end('SIGKILL')
    await start(overrides)
    const found = await client.readAll(TOPIC, 0)
    expect((await broker.end('SIGTERM')).code).toBe(0)
    return { acknowledged: ledger.acknowledged, found }
  }

  beforeEach(() => mountIn(kind, DISK_MIB), TIMEOUT_MS)
  afterEach(stop, TIMEOUT_MS)

  test(
    'below the reserve records are refused, all else goes on, and they are taken again when there is space',
    async () => {
      const reserve = { 'disk.reserve.percent': '5', 'disk.reserve.min.bytes': String(RESERVE_MIB * MiB) }
      const BELOW = 'free space is below the reserve: records of clients are refused'
      const ABOVE = 'free space is above the reserve again: records of clients are taken'
      const { acknowledged, found } = await fill(reserve, 'less than the reserve of 16 MiB', async () => {
        expect(await send('other', 0)).toMatch(/^KAFKA_STORAGE_ERROR: .*disk\.reserve\.min\.bytes/)
        expect(disk.usableBytes).toBeGreaterThan(0)
        await commitOffset()
        await client.deleteTopic('other')
        await client.createTopic('another', { replicationFactor: 1 })
        expect([broker.logged(BELOW).length, broker.logged(ABOVE).length]).toEqual([1, 0])
      })
      expect(found).toEqual(acknowledged)
    },
    TIMEOUT_MS,
  )

  test(
    'a disk that is full to the last byte loses nothing that was acknowledged, and serves again when there is space',
    async () => {
      const none = { 'disk.reserve.percent': '0', 'disk.reserve.min.bytes': '0' }
      const { acknowledged, found } = await fill(none, 'is full', () => Promise.resolve())
      expect(found).toEqual(acknowledged)
    },
    TIMEOUT_MS,
  )
}

await describeWith(tmpfsDisks, 'a tmpfs that fills up under load', ({ kind }) => fillsUp(kind))
await describeWith(ext4Disks, 'an ext4 that fills up under load', ({ kind }) => fillsUp(kind))

await describeWith(ext4Disks, 'an ext4 that turns read-only', ({ kind }) => {
  let dirs: [string, string]

  beforeEach(async () => {
    await mountIn(kind, 32)
    dirs = [path.join(disk.path, 'logs'), path.join(folder, 'logs')]
    await start({ 'log.dirs': dirs.join(',') })
    // The kernel drops what it has not written by then: without a flush the one replica would lose it.
    const configs = { 'flush.messages': '1' }
    await client.createTopic(TOPIC, { partitions: 2, replicationFactor: 1, configs })
  }, TIMEOUT_MS)
  afterEach(stop, TIMEOUT_MS)

  /** The errors of the directories, and the partitions in them. */
  async function described(): Promise<[string, number[]][]> {
    const { results } = await client.send(broker.address, DescribeLogDirs, 4, { topics: null })
    return results.map(({ errorCode, topics }) => [
      errorName(errorCode),
      topics.flatMap(({ partitions }) => partitions.map(({ partitionIndex }) => partitionIndex)),
    ])
  }

  test(
    'goes offline with its partition while the other one serves, over a restart too, and serves again when repaired',
    async () => {
      for (const index of [0, 1]) await client.write(TOPIC, index, ['before'])
      const [[, [lost]], [, [kept]]] = (await described()) as [[string, [number]], [string, [number]]]
      await disk.turnReadOnly()
      await waitUntil(
        async () => (await send(TOPIC, lost)).startsWith('KAFKA_STORAGE_ERROR'),
        'it is refused',
      )
      await client.write(TOPIC, kept, ['after'])
      expect(await described()).toEqual([
        ['KAFKA_STORAGE_ERROR', []],
        ['NONE', [kept]],
      ])
      await waitUntil(async () => (await client.partitions(TOPIC))[lost]!.leader === -1, 'nobody leads it')

      expect((await broker.end('SIGTERM')).code).toBe(0)
      await start({ 'log.dirs': dirs.join(',') })
      expect(await send(TOPIC, lost)).toMatch(/^KAFKA_STORAGE_ERROR/)
      expect(await client.readAll(TOPIC, kept)).toEqual(['before', 'after'])

      await broker.end('SIGKILL')
      await disk.repair()
      await start({ 'log.dirs': dirs.join(',') })
      await client.write(TOPIC, lost, ['again'])
      expect(await client.readAll(TOPIC, lost)).toEqual(['before', 'again'])
    },
    TIMEOUT_MS,
  )
})
