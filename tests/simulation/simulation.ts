/**
 * One run: three brokers on a quorum, clients that write and read all the time, faults; then everything is mended, and
 * what is there is held against what clients were told. The seed decides everything.
 */
import { CreateTopics } from '../../broker/protocol/apis/create-topics.ts'
import { splitBatches } from '../../broker/protocol/record-batch.ts'
import { decodeImage } from './image-of-quorum.ts'
import { Client } from './client.ts'
import { Faults } from './faults.ts'
import { History } from './history.ts'
import { BROKER_PORT, LOG_DIRECTORY, SimulatedBroker } from './simulated-broker.ts'
import { SimulatedNetwork } from './simulated-network.ts'
import { SimulatedQuorum } from './simulated-quorum.ts'
import { DeadProcessError } from './simulated-process.ts'
import { Story } from './story.ts'
import { fetchFrom, TOPIC, Workload } from './workload.ts'
import { World } from './world.ts'

const BROKERS = 3
const START_LIMIT_MS = 30_000
/** How long a mended cluster may take until all replicas are in sync and all writes done. */
const RECOVERY_LIMIT_MS = 120_000
const CHECK_MS = 200

const SETTINGS: Readonly<Record<string, string>> = {
  'default.replication.factor': '3',
  'min.insync.replicas': '2',
  'replica.lag.time.max.ms': '5000',
  'log.segment.bytes': String(1024 * 1024),
  'log.index.interval.bytes': '500',
  'replica.high.watermark.checkpoint.interval.ms': '2000',
  'log.flush.offset.checkpoint.interval.ms': '3000',
}

export interface SimulationOptions {
  readonly seed: number
  /** How long faults go on, in simulated time. */
  readonly durationMs: number
  readonly partitions: number
}

export interface SimulationResult {
  readonly seed: number
  readonly violations: readonly string[]
  readonly story: readonly string[]
  readonly acknowledged: number
  readonly faults: number
  readonly simulatedMs: number
  readonly happenings: number
}

export class Simulation {
  readonly #options: SimulationOptions
  readonly world: World
  readonly story: Story
  readonly #network: SimulatedNetwork
  readonly #quorum: SimulatedQuorum
  readonly brokers: readonly SimulatedBroker[]
  readonly #client: Client
  readonly #histories: readonly History[]

  constructor(options: SimulationOptions) {
    this.#options = options
    this.world = new World(options.seed)
    this.story = new Story(this.world)
    this.#network = new SimulatedNetwork(this.world)
    this.#quorum = new SimulatedQuorum(this.world, this.#network)
    const { world, story } = this
    const cluster = { world, story, network: this.#network, quorum: this.#quorum, settings: SETTINGS }
    this.brokers = Array.from(
      { length: BROKERS },
      (_unused, index) => new SimulatedBroker(index + 1, cluster),
    )
    const addresses = new Map(this.brokers.map(({ id, host }) => [id, { host, port: BROKER_PORT }]))
    this.#client = new Client(world, this.#network, addresses)
    this.#histories = Array.from(
      { length: options.partitions },
      (_unused, index) => new History(`${TOPIC}-${index}`, story),
    )
  }

  /** Resolves with what was found; a run that does not come to its end is a violation like any other. */
  async run(): Promise<SimulationResult> {
    const faults = this.#newFaults()
    const onStray = (error: unknown): void => {
      if (!(error instanceof DeadProcessError))
        this.story.violation(`nobody caught ${(error as Error)?.stack ?? String(error)}`)
    }
    process.on('unhandledRejection', onStray)
    process.on('uncaughtException', onStray)
    try {
      await this.#play(faults)
    } catch (error) {
      if (this.story.violations.length === 0) this.story.violation((error as Error).message)
    } finally {
      for (const broker of this.brokers) broker.kill()
      process.off('unhandledRejection', onStray)
      process.off('uncaughtException', onStray)
    }
    return {
      seed: this.#options.seed,
      violations: this.story.violations,
      story: this.story.lines,
      acknowledged: this.#histories.reduce((sum, { acknowledgedCount }) => sum + acknowledgedCount, 0),
      faults: faults.count,
      simulatedMs: this.world.nowMs,
      happenings: this.world.happenings,
    }
  }

