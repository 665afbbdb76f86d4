/**
 * Keeps one idle connection to every other broker, to notice at once when its process is gone: the connection
 * breaks, and the host refuses new ones to a port that it took them on before.
 *
 * Only an address that was reached under the same registration counts. One that never was (a wrong advertised
 * listener, a firewall) is no proof of anything; the broker's session decides then.
 */
import type { Duplex } from 'node:stream'
import type { BrokerRegistration } from '../metadata/image.ts'
import { type Network, tcp } from '../network/network.ts'
import type { Clock } from '../runtime/clock.ts'

const FIRST_RETRY_MS = 50
const MAX_RETRY_MS = 1000
/** A broker is gone when it has refused this many connections in a row. */
const REFUSALS_OF_THE_GONE = 2

export interface PeerWatchOptions {
  readonly brokerId: number
  /** Name of the listener by which brokers reach each other. */
  readonly listener: string
  readonly gone: (broker: BrokerRegistration) => void
  /** TCP unless given. */
  readonly network?: Network
  readonly clock: Clock
}

interface Watched {
  readonly registration: BrokerRegistration
  socket: Duplex | undefined
  cancelRetry: () => void
  wasReached: boolean
  refusals: number
  retryMs: number
}

export class PeerWatch {
  readonly #options: PeerWatchOptions
  readonly #watched = new Map<number, Watched>()

  constructor(options: PeerWatchOptions) {
    this.#options = options
  }

  /** Watches these brokers, each in its present registration, and no others. */
  update(brokers: ReadonlyMap<number, BrokerRegistration>): void {
    for (const [id, watched] of this.#watched) {
      if (brokers.get(id)?.epoch !== watched.registration.epoch) this.#end(watched)
    }
    for (const registration of brokers.values()) {
      if (registration.id !== this.#options.brokerId && !this.#watched.has(registration.id)) {
        this.#begin(registration)
      }
    }
  }

  close(): void {
    for (const watched of this.#watched.values()) this.#end(watched)
  }

  #begin(registration: BrokerRegistration): void {
    const watched: Watched = {
      registration,
      socket: undefined,
      cancelRetry: () => {},
      wasReached: false,
      refusals: 0,
      retryMs: FIRST_RETRY_MS,
    }
    this.#watched.set(registration.id, watched)
    this.#connect(watched)
  }

  #end(watched: Watched): void {
    this.#watched.delete(watched.registration.id)
    watched.cancelRetry()
    watched.socket?.destroy()
  }

  #connect(watched: Watched): void {
    const { endpoints } = watched.registration
    const endpoint = endpoints.find(({ listener }) => listener === this.#options.listener)
    if (endpoint === undefined) return
    let refused = false
    const socket = (this.#options.network ?? tcp).connect(endpoint)
    watched.socket = socket
    socket.on('connect', () => {
      watched.wasReached = true
      watched.retryMs = FIRST_RETRY_MS
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      refused = error.code === 'ECONNREFUSED'
    })
    socket.on('close', () => this.#lost(watched, refused))
    socket.resume()
  }

  #lost(watched: Watched, refused: boolean): void {
    if (this.#watched.get(watched.registration.id) !== watched) return
    watched.refusals = refused ? watched.refusals + 1 : 0
    watched.cancelRetry = this.#options.clock.after(watched.retryMs, () => this.#connect(watched))
    watched.retryMs = Math.min(watched.retryMs * 2, MAX_RETRY_MS)
    if (watched.wasReached && watched.refusals === REFUSALS_OF_THE_GONE) {
      this.#options.gone(watched.registration)
    }
  }
}
