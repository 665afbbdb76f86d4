/** A broker as a process: what it says when it cannot start, and how it stops. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import path from 'node:path'
import { CreateTopics } from '../../broker/protocol/apis/create-topics.ts'
import { Metadata } from '../../broker/protocol/apis/metadata.ts'
import { type BrokerOptions, BrokerProcess, startBroker } from '../support/start-broker.ts'
import { startCluster } from '../support/start-cluster.ts'
import { tempFolder } from '../support/temp-folder.ts'
import { TestClient } from '../support/test-client.ts'
import { waitUntil } from '../support/wait-until.ts'

const newPath = tempFolder()

function newFolder(): string {
  const folder = newPath('broker')
  mkdirSync(folder)
  return folder
}

/** What a broker that cannot start leaves on stderr. */
async function failedStart(options: BrokerOptions): Promise<string> {
  const broker = new BrokerProcess({ folder: newFolder(), ...options })
  await expect(broker.started()).rejects.toThrow('exited with 1')
  expect(await broker.exited).toEqual({ code: 1, signal: null })
  return broker.stderr
}

describe('a broker that cannot start says why in one line', () => {
  test('a setting that is wrong', async () => {
    const stderr = await failedStart({ overrides: { 'num.partitions': 'many' } })
    expect(stderr).toMatch(
      /^broker cannot start: \S+server\.properties:\d+: num\.partitions=many: must be a whole number\n$/,
    )
  })

  test('a port that is taken', async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const stderr = await failedStart({ port })
    server.close()
    expect(stderr).toBe(
      `broker cannot start: listeners: cannot listen on PLAINTEXT://127.0.0.1:${port}: the port is taken by another process (EADDRINUSE)\n`,
    )
  })

  test('a quorum that does not answer', async () => {
    const stderr = await failedStart({
      quorum: '127.0.0.1:1,127.0.0.1:2/chroot',
      overrides: { 'quorum.connect.timeout.ms': '1000' },
    })
    expect(stderr).toMatch(/^broker cannot start: .*127\.0\.0\.1:1.*1000 ms.*\n$/)
  })

  test('a log directory of another cluster', async () => {
    const folder = newFolder()
    const first = await startBroker({ folder })
    await first.stop()
    const file = path.join(first.logDir, 'meta.properties')
    const text = readFileSync(file, 'utf8')
    writeFileSync(file, text.replace(/cluster\.id=.*/, 'cluster.id=ABCDEFGHIJKLMNOPQRSTUQ'))
    const stderr = await failedStart({ folder })
    expect(stderr).toContain(file)
    expect(stderr).toContain('ABCDEFGHIJKLMNOPQRSTUQ')
    expect(stderr).toContain(/cluster\.id=(\S+)/.exec(text)![1])
  }, 30_000)

  test('another live broker with the same id', async () => {
    const quorum = `embedded:${newPath('metadata.db')}`
    const overrides = { 'quorum.session.timeout.ms': '1000' }
    const first = await startBroker({ quorum, overrides })
    const stderr = await failedStart({ quorum, overrides })
    expect(stderr).toContain(`another broker with id 1 is alive at ${first.address}`)
    await first.stop()
  }, 30_000)
})

describe('a broker that is told to stop', () => {
  test('exits with 0, marks its logs clean, and finds everything again', async () => {
    const folder = newFolder()
    const broker = await startBroker({ folder })
    const client = await TestClient.connect(broker.address)
    await client.request(CreateTopics, 7, {
      topics: [{ name: 'kept', numPartitions: 2, replicationFactor: 1, assignments: [], configs: [] }],
    })
    expect(await broker.stop()).toEqual({ code: 0, signal: null })
    expect(readdirSync(broker.logDir)).toEqual(
      expect.arrayContaining(['.kafka_cleanshutdown', 'kept-0', 'kept-1']),
    )
    expect(broker.stderr).toBe('')
    client.close()

    const again = await startBroker({ folder })
    const other = await TestClient.connect(again.address)
    const { topics } = await other.request(Metadata, 12, { topics: null })
    expect(topics.map(({ name }) => name)).toEqual(['kept'])
    other.close()
    await again.stop()
  }, 30_000)

  test('answers the request that is in process first', async () => {
    const broker = await startBroker()
    const client = await TestClient.connect(broker.address)
    const answer = client.request(CreateTopics, 7, {
      topics: [{ name: 'last', numPartitions: 20, replicationFactor: 1, assignments: [], configs: [] }],
    })
    const other = await TestClient.connect(broker.address)
    await waitUntil(async () => {
      const { topics } = await other.request(Metadata, 12, { topics: null })
      return topics.some(({ name }) => name === 'last')
    }, 'the request has been read')
    other.close()
    const exit = broker.stop()
    expect((await answer).topics[0]).toMatchObject({ name: 'last', errorCode: 0 })
    expect(await exit).toEqual({ code: 0, signal: null })
    client.close()
  }, 30_000)

  test('takes a second signal for the same wish', async () => {
    const broker = await startBroker()
    broker.signal('SIGTERM')
    broker.signal('SIGINT')
    expect(await broker.stop()).toEqual({ code: 0, signal: null })
    expect(broker.logged('broker stopped')).toHaveLength(1)
  }, 30_000)

  test('stops while it still waits for the quorum', async () => {
    const broker = new BrokerProcess({ folder: newFolder(), quorum: '127.0.0.1:1' })
    const started = broker.started().catch((error: unknown) => error)
    // The process must be far enough to have its signal handlers.
    await Promise.race([started, waitForLog(broker)])
    const exit = await broker.end('SIGTERM')
    expect(exit.code).toBe(0)
    await started
  }, 30_000)

  test('hands its leaderships over before it goes', async () => {
    const cluster = await startCluster({ brokers: 3 })
    const client = await TestClient.connect(cluster.address(1))
    await client.request(CreateTopics, 7, {
      topics: [{ name: 'moved', numPartitions: 6, replicationFactor: 3, assignments: [], configs: [] }],
    })
    expect(await cluster.shutdown(2)).toEqual({ code: 0, signal: null })
    const { topics, brokers } = await client.request(Metadata, 12, { topics: null })
    expect(brokers.map(({ nodeId }) => nodeId)).toEqual([1, 3])
    const leaders = topics[0]!.partitions.map(({ leaderId }) => leaderId)
    expect(leaders).toHaveLength(6)
    for (const leader of leaders) expect([1, 3]).toContain(leader)
    expect(cluster.broker(2).logged('stopping with leaderships that nobody has taken')).toEqual([])
    client.close()
    await cluster.stop()
  }, 60_000)
})

/** Resolves when the broker says that it waits. */
async function waitForLog(broker: BrokerProcess): Promise<void> {
  while (broker.logged('waiting for the metadata quorum').length === 0) {
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
