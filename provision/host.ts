/**
 * One host over SSH: run a command, send bytes to it, get its output. The only file that knows ssh2.
 *
 * Host keys are checked against what the operator gave; an unknown or another key refuses the connection, and the
 * message says which fingerprint was offered. Every wait has a bound: connecting, silence (keepalives), a command.
 */
import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { Readable, Transform } from 'node:stream'
import ssh2 from 'ssh2'
import type { Client, ClientChannel, ConnectConfig, ServerHostKeyAlgorithm } from 'ssh2'
import { commandLine, type Command } from './commands/shell.ts'
import { algorithmsOf, fingerprint, hostKeyOf, sameKey, type HostKey, type KnownKeys } from './known-hosts.ts'
import { ProvisionError } from './provision-error.ts'

export interface Address {
  /** How people call it: "node 1 (broker-1)". */
  readonly name: string
  readonly host: string
  readonly port: number
  readonly user: string
}

export interface Credentials {
  /** A private key file without a passphrase; without one, the agent at `agentSocket` is asked. */
  readonly identityFile?: string
  readonly agentSocket?: string
}

export interface RunOptions {
  readonly stdin?: string | Buffer | { readonly file: string }
  readonly timeoutMs?: number
  /** Called as `stdin` is taken, with the bytes sent so far. */
  readonly onProgress?: (sentBytes: number) => void
  /** Called with each piece of stdout as it arrives. */
  readonly onOutput?: (text: string) => void
}

export interface Output {
  readonly stdout: string
  readonly stderr: string
  /** Null when a signal ended the command. */
  readonly exitCode: number | null
}

/** What steps and runbooks need of a host; tests hand in another. */
export interface Host {
  readonly name: string
  /** Runs a command to its end; rejects with CommandFailed unless it exits with 0. */
  run(command: Command, options?: RunOptions): Promise<Output>
  /** Runs a command to its end, whatever its exit code. */
  attempt(command: Command, options?: RunOptions): Promise<Output>
  /** Runs a command that lives until its stdin is closed: by the result, which waits for its end, or with the connection. */
  hold(command: Command, isReady: (stdout: string) => boolean): Promise<() => Promise<void>>
  close(): void
}

/** The host cannot be reached or used; the message is for the operator. */
export class HostError extends ProvisionError {
  override name = 'HostError'
}

export class CommandFailed extends HostError {
  readonly output: Output

  constructor(host: string, command: Command, output: Output) {
    const ended = output.exitCode === null ? 'was killed' : `failed with exit code ${output.exitCode}`
    const said = (output.stderr.trim() || output.stdout.trim()).split('\n').slice(-5).join('\n  ')
    super(`${host}: ${summary(command)} ${ended}${said === '' ? '' : `:\n  ${said}`}`)
    this.output = output
  }
}

const CONNECT_TIMEOUT_MS = 15_000
const KEEPALIVE_MS = 5_000
const KEEPALIVE_FAILURES = 4
const RUN_TIMEOUT_MS = 60_000
const RELEASE_TIMEOUT_MS = 5_000
const MAX_OUTPUT_CHARS = 4 * 1024 * 1024

/** Connects and authenticates; rejects with a HostError that says what to do about it. */
export async function connect(address: Address, credentials: Credentials, known: KnownKeys): Promise<Host> {
  const auth = await authentication(address, credentials)
  const client = new ssh2.Client()
  let refusal: string | undefined
  const config: ConnectConfig = {
    host: address.host,
    port: address.port,
    username: address.user,
    ...auth,
    readyTimeout: CONNECT_TIMEOUT_MS,
    timeout: CONNECT_TIMEOUT_MS,
    keepaliveInterval: KEEPALIVE_MS,
    keepaliveCountMax: KEEPALIVE_FAILURES,
    hostVerifier: (key: Buffer): boolean => {
      refusal = refuseKey(address, key, known)
      return refusal === undefined
    },
    ...preferKnownTypes(known.accepted),
  }
  await new Promise<void>((resolve, reject) => {
    client.once('ready', resolve)
    client.once('error', (error) => reject(new HostError(refusal ?? explain(address, error))))
    client.once('close', () => reject(new HostError(`${address.name}: the connection was closed`)))
    client.connect(config)
  })
  return new SshHost(address, client)
}

class SshHost implements Host {
  readonly name: string
  readonly #user: string
  readonly #client: Client
  #failure: string | undefined
  #isClosed = false

