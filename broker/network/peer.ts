/**
 * A client of another broker, over one connection that is opened when it is needed and again after it was lost.
 * Requests may be in flight together; the answers come in their order.
 */
import type { Duplex } from 'node:stream'
import { finishFrame, startFrame } from '../protocol/frame.ts'
import { decodeResponseHeader, encodeRequestHeader } from '../protocol/headers.ts'
import { ByteReader } from '../protocol/reader.ts'
import type { AnyApi, DecodedResponse, RequestToSend } from '../protocol/schema.ts'
import type { Clock } from '../runtime/clock.ts'
import { FrameReader } from './frame-reader.ts'
import { type Network, tcp } from './network.ts'

/** The other broker did not answer. `refused`: nothing listens at its address, so it is not running. */
export class PeerUnavailableError extends Error {
  override readonly name = 'PeerUnavailableError'
  readonly refused: boolean

  constructor(message: string, refused: boolean) {
    super(message)
    this.refused = refused
  }
}

export interface PeerOptions {
  readonly host: string
  readonly port: number
  readonly clientId: string
  /** Largest answer accepted. */
  readonly maxFrameBytes: number
  readonly clock: Clock
  /** TCP unless given. */
  readonly network?: Network
}

const MAX_IN_FLIGHT = 100
const FIRST_BACKOFF_MS = 20
const MAX_BACKOFF_MS = 1000

interface InFlight {
  readonly correlationId: number
  readonly decode: (reader: ByteReader) => unknown
  readonly resolve: (response: unknown) => void
  readonly reject: (error: Error) => void
}

export class Peer {
  readonly #options: PeerOptions
  #connecting: Promise<Duplex> | undefined
  #socket: Duplex | undefined
  /** Sent and not yet answered, in order; of the present socket only. */
  #inFlight: InFlight[] = []
  #correlationId = 0
  #failures = 0
  readonly #closed = new AbortController()

  constructor(options: PeerOptions) {
    this.#options = options
  }

  get address(): string {
    return `${this.#options.host}:${this.#options.port}`
  }

  /**
   * Sends one request and resolves with its answer. Rejects with PeerUnavailableError when the connection cannot be
   * made, is lost, or the answer takes longer than `timeoutMs`, connecting included.
   */
  async request<A extends AnyApi>(
    api: A,
    version: number,
    request: RequestToSend<A>,
    timeoutMs: number,
  ): Promise<DecodedResponse<A>> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    const cancel = this.#options.clock.after(timeoutMs, () => {
      reject(new PeerUnavailableError(`${api.name} to ${this.address}: no answer in ${timeoutMs} ms`, false))
      this.#dropConnection()
    })
    this.#connection().then(
      (socket) => this.#send(socket, api, version, request, { resolve, reject }),
      reject,
    )
    try {
      return (await promise) as DecodedResponse<A>
    } finally {
      cancel()
    }
  }

  /** Ends the connection; requests in flight are rejected, as are all later ones. */
  async close(): Promise<void> {
    this.#closed.abort(this.#unavailable('this side has closed the connection'))
    const connecting = this.#connecting
    this.#dropConnection()
    await connecting?.catch(() => {})
  }

  #unavailable(reason: string, refused = false): PeerUnavailableError {
    return new PeerUnavailableError(`broker at ${this.address}: ${reason}`, refused)
  }

  #connection(): Promise<Duplex> {
    this.#connecting ??= this.#connect()
    return this.#connecting
  }

  async #connect(): Promise<Duplex> {
    const { clock, host, port, maxFrameBytes, network = tcp } = this.#options
    const { signal } = this.#closed
    if (this.#failures > 0) {
      const backoffMs = Math.min(FIRST_BACKOFF_MS * 2 ** (this.#failures - 1), MAX_BACKOFF_MS)
      await clock.sleep(backoffMs, signal).catch(() => {})
    }
    if (signal.aborted) throw signal.reason as Error
    const socket = network.connect({ host, port })
    this.#socket = socket
    return new Promise((resolve, reject) => {
      let reason = 'the connection was closed'
      let refused = false
      const frames = new FrameReader(maxFrameBytes)
      socket.on('connect', () => {
        this.#failures = 0
        resolve(socket)
      })
      socket.on('data', (chunk: Buffer) => this.#receive(socket, frames, chunk))
      socket.on('error', (error: NodeJS.ErrnoException) => {
        reason = error.message
        refused = error.code === 'ECONNREFUSED'
      })
      socket.on('close', () => {
        const error = this.#unavailable(reason, refused)
        this.#lost(socket, error)
        reject(error)
      })
    })
  }

  #send<A extends AnyApi>(
    socket: Duplex,
    api: A,
    version: number,
    request: RequestToSend<A>,
    settle: Pick<InFlight, 'resolve' | 'reject'>,
  ): void {
    if (socket !== this.#socket || socket.destroyed)
      return settle.reject(this.#unavailable('the connection was lost'))
    if (this.#inFlight.length >= MAX_IN_FLIGHT) {
      return settle.reject(this.#unavailable(`${MAX_IN_FLIGHT} requests are in flight already`))
    }
    this.#correlationId = (this.#correlationId + 1) % 0x7fff_ffff
    const correlationId = this.#correlationId
    const writer = startFrame()
    encodeRequestHeader(api, { apiVersion: version, correlationId, clientId: this.#options.clientId }, writer)
    api.request.encode(version, request, writer)
    const decode = (reader: ByteReader): unknown => {
      const answered = decodeResponseHeader(api, version, reader)
      if (answered !== correlationId) throw new Error(`answer ${answered} where ${correlationId} was due`)
      return api.response.decode(version, reader)
    }
    this.#inFlight.push({ correlationId, decode, ...settle })
    socket.cork()
    for (const part of finishFrame(writer)) socket.write(part)
    socket.uncork()
  }

  #receive(socket: Duplex, frames: FrameReader, chunk: Buffer): void {
    try {
      for (const frame of frames.push(chunk)) {
        const due = this.#inFlight.shift()
        if (due === undefined) throw new Error('an answer to nothing')
        try {
          due.resolve(due.decode(new ByteReader(frame)))
        } catch (error) {
          due.reject(this.#unavailable(`its answer cannot be read: ${(error as Error).message}`))
          throw error
        }
      }
    } catch (error) {
      socket.destroy(error as Error)
    }
  }

  #lost(socket: Duplex, error: PeerUnavailableError): void {
    if (this.#socket !== socket) return
    this.#socket = undefined
    this.#connecting = undefined
    this.#failures += 1
    for (const { reject } of this.#inFlight.splice(0)) reject(error)
  }

  #dropConnection(): void {
    this.#socket?.destroy()
  }
}
