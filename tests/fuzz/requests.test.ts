/**
 * Random requests of every API in every version, valid ones and damaged ones, to a real broker: none of them meets an
 * error that nobody expected, and the broker goes on to serve.
 */
import { ApiVersions } from '../../broker/protocol/apis/api-versions.ts'
import { finishFrame, startFrame } from '../../broker/protocol/frame.ts'
import { encodeRequestHeader } from '../../broker/protocol/headers.ts'
import { ROUTES } from '../../broker/handlers/registry.ts'
import { systemClock } from '../../broker/runtime/clock.ts'
import { type BrokerProcess, startBroker } from '../support/start-broker.ts'
import { TestClient } from '../support/test-client.ts'
import { waitUntil } from '../support/wait-until.ts'
import { WireClient } from '../support/wire-client.ts'
import { generateStruct } from './generate.ts'
import { mutate } from './mutate.ts'
import { Random } from './random.ts'

const REQUESTS = 1500
const AT_ONCE = 150
/** Those that wait longer, for records or for members of a group, are left behind. */
const MAX_WAIT_MS = 400

const routes = [...ROUTES.values()]

/** One request's frame. */
function randomRequest(random: Random): Buffer {
  const { api } = random.pick(routes)
  const version = api.versions.min + random.below(api.versions.max - api.versions.min + 1)
  const writer = startFrame()
  encodeRequestHeader(api, { apiVersion: version, correlationId: 1, clientId: 'fuzz' }, writer)
  const header = Buffer.concat(finishFrame(writer)).subarray(4)
  const body = startFrame()
  api.request.encode(version, generateStruct(api.request.fields, version, random), body)
  const bytes = Buffer.concat(finishFrame(body)).subarray(4)
  const sent = Buffer.concat([header, random.chance(0.3) && bytes.length > 0 ? mutate(bytes, random) : bytes])
  const size = Buffer.alloc(4)
  size.writeInt32BE(sent.length)
  return Buffer.concat([size, sent])
}

describe('a broker under random requests', () => {
  let broker: BrokerProcess
  let good: TestClient

  beforeAll(async () => {
    broker = await startBroker()
    const client = new WireClient([broker.address])
    await client.createTopic('topic-1', { partitions: 3, replicationFactor: 1 })
    await client.close()
    good = await TestClient.connect(broker.address)
  }, 30_000)

  afterAll(async () => {
    good.close()
    const { code } = await broker.stop()
    expect(code).toBe(0)
  })

  test.each([
    ['the fixed seed', 1],
    ['a seed of this run', Date.now() % 1_000_000],
  ])(
    '%s',
    async (_name, seed) => {
      for (let first = 0; first < REQUESTS; first += AT_ONCE) {
        const clients = await Promise.all(
          Array.from({ length: AT_ONCE }, () => TestClient.connect(broker.address)),
        )
        for (const [index, client] of clients.entries())
          client.sendBytes(randomRequest(new Random(seed, first + index)))
        const answered = Promise.allSettled(clients.map((client) => client.nextFrame()))
        await Promise.race([answered, systemClock.sleep(MAX_WAIT_MS)])
        const { errorCode } = await good.request(ApiVersions, 0, {})
        expect(errorCode).toBe(0)
        for (const client of clients) client.close()
      }
      const { errorCode } = await good.request(ApiVersions, 0, {})
      expect(errorCode).toBe(0)
      await waitUntil(() => broker.logs.length > 0, 'the broker logs')
      const unexpected = broker.logs.filter(({ level }) => level === 'error')
      expect({ seed, unexpected }).toEqual({ seed, unexpected: [] })
    },
    60_000,
  )
})