  #newFaults(): Faults {
    return new Faults({
      world: this.world,
      network: this.#network,
      quorum: this.#quorum,
      brokers: this.brokers,
      story: this.story,
      isWhole: () => this.#isWhole(),
    })
  }

  #partitions(): readonly { readonly leader: number; readonly isr: readonly number[] }[] {
    return decodeImage(this.#quorum.wholeTree()).topics.get(TOPIC)?.partitions ?? []
  }

  async #play(faults: Faults): Promise<void> {
    const { world, story } = this
    for (const broker of this.brokers) broker.start()
    await world.until(this.#allServe(), START_LIMIT_MS, 'three brokers serve')
    await world.until(this.#createTopic(), START_LIMIT_MS, 'the topic is there')
    const workload = new Workload({ world, story, client: this.#client, histories: this.#histories })
    workload.start()
    faults.start()
    await world.until(world.sleep(this.#options.durationMs), this.#options.durationMs + 1, 'time passes')
    story.tell('FAULT', 'no more; all is mended')
    faults.stop()
    await world.until(this.#recovered(), RECOVERY_LIMIT_MS, `all replicas in sync again: ${this.#describe()}`)
    await world.until(workload.stop(), RECOVERY_LIMIT_MS, 'every write is acknowledged')
    await world.until(this.#recovered(), RECOVERY_LIMIT_MS, 'all replicas in sync at the end')
    await world.until(this.#checkEnd(), RECOVERY_LIMIT_MS, 'everything is read once more')
  }

  #describe(): string {
    return JSON.stringify(this.#partitions())
  }

  async #poll(condition: () => boolean): Promise<void> {
    while (!condition()) await this.world.sleep(CHECK_MS)
  }

  #allServe(): Promise<void> {
    return this.#poll(() => this.brokers.every(({ isServing }) => isServing))
  }

  #recovered(): Promise<void> {
    return this.#poll(() => this.#isWhole())
  }

  #isWhole(): boolean {
    return (
      this.brokers.every(({ isServing }) => isServing) &&
      this.#partitions().every(({ isr, leader }) => isr.length === BROKERS && leader !== -1)
    )
  }

  async #createTopic(): Promise<void> {
    for (;;) {
      const topic = {
        name: TOPIC,
        numPartitions: this.#options.partitions,
        replicationFactor: BROKERS,
        assignments: [],
        configs: [],
      }
      const response = await this.#client.send(1, CreateTopics, 7, { topics: [topic] }).catch(() => undefined)
      if (response?.topics[0]?.errorCode === 0) break
      await this.world.sleep(CHECK_MS)
    }
    await this.#recovered()
  }

  async #checkEnd(): Promise<void> {
    for (const [index, history] of this.#histories.entries()) {
      history.checkEnd(await this.#readAll(index))
      this.#compareReplicas(index)
    }
  }

  async #readAll(index: number): Promise<ReadonlyMap<number, { value: string; leaderEpoch: number }>> {
    const records = new Map<number, { value: string; leaderEpoch: number }>()
    for (let offset = 0; ;) {
      const leader = await this.#client.leaderOf(TOPIC, index)
      const found = leader && (await fetchFrom(this.#client, leader, index, offset))
      if (found === undefined || found.error !== 'NONE') await this.world.sleep(CHECK_MS)
      else {
        for (const [at, record] of found.records) records.set(at, record)
        offset = Math.max(-1, ...records.keys()) + 1
        if (offset >= found.highWatermark) return records
      }
    }
  }

  /** All writes are acknowledged by all replicas: their logs hold the same bytes. */
  #compareReplicas(index: number): void {
    const logs = this.brokers.map((broker) => ({ broker, bytes: logBytes(broker, index) }))
    const [first, ...others] = logs
    for (const other of others) {
      if (!first!.bytes.equals(other.bytes)) {
        this.story.violation(
          `${TOPIC}-${index}: the logs of brokers ${first!.broker.id} (${batchesIn(first!.bytes)}) and ${other.broker.id} (${batchesIn(other.bytes)}) differ`,
        )
      }
    }
  }
}

function logBytes(broker: SimulatedBroker, index: number): Buffer {
  const files = broker.disk
    .filesIn(`${LOG_DIRECTORY}/${TOPIC}-${index}`)
    .filter((name) => name.endsWith('.log'))
  return Buffer.concat(files.map((name) => broker.disk.contentOf(name) ?? Buffer.alloc(0)))
}

function batchesIn(bytes: Buffer): string {
  const batches = splitBatches(bytes)
  return `${batches.length} batches, ${batches[0]?.baseOffset ?? 0} to ${batches.at(-1)?.lastOffset ?? -1}`
}
