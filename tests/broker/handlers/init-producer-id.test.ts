import { InitProducerId } from '../../../broker/protocol/apis/init-producer-id.ts'
import { errorName } from '../../../broker/protocol/errors.ts'
import type { DecodedResponse, RequestToSend } from '../../../broker/protocol/schema.ts'
import { startCluster, type TestCluster } from '../../support/start-cluster.ts'
import { TestClient } from '../../support/test-client.ts'

describe('InitProducerId of two brokers', () => {
  let cluster: TestCluster
  let clients: TestClient[]

  beforeAll(async () => {
    cluster = await startCluster({ brokers: 2 })
    clients = await Promise.all(cluster.bootstrap.map((address) => TestClient.connect(address)))
  }, 30_000)

  afterAll(async () => {
    for (const client of clients) client.close()
    await cluster.stop()
  })

  function initProducerId(
    client: TestClient,
    version: number,
    more: Partial<RequestToSend<typeof InitProducerId>> = {},
  ): Promise<DecodedResponse<typeof InitProducerId>> {
    return client.request(InitProducerId, version, {
      transactionalId: null,
      transactionTimeoutMs: 60_000,
      ...more,
    })
  }

  test('never gives the same id twice, whichever broker is asked', async () => {
    const ids = new Set<number>()
    for (let turn = 0; turn < 600; turn += 1) {
      for (const client of clients) {
        const { errorCode, producerId, producerEpoch } = await initProducerId(client, turn % 6)
        expect({ errorCode, producerEpoch }).toEqual({ errorCode: 0, producerEpoch: 0 })
        ids.add(producerId)
      }
    }
    expect(ids.size).toBe(1200)
  })

  test.each([
    [{ transactionalId: 'tx' }, 'UNSUPPORTED_VERSION'],
    [{ transactionalId: '' }, 'INVALID_REQUEST'],
    [{ producerId: 5, producerEpoch: -1 }, 'INVALID_REQUEST'],
  ])('%j is refused: %s', async (more, error) => {
    const answer = await initProducerId(clients[0]!, 4, more)
    expect(errorName(answer.errorCode)).toBe(error)
    expect(answer).toMatchObject({ producerId: -1, producerEpoch: -1 })
  })
})
