/**
 * A broker under clients that mean to use it up, while a good client produces and consumes: its memory stays within a
 * bound, and the good client notices nothing.
 */
import { readFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { Fetch } from '../../../broker/protocol/apis/fetch.ts'
import { Metadata } from '../../../broker/protocol/apis/metadata.ts'
import { Produce } from '../../../broker/protocol/apis/produce.ts'
import { crc32c } from '../../../broker/protocol/crc32c.ts'
import { errorName } from '../../../broker/protocol/errors.ts'
import { type BrokerProcess, startBroker } from '../../support/start-broker.ts'
import { batchOfTexts } from '../../support/records.ts'
import { TestClient } from '../../support/test-client.ts'
import { waitUntil } from '../../support/wait-until.ts'
import { WireClient } from '../../support/wire-client.ts'

const MiB = 1024 * 1024
const BUDGET_BYTES = 32 * MiB
const MAX_REQUEST_BYTES = 16 * MiB
/**
 * Over what the broker takes up at rest: the budget of requests, that of answers, one largest request, and as much again
 * for what V8 has not collected yet.
 */
const MAX_GROWTH_BYTES = 2 * (2 * BUDGET_BYTES + MAX_REQUEST_BYTES)
/** A client library would not have given up by then. */
const MAX_GOOD_REQUEST_MS = 10_000

function residentBytes(pid: number): number {
  const pages = Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1])
  return pages * 4096
}

/** Produces and reads back, one record after another, until it is told to stop. */
class GoodClient {
  readonly #client: WireClient
  #stopping = false
  #running: Promise<void> = Promise.resolve()
  /** Records that are there: one is, before the first round. */
  rounds = 1
  slowestMs = 0

  constructor(address: string) {
    this.#client = new WireClient([address])
  }

  start(topic: string): void {
    this.#running = this.#run(topic)
    // A failure is told by `stop`.
    this.#running.catch(() => {})
  }

  async #run(topic: string): Promise<void> {
    for (; !this.#stopping; this.rounds += 1) {
      const startedMs = performance.now()
      // Large enough to come in several pieces now and then.
      const value = `${this.rounds} ${'x'.repeat(this.rounds % 10 === 0 ? 300_000 : 100)}`
      const error = await this.#client.produce(topic, 0, [value])
      if (error !== 'NONE') throw new Error(`a good produce was answered with ${error}`)
      this.slowestMs = Math.max(this.slowestMs, performance.now() - startedMs)
    }
    const read = await this.#client.readAll(topic, 0)
    if (read.length !== this.rounds) throw new Error(`${read.length} records of ${this.rounds} were read`)
  }

  /** Rejects with what went wrong, at any time. */
  async stop(): Promise<void> {
    this.#stopping = true
    try {
      await this.#running
    } finally {
      await this.#client.close()
    }
  }
}

