import { DescribeCluster } from '../../../broker/protocol/apis/describe-cluster.ts'
import { Metadata } from '../../../broker/protocol/apis/metadata.ts'
import { errorName } from '../../../broker/protocol/errors.ts'
import { startCluster, type TestCluster } from '../../support/start-cluster.ts'
import { TestClient } from '../../support/test-client.ts'

describe('DescribeCluster of two brokers', () => {
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

  test.each([0, 1, 2])('v%i says the same as Metadata, on every broker', async (version) => {
    for (const client of clients) {
      const described = await client.request(DescribeCluster, version, {
        includeClusterAuthorizedOperations: true,
      })
      const metadata = await client.request(Metadata, 12, { topics: [] })
      expect(described).toMatchObject({ errorCode: 0, endpointType: 1, clusterId: metadata.clusterId })
      expect(described.brokers.map(({ brokerId, host, port }) => ({ brokerId, host, port }))).toEqual(
        metadata.brokers.map(({ nodeId, host, port }) => ({ brokerId: nodeId, host, port })),
      )
      expect(described.controllerId).toBe(metadata.controllerId)
      expect(described.clusterAuthorizedOperations).toBe(0b1_1111_1010_0000)
    }
  })

  test('it has no endpoints of controllers', async () => {
    const ask = async (endpointType: number): Promise<string> => {
      const { errorCode } = await clients[0]!.request(DescribeCluster, 1, {
        includeClusterAuthorizedOperations: false,
        endpointType,
      })
      return errorName(errorCode)
    }
    expect(await ask(2)).toBe('MISMATCHED_ENDPOINT_TYPE')
    expect(await ask(3)).toBe('UNSUPPORTED_ENDPOINT_TYPE')
  })
})
