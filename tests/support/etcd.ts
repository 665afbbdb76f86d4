/** Real etcd members on the loopback, with data in a temporary folder: to be killed, frozen and started again. */
import { spawn, type ChildProcess } from 'node:child_process'
import { openSync, closeSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { EtcdProgram } from '../setup/etcd.ts'

const READY_TIMEOUT_MS = 30_000
const ASK_AGAIN_MS = 50
const ASK_TIMEOUT_MS = 1_000

interface Status {
  readonly leader?: string
  readonly header?: { readonly member_id: string; readonly revision: string }
}

export class EtcdMember {
  readonly name: string
  /** "127.0.0.1:port", where clients reach it. */
  readonly address: string
  readonly peerAddress: string
  readonly #program: string
  readonly #folder: string
  #cluster = ''
  #process: ChildProcess | undefined
  #exited: Promise<void> = Promise.resolve()

  constructor(name: string, program: string, folder: string, address: string, peerAddress: string) {
    this.name = name
    this.#program = program
    this.#folder = folder
    this.address = address
    this.peerAddress = peerAddress
  }

  /** Starts the member with the data that it has, without waiting for a leader. */
  start(cluster = this.#cluster): void {
    this.#cluster = cluster
    const log = openSync(this.#logFile, 'a')
    const client = `http://${this.address}`
    const peer = `http://${this.peerAddress}`
    const options: Readonly<Record<string, string>> = {
      name: this.name,
      'data-dir': path.join(this.#folder, this.name),
      'listen-client-urls': client,
      'advertise-client-urls': client,
      'listen-peer-urls': peer,
      'initial-advertise-peer-urls': peer,
      'initial-cluster': cluster,
      'initial-cluster-state': 'new',
      logger: 'zap',
      'log-level': 'warn',
    }
    const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value])
    const child = spawn(this.#program, args, { stdio: ['ignore', log, log] })
    closeSync(log)
    this.#process = child
    this.#exited = new Promise((resolve) => {
      child.once('exit', () => resolve())
      child.once('error', () => resolve())
    })
  }

  /** SIGKILL; resolves once it is gone. */
  async kill(): Promise<void> {
    this.#process?.kill('SIGKILL')
    await this.#exited
    this.#process = undefined
  }

  /** SIGSTOP: connections stay open, nothing is answered. */
  pause(): void {
    this.#process?.kill('SIGSTOP')
  }

  resume(): void {
    this.#process?.kill('SIGCONT')
  }

  /** Undefined when it does not answer. */
  async status(): Promise<Status | undefined> {
    try {
      return (await this.post('/v3/maintenance/status', {})) as Status
    } catch {
      return undefined
    }
  }

  async isLeader(): Promise<boolean> {
    const status = await this.status()
    return status?.header !== undefined && status.leader === status.header.member_id
  }

  /** One call of the JSON gateway, for what the driver under test does not offer (compaction, reading behind its back). */
  async post(call: string, body: object): Promise<unknown> {
    const response = await fetch(`http://${this.address}${call}`, {
      method: 'POST',
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(ASK_TIMEOUT_MS),
    })
    if (!response.ok) throw new Error(`${call}: ${response.status} ${await response.text()}`)
    return response.json()
  }

  log(): string {
    return readFileSync(this.#logFile, 'utf8').slice(-4_000)
  }

  get #logFile(): string {
    return path.join(this.#folder, `${this.name}.log`)
  }
}

export class EtcdCluster {
  readonly members: readonly EtcdMember[]
  readonly #folder: string
  readonly #onExit = (): void => this.members.forEach((member) => void member.kill())

  constructor(members: readonly EtcdMember[], folder: string) {
    this.members = members
    this.#folder = folder
    process.once('exit', this.#onExit)
  }

  /** quorum.connect without a chroot: "127.0.0.1:p1,127.0.0.1:p2,127.0.0.1:p3". */
  get connect(): string {
    return this.members.map(({ address }) => address).join(',')
  }

  /** The member that leads, once all members that answer agree on one. */
  async leader(): Promise<EtcdMember> {
    const deadline = performance.now() + READY_TIMEOUT_MS
    while (performance.now() < deadline) {
      const statuses = await Promise.all(this.members.map((member) => member.status()))
      const named = new Set(
        statuses.flatMap((status) => (status === undefined ? [] : [status.leader ?? '0'])),
      )
      const at = statuses.findIndex((status) => status?.header && status.header.member_id === status.leader)
      if (named.size === 1 && at >= 0) return this.members[at]!
      await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS))
    }
    throw new Error(
      `no etcd leader within ${READY_TIMEOUT_MS} ms:\n${this.members.map((m) => m.log()).join('\n')}`,
    )
  }

  /** Kills all members and removes their data. */
  async stop(): Promise<void> {
    process.removeListener('exit', this.#onExit)
    await Promise.all(this.members.map((member) => member.kill()))
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 5 })
  }
}

/** Starts a quorum and waits for its leader. */
export async function startEtcd(
  program: EtcdProgram,
  options: { members?: number } = {},
): Promise<EtcdCluster> {
  const folder = await mkdtemp(path.join(tmpdir(), 'brokerkit-etcd-'))
  const count = options.members ?? 3
  const ports = await freePorts(count * 2)
  const address = (port: number | undefined): string => `127.0.0.1:${port}`
  const members = Array.from(
    { length: count },
    (_, i) =>
      new EtcdMember(`m${i + 1}`, program.path, folder, address(ports[2 * i]), address(ports[2 * i + 1])),
  )
  const cluster = new EtcdCluster(members, folder)
  const names = members.map(({ name, peerAddress }) => `${name}=http://${peerAddress}`).join(',')
  for (const member of members) member.start(names)
  try {
    await cluster.leader()
  } catch (error) {
    await cluster.stop()
    throw error
  }
  return cluster
}

/** Ports that were free together a moment ago. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer()
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      return server
    }),
  )
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}