describe('a broker that is used up by clients', () => {
  let broker: BrokerProcess
  let good: GoodClient
  let atRestBytes: number
  let most: number
  let watch: NodeJS.Timeout
  const attackers: TestClient[] = []

  beforeEach(async () => {
    broker = await startBroker({
      overrides: {
        'queued.max.request.bytes': String(BUDGET_BYTES),
        'socket.request.max.bytes': String(MAX_REQUEST_BYTES),
        'message.max.bytes': String(MAX_REQUEST_BYTES),
      },
    })
    const client = new WireClient([broker.address])
    await client.createTopic('good', { replicationFactor: 1 })
    await client.createTopic('large', { replicationFactor: 1 })
    await client.createTopic('compacted', { replicationFactor: 1, configs: { 'cleanup.policy': 'compact' } })
    for (const topic of ['good', 'large', 'compacted']) {
      const isLed = async () => (await client.produce(topic, 0, ['0 '])) !== 'NOT_LEADER_OR_FOLLOWER'
      await waitUntil(isLed, `${topic} is led`)
    }
    await client.close()
    good = new GoodClient(broker.address)
    good.start('good')
    await waitUntil(() => good.rounds > 50, 'the good client works')
    atRestBytes = residentBytes(broker.pid)
    most = 0
    watch = setInterval(() => {
      most = Math.max(most, residentBytes(broker.pid))
    }, 20)
  }, 60_000)

  afterEach(async () => {
    clearInterval(watch)
    for (const client of attackers.splice(0)) client.close()
    await good.stop()
    expect(good.slowestMs).toBeLessThan(MAX_GOOD_REQUEST_MS)
    expect(most - atRestBytes).toBeLessThan(MAX_GROWTH_BYTES)
    expect(broker.logs.filter(({ level }) => level === 'error')).toEqual([])
    const { code } = await broker.stop()
    expect(code).toBe(0)
  }, 60_000)

  async function attack(count: number): Promise<TestClient[]> {
    const clients: TestClient[] = []
    while (clients.length < count) {
      const some = Math.min(100, count - clients.length)
      clients.push(
        ...(await Promise.all(Array.from({ length: some }, () => TestClient.connect(broker.address)))),
      )
    }
    attackers.push(...clients)
    return clients
  }

  function allGone(clients: readonly TestClient[]): Promise<void> {
    return waitUntil(() => clients.every(({ isClosed }) => isClosed), 'they are closed', 30_000)
  }

  /** The good client has gone on while others did what they did. */
  async function goodGoesOn(): Promise<void> {
    const before = good.rounds
    await waitUntil(() => good.rounds > before + 20, 'the good client goes on', 30_000)
  }

  test('2,000 connections that do nothing', async () => {
    const clients = await attack(2000)
    await goodGoesOn()
    expect(clients.filter(({ isClosed }) => isClosed)).toHaveLength(0)
  }, 60_000)

  test('half requests of 900 MB', async () => {
    const clients = await attack(60)
    const half = Buffer.alloc(MAX_REQUEST_BYTES - MiB)
    half.writeInt32BE(MAX_REQUEST_BYTES)
    for (const client of clients) client.sendBytes(half)
    await goodGoesOn()
    await waitUntil(() => clients.some(({ isClosed }) => isClosed), 'who stands still is closed')
    await goodGoesOn()
    expect(broker.logged('connection closed: it is too slow').length).toBeGreaterThan(0)
  }, 60_000)

  test('answers of 900 MB that nobody reads', async () => {
    const records = batchOfTexts(['x'.repeat(MiB)])
    const writer = await TestClient.connect(broker.address)
    for (let count = 0; count < 15; count += 1) {
      const { responses } = await writer.request(Produce, 9, {
        acks: -1,
        timeoutMs: 5000,
        topicData: [{ name: 'large', partitionData: [{ index: 0, records }] }],
      })
      expect(responses[0]!.partitionResponses[0]!.errorCode).toBe(0)
    }
    writer.close()
    const clients = await attack(60)
    for (const client of clients) {
      client.stopReading()
      client.send(Fetch, 12, {
        maxWaitMs: 0,
        minBytes: 1,
        topics: [
          { topic: 'large', partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 15 * MiB }] },
        ],
      })
    }
    await goodGoesOn()
  }, 60_000)

  test('a gigabyte of zeros in a megabyte', async () => {
    const part = gzipSync(Buffer.alloc(64 * MiB), { level: 9 })
    const bomb = gzipBatch(Buffer.concat(Array.from({ length: 16 }, () => part)))
    expect(bomb.length).toBeLessThan(1.1 * MiB)
    const [client] = await attack(1)
    const { responses } = await client!.request(Produce, 9, {
      acks: -1,
      timeoutMs: 5000,
      topicData: [{ name: 'compacted', partitionData: [{ index: 0, records: bomb }] }],
    })
    expect(['INVALID_RECORD', 'CORRUPT_MESSAGE', 'MESSAGE_TOO_LARGE']).toContain(
      errorName(responses[0]!.partitionResponses[0]!.errorCode),
    )
    await goodGoesOn()
  }, 60_000)

  test('requests of millions of elements', async () => {
    const clients = await attack(10)
    const names = Buffer.alloc(2 * 3_000_000, '0100', 'hex')
    const header = Buffer.from('000000000003000900000001ffff00c18db701', 'hex')
    const request = Buffer.concat([header, names, Buffer.from('00000000', 'hex')])
    request.writeInt32BE(request.length - 4)
    for (const client of clients) client.sendBytes(request)
    await allGone(clients)
    await goodGoesOn()
    expect(clients.filter(({ isClosed }) => isClosed)).toHaveLength(10)
  }, 60_000)

  test('is stopped cleanly in the midst of it', async () => {
    const clients = await attack(300)
    const half = Buffer.alloc(MiB)
    half.writeInt32BE(2 * MiB)
    for (const [index, client] of clients.entries()) {
      if (index % 3 === 0) client.sendBytes(half)
      if (index % 3 === 1) client.send(Metadata, 9, { topics: null, allowAutoTopicCreation: false })
    }
    await goodGoesOn()
    await good.stop()
    const { code } = await broker.end('SIGTERM')
    expect(code).toBe(0)
    expect(broker.logged('broker stopped')).toHaveLength(1)
    expect(broker.logged('stopped without a clean mark: closing took too long')).toEqual([])
  }, 60_000)
})

/** A batch of one record as its header says, whatever the compressed bytes hold. */
function gzipBatch(compressed: Buffer): Buffer {
  const batch = Buffer.concat([batchOfTexts(['a']).subarray(0, 61), compressed])
  batch.writeInt32BE(batch.length - 12, 8)
  batch.writeUInt8(1, 22)
  batch.writeUInt32BE(crc32c(batch.subarray(21)), 17)
  return batch
}
