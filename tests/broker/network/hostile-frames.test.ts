/** A broker under clients that mean it no good: it lives, and goes on serving the others. */
import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { ApiVersions } from '../../../broker/protocol/apis/api-versions.ts'
import { CreateTopics } from '../../../broker/protocol/apis/create-topics.ts'
import { DeleteTopics } from '../../../broker/protocol/apis/delete-topics.ts'
import { Metadata } from '../../../broker/protocol/apis/metadata.ts'
import { Produce } from '../../../broker/protocol/apis/produce.ts'
import { errorName } from '../../../broker/protocol/errors.ts'
import { finishFrame, startFrame } from '../../../broker/protocol/frame.ts'
import { encodeRequestHeader } from '../../../broker/protocol/headers.ts'
import type { AnyApi, RequestToSend } from '../../../broker/protocol/schema.ts'
import { type BrokerProcess, startBroker } from '../../support/start-broker.ts'
import { TestClient } from '../../support/test-client.ts'
import { waitUntil } from '../../support/wait-until.ts'

const MiB = 1024 * 1024

function requestBytes<A extends AnyApi>(api: A, version: number, request: RequestToSend<A>): Buffer {
  const writer = startFrame()
  encodeRequestHeader(api, { apiVersion: version, correlationId: 1, clientId: 'hostile' }, writer)
  api.request.encode(version, request, writer)
  return Buffer.concat(finishFrame(writer))
}

function sized(size: number, body: Buffer): Buffer {
  const prefix = Buffer.alloc(4)
  prefix.writeInt32BE(size)
  return Buffer.concat([prefix, body])
}

function residentBytes(pid: number): number {
  const pages = Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1])
  return pages * 4096
}

function openFiles(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length
}