  constructor(address: Address, client: Client) {
    this.name = address.name
    this.#user = address.user
    this.#client = client
    client.removeAllListeners('error')
    client.on('error', (error) => (this.#failure = explain(address, error)))
    client.on('close', () => (this.#isClosed = true))
  }

  async run(command: Command, options: RunOptions = {}): Promise<Output> {
    const output = await this.attempt(command, options)
    if (output.exitCode === 0) return output
    throw this.#failed(command, output)
  }

  async attempt(command: Command, options: RunOptions = {}): Promise<Output> {
    const timeoutMs = options.timeoutMs ?? RUN_TIMEOUT_MS
    const { channel, ended } = await this.#start(command, options.onOutput)
    let timedOut = false
    const timer = setTimeout(() => {
      timedOut = true
      channel.destroy()
    }, timeoutMs)
    try {
      const [output] = await Promise.all([ended, send(channel, options)])
      return this.#complete(command, output, timedOut)
    } finally {
      clearTimeout(timer)
    }
  }

  async hold(command: Command, isReady: (stdout: string) => boolean): Promise<() => Promise<void>> {
    let stdout = ''
    let ready = (): void => {}
    const readiness = new Promise<undefined>((resolve) => (ready = () => resolve(undefined)))
    const { channel, ended } = await this.#start(command, (text) => {
      stdout += text
      if (isReady(stdout)) ready()
    })
    const timer = setTimeout(() => channel.destroy(), RUN_TIMEOUT_MS)
    try {
      const output = await Promise.race([readiness, ended])
      if (output === undefined) return () => release(channel, ended)
      throw this.#failed(command, this.#complete(command, output, true))
    } finally {
      clearTimeout(timer)
    }
  }

  close(): void {
    this.#client.end()
  }

  /** Listens to the channel at once: a short command's end can be in the same packet as its start. */
  #start(command: Command, onOutput?: (text: string) => void): Promise<Started> {
    return new Promise((resolve, reject) => {
      if (this.#isClosed) return reject(this.#lost(command, false))
      this.#client.exec(commandLine(command), (error, channel) => {
        if (error) reject(new HostError(`${this.name}: ${summary(command)} was refused: ${error.message}`))
        else resolve({ channel, ended: collect(channel, onOutput) })
      })
    })
  }

  #complete(command: Command, { exitCode, ...output }: Collected, timedOut: boolean): Output {
    if (exitCode === undefined) throw this.#lost(command, timedOut)
    return { ...output, exitCode }
  }

  #failed(command: Command, output: Output): HostError {
    if (!command.asRoot || !/^sudo: (a password|a terminal) is required/m.test(output.stderr)) {
      return new CommandFailed(this.name, command, output)
    }
    return new HostError(
      `${this.name}: sudo asks ${this.#user} for a password. Give this user passwordless sudo ` +
        `(e.g. "${this.#user} ALL=(ALL) NOPASSWD:ALL" in /etc/sudoers.d/90-${this.#user}) or connect as another.`,
    )
  }

  #lost(command: Command, timedOut: boolean): HostError {
    if (this.#failure !== undefined) return new HostError(this.#failure)
    const what = timedOut
      ? 'took too long and was given up'
      : 'ended without a result: the connection was lost'
    return new HostError(`${this.name}: ${summary(command)} ${what}`)
  }
}

interface Started {
  readonly channel: ClientChannel
  readonly ended: Promise<Collected>
}

type Collected = Omit<Output, 'exitCode'> & { exitCode: number | null | undefined }

/** The command's output and exit code once its channel has closed; undefined when the channel broke first. */
function collect(channel: ClientChannel, onOutput?: (text: string) => void): Promise<Collected> {
  return new Promise((resolve) => {
    let stdout = ''
    let stderr = ''
    let exitCode: number | null | undefined
    channel.setEncoding('utf8')
    channel.stderr.setEncoding('utf8')
    channel.on('data', (text: string) => {
      if (stdout.length < MAX_OUTPUT_CHARS) stdout += text
      onOutput?.(text)
    })
    channel.stderr.on('data', (text: string) => {
      if (stderr.length < MAX_OUTPUT_CHARS) stderr += text
    })
    channel.on('error', () => {})
    channel.on('exit', (code: number | null) => (exitCode = code))
    channel.on('close', () => resolve({ stdout, stderr, exitCode }))
  })
}

async function release(channel: ClientChannel, ended: Promise<unknown>): Promise<void> {
  channel.end()
  const timer = setTimeout(() => channel.destroy(), RELEASE_TIMEOUT_MS)
  await ended
  clearTimeout(timer)
}

