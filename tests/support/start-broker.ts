/**
 * Starts one broker as a process of its own, the way operators do: `node broker/main.ts server.properties`.
 * It listens on a free port of the loopback, which it keeps when it is started again.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { formatProperties } from '../../broker/config/properties-file.ts'

const MAIN = path.resolve(import.meta.dirname, '../../broker/main.ts')
const START_TIMEOUT_MS = 30_000

export interface BrokerOptions {
  readonly id?: number
  /** Where server.properties and the logs lie; a temporary folder, removed by `stop`, unless given. */
  readonly folder?: string
  /** quorum.connect; metadata in a file in the folder unless given. */
  readonly quorum?: string
  /** A free port unless given. */
  readonly port?: number
  readonly overrides?: Readonly<Record<string, string>>
  /** Options of node itself. */
  readonly nodeOptions?: readonly string[]
}

/** One line of the broker's log. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly level: string; readonly msg: string }

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** Processes to end should the test run end without ending them. */
const running = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

export class BrokerProcess {
  readonly id: number
  readonly folder: string
  readonly #options: BrokerOptions
  readonly #child: ChildProcess
  readonly #stderr: string[] = []
  readonly logs: LogLine[] = []
  /** Resolves when the process is gone. */
  readonly exited: Promise<Exit>
  #port = 0

  constructor(options: BrokerOptions) {
    this.#options = options
    this.id = options.id ?? 1
    this.folder = options.folder ?? mkdtempSync(path.join(os.tmpdir(), 'brokerkit-broker-'))
    const file = path.join(this.folder, 'server.properties')
    writeFileSync(file, formatProperties(Object.entries(this.#properties())))
    this.#child = spawn(process.execPath, [...(options.nodeOptions ?? []), MAIN, file], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    running.add(this.#child)
    this.exited = once(this.#child, 'exit').then(([code, signal]: (Exit['code'] | Exit['signal'])[]) => {
      running.delete(this.#child)
      return { code: code as Exit['code'], signal: signal as Exit['signal'] }
    })
    this.#child.stderr?.on('data', (chunk: Buffer) => this.#stderr.push(chunk.toString()))
  }

  #properties(): Record<string, string> {
    const { port = 0, quorum, overrides } = this.#options
    return {
      'node.id': String(this.id),
      listeners: `PLAINTEXT://127.0.0.1:${port}`,
      'log.dirs': path.join(this.folder, 'logs'),
      'quorum.connect': quorum ?? `embedded:${path.join(this.folder, 'metadata.db')}`,
      'offsets.topic.num.partitions': '5',
      // Whatever is free where the tests run is enough.
      'disk.reserve.percent': '0',
      'disk.reserve.min.bytes': '0',
      ...overrides,
    }
  }

  get port(): number {
    return this.#port
  }

  /** "host:port", as clients take it. */
  get address(): string {
    return `127.0.0.1:${this.#port}`
  }

  get pid(): number {
    return this.#child.pid!
  }

  get stderr(): string {
    return this.#stderr.join('')
  }

  get logDir(): string {
    return path.join(this.folder, 'logs')
  }

  /** Resolves when it serves; rejects, with its output, when it exits or takes too long. */
  async started(): Promise<this> {
    const lines = createInterface({ input: this.#child.stdout! })
    const serving = new Promise<void>((resolve) => {
      lines.on('line', (line) => {
        const entry = parseLine(line)
        this.logs.push(entry)
        if (entry.msg === 'broker started') {
          this.#port = portOf(entry)
          resolve()
        }
      })
    })
    const timeout = AbortSignal.timeout(START_TIMEOUT_MS)
    await Promise.race([
      serving,
      this.exited.then(({ code, signal }) => {
        throw new Error(`broker ${this.id} exited with ${code ?? signal}: ${this.stderr}`)
      }),
      once(timeout, 'abort').then(() => {
        const output = this.logs.map((entry) => JSON.stringify(entry)).join('\n')
        throw new Error(`broker ${this.id} does not serve after ${START_TIMEOUT_MS} ms:\n${output}`)
      }),
    ])
    return this
  }

  /** Log lines with this message. */
  logged(message: string): LogLine[] {
    return this.logs.filter(({ msg }) => msg === message)
  }

  /** Sends a signal, and waits for the end that it brings. */
  async end(signal: NodeJS.Signals): Promise<Exit> {
    this.#child.kill('SIGCONT')
    this.#child.kill(signal)
    return this.exited
  }

  /** Stops it as an operator does, and removes the folder unless that was given. */
  async stop(): Promise<Exit> {
    const exit = await this.end('SIGTERM')
    if (this.#options.folder === undefined) rmSync(this.folder, { recursive: true, force: true })
    return exit
  }

  /** The process stands still: its connections stay open, nothing is answered. */
  pause(): void {
    this.#child.kill('SIGSTOP')
  }

  resume(): void {
    this.#child.kill('SIGCONT')
  }

  /** A signal whose effect is not waited for. */
  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }
}

function parseLine(line: string): LogLine {
  try {
    return JSON.parse(line) as LogLine
  } catch {
    return { level: 'text', msg: line }
  }
}

function portOf(entry: LogLine): number {
  const [listener] = entry['listeners'] as string[]
  return Number(/:(\d+)$/.exec(listener ?? '')?.[1])
}

/** Starts a broker and waits until it serves. */
export function startBroker(options: BrokerOptions = {}): Promise<BrokerProcess> {
  return new BrokerProcess(options).started()
}
