/** Starts several brokers, each a process of its own, over one metadata store: to be killed, paused and started again. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { readClusterState } from '../../tools/cluster-state.ts'
import { type BrokerOptions, type BrokerProcess, type Exit, startBroker } from './start-broker.ts'
import { waitUntil } from './wait-until.ts'

export interface ClusterOptions {
  /** How many; their ids are 1, 2, 3, … */
  readonly brokers?: number
  /** quorum.connect; metadata in a file that all brokers share unless given. */
  readonly quorum?: string
  readonly overrides?: Readonly<Record<string, string>>
}

export class TestCluster {
  readonly folder = mkdtempSync(path.join(os.tmpdir(), 'brokerkit-cluster-'))
  readonly #options: ClusterOptions
  readonly #brokers = new Map<number, BrokerProcess>()

  constructor(options: ClusterOptions) {
    this.#options = options
  }

  /** "host:port" of every broker, in the order of their ids. */
  get bootstrap(): string[] {
    return [...this.#brokers.values()].toSorted((a, b) => a.id - b.id).map(({ address }) => address)
  }

  get ids(): number[] {
    return [...this.#brokers.keys()].toSorted((a, b) => a - b)
  }

  /** The last process of this broker. */
  broker(id: number): BrokerProcess {
    const broker = this.#brokers.get(id)
    if (broker === undefined) throw new Error(`there is no broker ${id}`)
    return broker
  }

  address(id: number): string {
    return this.broker(id).address
  }

  /** Starts a broker for the first time, or again on the port and with the data that it had. */
  async start(id: number, overrides: Readonly<Record<string, string>> = {}): Promise<BrokerProcess> {
    const folder = path.join(this.folder, `broker-${id}`)
    mkdirSync(folder, { recursive: true })
    const port = this.#brokers.get(id)?.port
    const options: BrokerOptions = {
      id,
      folder,
      quorum: this.#options.quorum ?? `embedded:${path.join(this.folder, 'metadata.db')}`,
      overrides: { ...defaults(this.#options.brokers ?? 3), ...this.#options.overrides, ...overrides },
      ...(port === undefined ? {} : { port }),
    }
    const broker = await startBroker(options)
    this.#brokers.set(id, broker)
    return broker
  }

  /** kill -9. */
  kill(id: number): Promise<Exit> {
    return this.broker(id).end('SIGKILL')
  }

  /** SIGTERM: hands leaderships over, closes its logs. */
  shutdown(id: number): Promise<Exit> {
    return this.broker(id).end('SIGTERM')
  }

  pause(id: number): void {
    this.broker(id).pause()
  }

  resume(id: number): void {
    this.broker(id).resume()
  }

  /** Ends all brokers without ceremony and removes their data. */
  async stop(): Promise<void> {
    await Promise.all([...this.#brokers.values()].map((broker) => broker.end('SIGKILL')))
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 })
  }
}

function defaults(brokers: number): Record<string, string> {
  const replicas = String(Math.min(brokers, 3))
  return { 'default.replication.factor': replicas, 'offsets.topic.replication.factor': replicas }
}

/** Starts a cluster and waits until all of its brokers serve, and each of them knows of all. */
export async function startCluster(options: ClusterOptions = {}): Promise<TestCluster> {
  const cluster = new TestCluster(options)
  const starts = Array.from({ length: options.brokers ?? 3 }, (_, index) => cluster.start(index + 1))
  const failure = (await Promise.allSettled(starts)).find(({ status }) => status === 'rejected')
  if (failure?.status !== 'rejected') {
    await Promise.all(cluster.bootstrap.map((address) => waitUntilSeesAll(address, starts.length)))
    return cluster
  }
  await cluster.stop()
  throw failure.reason
}

async function waitUntilSeesAll(address: string, brokers: number): Promise<void> {
  await waitUntil(
    async () => (await readClusterState([address], 5_000)).brokers.length === brokers,
    `${address} knows of ${brokers} brokers`,
  )
}