/** Feeds stdin and closes it. A command that ends without reading all of it is judged by its exit code. */
async function send(channel: ClientChannel, { stdin, onProgress }: RunOptions): Promise<void> {
  if (stdin === undefined) return void channel.end()
  let sentBytes = 0
  const count = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      sentBytes += chunk.length
      onProgress?.(sentBytes)
      done(null, chunk)
    },
  })
  const source =
    typeof stdin === 'string' || Buffer.isBuffer(stdin)
      ? Readable.from([Buffer.from(stdin)])
      : createReadStream(stdin.file, { highWaterMark: 1024 * 1024 })
  await pipeline(source, count, channel, { end: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.path !== undefined) throw error
  })
}

async function authentication(address: Address, credentials: Credentials): Promise<ConnectConfig> {
  const { identityFile, agentSocket } = credentials
  if (identityFile === undefined) {
    if (agentSocket !== undefined) return { agent: agentSocket }
    throw new HostError(
      `${address.name}: no SSH key to log in with: name ssh.identityFile in cluster.yaml, or start an ssh-agent`,
    )
  }
  const privateKey = await readFile(identityFile).catch((error: NodeJS.ErrnoException) => {
    throw new HostError(`${address.name}: the SSH key ${identityFile} cannot be read: ${error.message}`)
  })
  const parsed = ssh2.utils.parseKey(privateKey)
  if (!(parsed instanceof Error)) return { privateKey }
  if (/encrypted|passphrase/i.test(parsed.message)) {
    if (agentSocket !== undefined) return { agent: agentSocket }
    throw new HostError(
      `${address.name}: the SSH key ${identityFile} has a passphrase: add it to an agent (ssh-add ${identityFile})`,
    )
  }
  throw new HostError(`${address.name}: the SSH key ${identityFile} cannot be used: ${parsed.message}`)
}

/** Why this key is not acceptable, or undefined when it is one that we know. */
function refuseKey(address: Address, key: Buffer, known: KnownKeys): string | undefined {
  const offered = hostKeyOf(key)
  const shown = `${offered.split(' ')[0]!} ${fingerprint(key)}`
  if (known.revoked.some((revoked) => sameKey(revoked, offered))) {
    return `${address.name}: ${address.host} offered the key ${shown}, which known_hosts marks as revoked`
  }
  if (known.accepted.some((accepted) => sameKey(accepted, offered))) return undefined
  if (known.accepted.length > 0) {
    return (
      `${address.name}: ${address.host} offered the key ${shown}, which is not the one known for it. ` +
      `Somebody may be in between, or the host was reinstalled. If it was, replace the key in the inventory or known_hosts.`
    )
  }
  const name = address.port === 22 ? address.host : `[${address.host}]:${address.port}`
  return (
    `${address.name}: the host key of ${address.host} is not known. It offered ${shown}.\n` +
    `  If the host's console shows the same fingerprint (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub), accept it ` +
    `by adding this line to known_hosts (or the key to the inventory's hostKeys):\n  ${name} ${offered}`
  )
}

/** Asks for the types of key that we can check, as a server with several would otherwise choose another. */
function preferKnownTypes(keys: readonly HostKey[]): Pick<ConnectConfig, 'algorithms'> {
  if (keys.length === 0) return {}
  const types = [...new Set(keys.flatMap((key) => algorithmsOf(key)))] as ServerHostKeyAlgorithm[]
  return { algorithms: { serverHostKey: types } }
}

function explain(address: Address, error: Error & { code?: string; level?: string }): string {
  const at = `${address.name}: ${address.user}@${address.host}:${address.port}`
  switch (error.code) {
    case 'ECONNREFUSED':
      return `${at} refused the connection: is sshd running there, and is this its port?`
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `${at}: the name ${address.host} cannot be resolved`
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return `${at}: no route to the host: is it up, and is its address right?`
    case undefined:
    default:
  }
  if (error.level === 'client-timeout' || /timed? ?out/i.test(error.message)) {
    return `${at} did not answer in time: is it up, and does a firewall let this machine in?`
  }
  if (error.level === 'client-authentication') {
    return `${at}: the host did not accept our key for the user ${address.user}: is it in ~/.ssh/authorized_keys there?`
  }
  if (/no matching host key|host key format/i.test(error.message)) {
    return `${at}: the host has no key of the type known for it; compare its /etc/ssh/ssh_host_*_key.pub with the inventory`
  }
  return `${at}: ${error.message}`
}

function summary({ argv }: Command): string {
  const shown =
    argv[0] === 'sh' && argv[1] === '-euc' ? (argv[2]!.trim().split('\n')[0] ?? 'sh') : argv.join(' ')
  return `"${shown.length > 80 ? `${shown.slice(0, 77)}…` : shown}"`
}
