/** One machine with a broker on it: the real one (broker/server.ts), on a simulated clock, network, disk and quorum. */
import { loadConfig } from '../../broker/config/config.ts'
import { BrokerServer } from '../../broker/server.ts'
import { SimulatedDisk } from './simulated-disk.ts'
import type { SimulatedNetwork } from './simulated-network.ts'
import { SimulatedProcess } from './simulated-process.ts'
import type { SimulatedQuorum } from './simulated-quorum.ts'
import type { Story } from './story.ts'
import type { World } from './world.ts'

export const BROKER_PORT = 9092
export const LOG_DIRECTORY = '/data/logs'
/** systemd's RestartSec and the time that a process takes to load. */
const RESTART_MS = 1_000
const AMPLE_SPACE = { fileSystem: 'simulated', totalBytes: 2 ** 40, usableBytes: 2 ** 39 }
/** After that broker/main.ts exits whatever is still under way. */
const STOP_TIMEOUT_MS = 10_000

export interface SimulatedCluster {
  readonly world: World
  readonly network: SimulatedNetwork
  readonly quorum: SimulatedQuorum
  readonly story: Story
  readonly settings: Readonly<Record<string, string>>
}

export class SimulatedBroker {
  readonly id: number
  readonly host: string
  readonly disk: SimulatedDisk
  readonly #cluster: SimulatedCluster
  #process: SimulatedProcess
  #server: BrokerServer | undefined
  /** Whether it is to run: what ends by itself is started again, as systemd does. */
  #wanted = false
  clockOffsetMs = 0
  #boots = 1
  isServing = false

  constructor(id: number, cluster: SimulatedCluster) {
    this.id = id
    this.host = `broker-${id}`
    this.#cluster = cluster
    this.disk = new SimulatedDisk(cluster.world.random)
    this.#process = this.#newProcess()
    this.#process.kill()
  }

  get address(): { host: string; port: number } {
    return { host: this.host, port: BROKER_PORT }
  }

  get isRunning(): boolean {
    return !this.#process.isDead
  }

  get isPaused(): boolean {
    return this.#process.isPaused
  }

  #newProcess(): SimulatedProcess {
    return new SimulatedProcess(this.#cluster.world, this.host, () => this.clockOffsetMs)
  }

  start(): void {
    this.#wanted = true
    if (this.isRunning) return
    const { world, network, quorum, story } = this.#cluster
    network.powerOn(this.host)
    const process = this.#newProcess()
    this.#process = process
    const server = new BrokerServer({
      config: loadConfig({
        'node.id': String(this.id),
        listeners: `PLAINTEXT://${this.host}:${BROKER_PORT}`,
        'log.dirs': LOG_DIRECTORY,
        'quorum.connect': 'quorum:2379',
        ...this.#cluster.settings,
      }),
      clock: process.clock,
      logger: story.logger(this.id),
      random: world.random,
      onFailure: (error) => {
        story.tell(this.id, `fails: ${error.message}`)
        this.#endedByItself(process)
      },
      surroundings: {
        network: network.of(process),
        store: quorum.storeOf(process),
        files: this.disk.of(process),
        lock: () => ({ release: () => {} }),
        measure: () => Promise.resolve(AMPLE_SPACE),
        bootId: `boot ${this.#boots}`,
      },
    })
    this.#server = server
    server.start().then(
      () => {
        if (this.#process === process) this.isServing = true
      },
      (error: unknown) => {
        if (process.isDead) return
        story.tell(this.id, `does not start: ${String(error)}`)
        this.#endedByItself(process)
      },
    )
  }

  #endedByItself(process: SimulatedProcess): void {
    if (process.isDead) return
    this.#end(process)
    this.#cluster.world.after(RESTART_MS, () => {
      if (this.#wanted && this.#process === process) this.start()
    })
  }

  #end(process: SimulatedProcess): void {
    if (process === this.#process) this.isServing = false
    process.kill()
  }

  /** kill -9: what it wrote stays in the machine's memory and on its disk. */
  kill(): void {
    this.#wanted = false
    this.#end(this.#process)
  }

  /** The machine is dark: nobody is told, and unsynced writes are lost or torn. */
  cutPower(): void {
    this.#wanted = false
    this.#cluster.network.powerOff(this.host)
    this.#end(this.#process)
    this.disk.losePower()
    this.#boots += 1
  }

  pause(): void {
    this.#process.pause()
  }

  continue(): void {
    this.#process.continue()
  }

  /** SIGTERM: ends when it has handed over and closed, or when systemd loses patience. */
  stop(): void {
    this.#wanted = false
    const process = this.#process
    const server = this.#server
    if (process.isDead || server === undefined) return
    this.isServing = false
    this.#cluster.world.after(STOP_TIMEOUT_MS, () => this.#end(process))
    process.run(() => {
      void server.stop().then(() => this.#end(process))
    })
  }
}