describe('a broker with hostile clients', () => {
  let broker: BrokerProcess
  let good: TestClient

  beforeAll(async () => {
    broker = await startBroker()
    good = await TestClient.connect(broker.address)
  }, 30_000)

  afterEach(async () => {
    const { apiKeys } = await good.request(ApiVersions, 0, {})
    expect(apiKeys.length).toBeGreaterThan(0)
    expect(broker.logs.filter(({ level }) => level === 'error')).toEqual([])
  })

  afterAll(async () => {
    good.close()
    await broker.stop()
  })

  const metadata = requestBytes(Metadata, 9, { topics: [{ name: 'x' }], allowAutoTopicCreation: false })
  const fetchHeader = Buffer.from('0001000c00000001ffff00', 'hex')

  test.each<[string, Buffer]>([
    ['a size of 2 GB', sized(2 ** 31 - 1, Buffer.alloc(0))],
    ['a size just over the limit', sized(100 * MiB + 1, Buffer.alloc(0))],
    ['a negative size', sized(-1, Buffer.alloc(0))],
    ['an empty frame', sized(0, Buffer.alloc(0))],
    ['a frame too short for a header', sized(7, Buffer.alloc(7))],
    ['an API that does not exist', sized(8, Buffer.from('7fff000000000001', 'hex'))],
    ['a negative API', sized(8, Buffer.from('ffff000000000001', 'hex'))],
    ['Produce in version 2', sized(10, Buffer.from('0000000200000001ffff', 'hex'))],
    ['Produce in version 99', sized(10, Buffer.from('0000006300000001ffff', 'hex'))],
    ['a request that ends early', sized(metadata.length - 6, metadata.subarray(4, -2))],
    [
      'an array of 2 billion elements',
      sized(
        fetchHeader.length + 22,
        Buffer.concat([fetchHeader, Buffer.alloc(17), Buffer.from('ffffffff07', 'hex')]),
      ),
    ],
    ['text', Buffer.from('GET / HTTP/1.1\r\nHost: kafka\r\n\r\n')],
    ['a TLS handshake', Buffer.from('16030100c8010000c40303', 'hex')],
  ])('%s closes the connection', async (_what, bytes) => {
    const client = await TestClient.connect(broker.address)
    client.sendBytes(bytes)
    await client.closed
    await expect(client.nextFrame()).rejects.toThrow('closed the connection')
  })

  test('random bytes behind a valid size and API disturb nobody else', async () => {
    for (let turn = 0; turn < 300; turn += 1) {
      const client = await TestClient.connect(broker.address)
      const body = randomBytes(1 + (turn % 200))
      const header = Buffer.alloc(8)
      header.writeInt16BE(turn % 25)
      header.writeInt16BE(turn % 13, 2)
      client.sendBytes(sized(header.length + body.length, Buffer.concat([header, body])))
      const { errorCode } = await good.request(ApiVersions, 0, {})
      expect(errorCode).toBe(0)
      client.close()
    }
  }, 60_000)

  test('a size that is a lie costs no memory', async () => {
    const before = residentBytes(broker.pid)
    const clients = await Promise.all(Array.from({ length: 200 }, () => TestClient.connect(broker.address)))
    for (const client of clients) client.sendBytes(sized(100 * MiB, Buffer.from('little')))
    await good.request(ApiVersions, 0, {})
    expect(residentBytes(broker.pid) - before).toBeLessThan(100 * MiB)
    for (const client of clients) client.close()
  })

  test('a request that comes byte by byte is answered', async () => {
    const client = await TestClient.connect(broker.address)
    for (const byte of metadata) client.sendBytes(Buffer.from([byte]))
    await expect(client.nextFrame()).resolves.toBeInstanceOf(Buffer)
    client.close()
  })

  test('many requests at once are answered in order', async () => {
    const client = await TestClient.connect(broker.address)
    const sent = Array.from({ length: 500 }, () => client.send(ApiVersions, 0, {}))
    for (const correlationId of sent) {
      // Throws when the answer is to another request.
      const { errorCode } = await client.receive(ApiVersions, 0, correlationId)
      expect(errorCode).toBe(0)
    }
    client.close()
  })

  test('a thousand connections that come and go leave nothing behind', async () => {
    const before = openFiles(broker.pid)
    for (let round = 0; round < 10; round += 1) {
      const clients = await Promise.all(Array.from({ length: 100 }, () => TestClient.connect(broker.address)))
      for (const [index, client] of clients.entries()) {
        if (index % 3 === 0) client.sendBytes(metadata.subarray(0, index % metadata.length))
        client.close()
      }
    }
    await waitUntil(() => openFiles(broker.pid) <= before + 5, 'their sockets are closed')
    expect(broker.logged('connections refused')).toEqual([])
  }, 60_000)

  test('a produce that fails without acks closes the connection, for there is no other way to tell', async () => {
    const client = await TestClient.connect(broker.address)
    client.send(Produce, 9, {
      acks: 0,
      timeoutMs: 1000,
      topicData: [{ name: 'nowhere', partitionData: [{ index: 0, records: Buffer.alloc(61) }] }],
    })
    await client.closed
    expect(client.isClosed).toBe(true)
  })

  test('a request that asks for 200,000 topics is answered, and makes at most a thousand of them', async () => {
    const topics = Array.from({ length: 200_000 }, (_, index) => ({ name: `flood-${index}` }))
    const answer = await good.request(Metadata, 9, { topics })
    expect(answer.topics).toHaveLength(200_000)
    const all = await good.request(Metadata, 9, { topics: null })
    expect(all.topics.length).toBeLessThanOrEqual(1000)
    expect(broker.logs.length).toBeLessThan(10_000)
  }, 30_000)

  test('a request that deletes one topic 100,000 times is refused in time', async () => {
    const topicNames = Array.from({ length: 100_000 }, () => 'flood-0')
    const { responses } = await good.request(DeleteTopics, 5, { topicNames, timeoutMs: 1000 })
    expect(new Set(responses.map(({ errorCode }) => errorName(errorCode)))).toEqual(
      new Set(['INVALID_REQUEST']),
    )
  }, 30_000)

  test('a topic name of 30 kB is refused and not repeated in full', async () => {
    const { topics } = await good.request(CreateTopics, 7, {
      topics: [
        { name: 'x'.repeat(30_000), numPartitions: 1, replicationFactor: 1, assignments: [], configs: [] },
      ],
    })
    expect(topics[0]!.errorMessage?.length).toBeLessThan(1000)
  })
})
