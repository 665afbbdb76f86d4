import { ApiVersions } from '../../../broker/protocol/apis/api-versions.ts'
import { errorCode } from '../../../broker/protocol/errors.ts'
import { ByteReader } from '../../../broker/protocol/reader.ts'
import { type BrokerProcess, startBroker } from '../../support/start-broker.ts'
import { TestClient } from '../../support/test-client.ts'

const software = { clientSoftwareName: 'test-client', clientSoftwareVersion: '1.0' }

describe('ApiVersions', () => {
  let broker: BrokerProcess
  let client: TestClient

  beforeAll(async () => {
    broker = await startBroker()
    client = await TestClient.connect(broker.address)
  }, 30_000)

  afterAll(async () => {
    client.close()
    await broker.stop()
  })

  test.each([0, 1, 2, 3, 4])('v%i lists every API once, in order, with its range', async (version) => {
    const { errorCode, apiKeys } = await client.request(ApiVersions, version, software)
    expect(errorCode).toBe(0)
    const keys = apiKeys.map(({ apiKey }) => apiKey)
    expect(keys).toEqual([...new Set(keys)].toSorted((a, b) => a - b))
    expect(keys).toEqual(
      expect.arrayContaining([0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 18, 19, 20, 22, 23, 32, 60]),
    )
    expect(apiKeys.find(({ apiKey }) => apiKey === 18)).toEqual({ apiKey: 18, minVersion: 0, maxVersion: 4 })
  })

  test('Produce is advertised from version 0, or clients would stop compressing', async () => {
    const { apiKeys } = await client.request(ApiVersions, 3, software)
    expect(apiKeys.find(({ apiKey }) => apiKey === 0)).toEqual({ apiKey: 0, minVersion: 0, maxVersion: 13 })
  })

  test('no feature is finalized, so that clients keep to the protocols that need none', async () => {
    const answer = await client.request(ApiVersions, 4, software)
    expect(answer).toMatchObject({ supportedFeatures: [], finalizedFeatures: [], finalizedFeaturesEpoch: -1 })
  })

  test('a version that is too new is answered in version 0 with the range to choose from', async () => {
    const request = Buffer.from('0000000e00120063000000050004746573740000', 'hex')
    request.writeInt32BE(request.length - 4)
    client.sendBytes(request)
    const frame = await client.nextFrame()
    const reader = new ByteReader(frame)
    expect(reader.int32()).toBe(5)
    expect(ApiVersions.response.decode(0, reader)).toMatchObject({
      errorCode: errorCode('UNSUPPORTED_VERSION'),
      apiKeys: [{ apiKey: 18, minVersion: 0, maxVersion: 4 }],
    })
    expect(reader.remaining).toBe(0)
  })

  test.each(['', '-dash', 'dash-', 'with space', 'ünicode'])(
    'the client name "%s" is refused',
    async (name) => {
      const answer = await client.request(ApiVersions, 3, { ...software, clientSoftwareName: name })
      expect(answer).toMatchObject({ errorCode: errorCode('INVALID_REQUEST'), apiKeys: [] })
    },
  )
})
