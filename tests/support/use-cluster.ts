/** Three brokers and a wire client for the tests of a file, or of a `describe`: started before and ended after them. */
import { type ClusterOptions, startCluster, type TestCluster } from './start-cluster.ts'
import { WireClient } from './wire-client.ts'

const START_TIMEOUT_MS = 60_000

export interface UsedCluster {
  /** Only inside tests. */
  readonly cluster: TestCluster
  readonly client: WireClient
}

/** To be called where tests are declared; what it returns is there while they run. */
export function useCluster(overrides: NonNullable<ClusterOptions['overrides']> = {}): UsedCluster {
  let cluster: TestCluster
  let client: WireClient

  beforeAll(async () => {
    cluster = await startCluster({ brokers: 3, overrides })
    client = new WireClient(cluster.bootstrap)
    await client.waitForBrokers(cluster.bootstrap)
  }, START_TIMEOUT_MS)

  afterAll(async () => {
    await client.close()
    await cluster.stop()
  })

  return {
    get cluster() {
      return cluster
    },
    get client() {
      return client
    },
  }
}
