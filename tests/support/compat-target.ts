/**
 * What the compatibility tests run against: our brokers, one and three of them. To check the tests themselves, they
 * run against any other Kafka: COMPAT_BOOTSTRAP=host:port npm test -- tests/compat
 */
import process from 'node:process'

import { startCluster } from './start-cluster.ts'

const EXTERNAL = process.env['COMPAT_BOOTSTRAP']
const START_TIMEOUT_MS = 60_000

export interface CompatTarget {
  /** `host:port,…`, as clients take it. Only inside tests: the brokers start in beforeAll. */
  readonly bootstrap: string
  readonly brokers: number
  /** A topic name of this test's own. */
  topic(what: string): string
}

/** Declares the tests of one client twice: against one broker, and against three with three replicas. */
export function againstOneAndThreeBrokers(define: (target: CompatTarget) => void): void {
  if (EXTERNAL !== undefined) {
    describe(`against ${EXTERNAL}`, () => define({ bootstrap: EXTERNAL, brokers: 1, topic: topicNames() }))
    return
  }
  describe.each([
    { brokers: 1, name: 'one broker' },
    { brokers: 3, name: 'three brokers' },
  ])('against $name', ({ brokers }) => {
    let bootstrap = ''
    let stop = async (): Promise<void> => {}

    beforeAll(async () => {
      const cluster = await startCluster({ brokers, overrides: { 'group.initial.rebalance.delay.ms': '0' } })
      bootstrap = cluster.bootstrap.join(',')
      stop = () => cluster.stop()
    }, START_TIMEOUT_MS)

    afterAll(() => stop(), START_TIMEOUT_MS)

    define({
      get bootstrap() {
        return bootstrap
      },
      brokers,
      topic: topicNames(),
    })
  })
}

/** Names that no earlier run has used, as an external cluster keeps its topics. */
function topicNames(): (what: string) => string {
  const run = Date.now().toString(36)
  let count = 0
  return (what) => `${what}-${run}-${(count += 1)}`
}
