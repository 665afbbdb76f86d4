/** One listener: accepts connections at exactly the address that the configuration names. */
import type { ListenerConfig } from '../config/listeners.ts'
import type { BufferPool } from '../runtime/buffer-pool.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/logger.ts'
import { Connection, type Overlaps, type Serve } from './connection.ts'
import type { Connections, Refusal } from './connections.ts'
import { ListenError, whyNotListening } from './listen-error.ts'
import { type AcceptedSocket, type Network, type NetworkServer, tcp } from './network.ts'
import type { RequestMemory } from './request-memory.ts'

export interface ListenerOptions {
  readonly config: ListenerConfig
  /** TCP unless given. */
  readonly network?: Network
  readonly serve: Serve
  readonly overlaps?: Overlaps
  readonly connections: Connections
  readonly memory: RequestMemory
  readonly buffers: BufferPool
  readonly backlog: number
  readonly maxFrameBytes: number
  readonly maxIdleMs: number
  readonly clock: Clock
  readonly logger: Logger
}

/** For how long an address that connects too fast learns nothing of its refusal. */
const REFUSED_AFTER_MS = 1000
/** Refused connections that may wait for it. */
const MAX_WAITING = 1000

export class Listener {
  readonly #options: ListenerOptions
  readonly #server: NetworkServer
  #refusing = false
  /** Accepted, and waiting for their turn. */
  readonly #delayed = new Set<AcceptedSocket>()

  constructor(options: ListenerOptions) {
    this.#options = options
    this.#server = (options.network ?? tcp).createServer((socket) => this.#accept(socket))
  }

  get name(): string {
    return this.#options.config.name
  }

  /** The port that was bound. */
  get port(): number {
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error(`listener ${this.name} is not bound`)
    return address.port
  }

  /** Binds; connections are accepted from now on. Rejects with ListenError. */
  async open(): Promise<void> {
    const { config, backlog } = this.#options
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(config, error)))
      const host = config.host === '' ? {} : { host: config.host }
      this.#server.listen({ port: config.port, backlog, ...host }, resolve)
    })
    this.#server.removeAllListeners('error')
    this.#server.on('error', (error) => this.#options.logger.error({ err: error }, 'accepting failed'))
  }

  #accept(socket: AcceptedSocket): void {
    const { clock, connections } = this.#options
    // An IPv4 address, where the listener serves both families, is written as one.
    const clientHost = socket.remoteAddress?.replace(/^::ffff:/, '')
    // Without an address it is gone again already.
    if (clientHost === undefined) return void socket.destroy()
    const refusal = connections.refusal(clientHost)
    if (refusal !== undefined) return this.#refuse(socket, clientHost, refusal)
    this.#refusing = false
    socket.once('close', connections.count(clientHost))
    const waitMs = connections.turnMs()
    if (waitMs === 0) return this.#serve(socket, clientHost)
    this.#delayed.add(socket)
    socket.on('error', () => socket.destroy())
    clock.after(waitMs, () => {
      this.#delayed.delete(socket)
      if (!socket.destroyed) this.#serve(socket, clientHost)
    })
  }

  #serve(socket: AcceptedSocket, clientHost: string): void {
    const { config, connections } = this.#options
    const connection = new Connection({
      ...this.#options,
      socket,
      clientHost,
      listener: config.name,
      onClose: () => connections.remove(connection),
    })
    connections.add(connection, socket)
  }

  /** Logs the first of a row only: whoever is refused tries again at once. */
  #refuse(socket: AcceptedSocket, clientHost: string, limit: Refusal): void {
    const { connections, logger } = this.#options
    if (limit === 'connection_creation_rate') this.#letWait(socket)
    else socket.destroy()
    if (this.#refusing) return
    this.#refusing = true
    logger.warn({ client: clientHost, connections: connections.size, limit }, 'connections refused')
  }

  /** Whoever connects too fast would do so again at once. */
  #letWait(socket: AcceptedSocket): void {
    if (this.#delayed.size >= MAX_WAITING) return void socket.destroy()
    this.#delayed.add(socket)
    socket.on('error', () => socket.destroy())
    socket.once('close', () => this.#delayed.delete(socket))
    this.#options.clock.after(REFUSED_AFTER_MS, () => socket.destroy())
  }

  /** Accepts no more; open connections are `Connections`' business. */
  close(): void {
    this.#server.close()
    for (const socket of this.#delayed) socket.destroy()
  }
}

function listenError(config: ListenerConfig, error: NodeJS.ErrnoException): ListenError {
  const host = config.host.includes(':') ? `[${config.host}]` : config.host
  const where = `listeners: cannot listen on ${config.name}://${host}:${config.port}`
  return new ListenError(`${where}: ${whyNotListening(error)}`)
}
