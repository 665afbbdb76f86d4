/**
 * Apache Kafka's own server, one node with broker and controller in one process (KRaft), in a folder of its own and on
 * free ports of the loopback: what ours is compared with.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'

import { formatProperties } from '../../broker/config/properties-file.ts'
import { Metadata } from '../../broker/protocol/apis/metadata.ts'
import type { KafkaTools } from '../setup/kafka-tools.ts'
import { freePorts } from './free-ports.ts'
import { runProgram } from './run-program.ts'
import { TestClient } from './test-client.ts'
import { waitUntil } from './wait-until.ts'

export const KAFKA_CLUSTER_ID = 'AAAAAAAAAAAAAAAAAAAAAQ'
const START_TIMEOUT_MS = 60_000
const FORMAT_JVM = ['-Xmx256m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']
const LOG_LEVEL = ['-Dorg.slf4j.simpleLogger.defaultLogLevel=warn']

export interface KafkaServerOptions {
  /** Where server.properties and the logs lie; a temporary folder, removed by `stop`, unless given. */
  readonly folder?: string
  /** Of the broker's listener, the controller's being the next; a server that starts again keeps it. */
  readonly port?: number
  /** Settings beyond the minimum, which they may replace. */
  readonly overrides?: Readonly<Record<string, string>>
  /** Options of the JVM; a gigabyte of heap, as Kafka's own script has it, unless given. */
  readonly jvm?: readonly string[]
  /** Levels of features to format with, where they are not to be the newest. */
  readonly features?: Readonly<Record<string, number>>
}

/** Processes to end should the test run end without ending them. */
const running = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

export class KafkaServer {
  /** "host:port", as clients take it. */
  readonly address: string
  readonly folder: string
  readonly #child: ChildProcess
  readonly #exited: Promise<unknown>
  readonly #keepFolder: boolean

  constructor(child: ChildProcess, address: string, folder: string, keepFolder: boolean) {
    this.#child = child
    this.#exited = once(child, 'exit').then(() => running.delete(child))
    this.address = address
    this.folder = folder
    this.#keepFolder = keepFolder
  }

  get pid(): number {
    return this.#child.pid!
  }

  get logDir(): string {
    return path.join(this.folder, 'logs')
  }

  get port(): number {
    return Number(this.address.split(':')[1])
  }

  /** Ends it as a crash would. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#exited
  }

  /** Stops it cleanly, and removes the folder unless that was given. */
  async stop(): Promise<void> {
    this.#child.kill('SIGTERM')
    await this.#exited
    if (!this.#keepFolder) rmSync(this.folder, { recursive: true, force: true })
  }
}

/** Formats the directory where that is needed, starts the server, and waits until it serves. */
export async function startKafkaServer(
  { java, classPath }: KafkaTools,
  options: KafkaServerOptions = {},
): Promise<KafkaServer> {
  const folder = options.folder ?? mkdtempSync(path.join(os.tmpdir(), 'brokerkit-kafka-'))
  const port = options.port ?? (await freePorts(2))
  const file = path.join(folder, 'server.properties')
  writeFileSync(file, formatProperties(Object.entries(serverProperties(folder, port, options.overrides))))
  await runProgram(java, [
    ...FORMAT_JVM,
    ...LOG_LEVEL,
    '-cp',
    classPath,
    'kafka.tools.StorageTool',
    'format',
    '--ignore-formatted',
    '--standalone',
    '--cluster-id',
    KAFKA_CLUSTER_ID,
    '--config',
    file,
    ...Object.entries(options.features ?? {}).flatMap(([name, level]) => ['--feature', `${name}=${level}`]),
  ])
  const jvm = options.jvm ?? ['-Xmx1G', '-Xms1G', '-XX:+UseG1GC']
  const child = spawn(java, [...jvm, ...LOG_LEVEL, '-cp', classPath, 'kafka.Kafka', file], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  running.add(child)
  const server = new KafkaServer(child, `127.0.0.1:${port}`, folder, options.folder !== undefined)
  let errors = ''
  child.stderr.on('data', (chunk: Buffer) => {
    errors = (errors + chunk.toString()).slice(-10_000)
  })
  try {
    await waitUntil(() => child.exitCode !== null || serves(server.address), 'Kafka serves', START_TIMEOUT_MS)
    if (child.exitCode !== null) throw new Error(`it exited with ${child.exitCode}`)
  } catch (error) {
    await server.stop()
    throw new Error(`Apache Kafka's server did not start: ${(error as Error).message}\n${errors}`, {
      cause: error,
    })
  }
  return server
}

function serverProperties(
  folder: string,
  port: number,
  overrides: Readonly<Record<string, string>> = {},
): Record<string, string> {
  return {
    'node.id': '1',
    'process.roles': 'broker,controller',
    'controller.listener.names': 'CONTROLLER',
    'controller.quorum.bootstrap.servers': `127.0.0.1:${port + 1}`,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${port + 1}`,
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
    'log.dirs': path.join(folder, 'logs'),
    'offsets.topic.replication.factor': '1',
    'offsets.topic.num.partitions': '5',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'transaction.state.log.num.partitions': '5',
    'share.coordinator.state.topic.replication.factor': '1',
    'share.coordinator.state.topic.min.isr': '1',
    ...overrides,
  }
}

/** Whether it answers, and its own broker is among those that it names. */
async function serves(address: string): Promise<boolean> {
  let client: TestClient | undefined
  try {
    client = await TestClient.connect(address)
    const { brokers } = await client.request(Metadata, 4, { topics: [], allowAutoTopicCreation: false })
    return brokers.length > 0
  } catch {
    return false
  } finally {
    client?.close()
  }
}
