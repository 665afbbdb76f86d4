/**
 * The open connections of one broker, over all of its listeners, and the limits on them: `max.connections`,
 * `max.connections.per.ip` with its overrides, `max.connection.creation.rate`, and the quota `connection_creation_rate` of
 * addresses. The limits are asked for each time.
 */
import type { Clock } from '../runtime/clock.ts'
import { AddressRates } from './address-rates.ts'
import type { Connection } from './connection.ts'

/** Which setting forbids a connection. */
export type Refusal =
  | 'max.connections'
  | 'max.connections.per.ip'
  | 'max.connection.creation.rate'
  | 'connection_creation_rate'

/** What has come and gone, in bytes. */
export interface Traffic {
  readonly bytesRead: number
  readonly bytesWritten: number
}

export interface ConnectionLimits {
  /** Connections at the same time. */
  readonly all: () => number
  /** Connections of one address at the same time. */
  readonly ofAddress: (address: string) => number
  /** New connections per second. */
  readonly rate: () => number
  /** New connections of one address per second. */
  readonly rateOfAddress: (address: string) => number
}

const SECOND_MS = 1000
/** For how long a connection beyond the rate may have to wait; others are refused. */
const MAX_DELAY_MS = 10_000

export class Connections {
  readonly #limits: ConnectionLimits
  readonly #clock: Clock
  /** With their sockets, which count the bytes. */
  readonly #open = new Map<Connection, Traffic>()
  /** Of connections that are gone. */
  readonly #gone = { bytesRead: 0, bytesWritten: 0 }
  readonly #addressRates: AddressRates
  /** Open, or about to be, by address. */
  readonly #byAddress = new Map<string, number>()
  /** When the next connection is due at the rate; the past while fewer come. */
  #nextDueMs = 0
  #onEmpty: () => void = () => {}

  constructor(limits: ConnectionLimits, clock: Clock) {
    this.#limits = limits
    this.#clock = clock
    this.#addressRates = new AddressRates(limits.rateOfAddress, clock)
  }

  get size(): number {
    return this.#open.size
  }

  /** Which limit forbids one more connection of this address, that is being made. */
  refusal(address: string): Refusal | undefined {
    if (this.#open.size >= this.#limits.all()) return 'max.connections'
    const ofAddress = this.#byAddress.get(address) ?? 0
    if (ofAddress >= this.#limits.ofAddress(address)) return 'max.connections.per.ip'
    const waitMs = this.#nextDueMs - this.#clock.monotonicMs()
    if (waitMs > MAX_DELAY_MS) return 'max.connection.creation.rate'
    return this.#addressRates.admits(address) ? undefined : 'connection_creation_rate'
  }

  /** Takes a new connection's turn; how long it must wait. A second's worth of them may come at once. */
  turnMs(): number {
    const nowMs = this.#clock.monotonicMs()
    const waitMs = Math.max(this.#nextDueMs - nowMs, 0)
    this.#nextDueMs = Math.max(this.#nextDueMs, nowMs - SECOND_MS) + SECOND_MS / this.#limits.rate()
    return waitMs
  }

  /** Counts an address's connection from when it was made; what it returns counts it as gone. */
  count(address: string): () => void {
    this.#byAddress.set(address, (this.#byAddress.get(address) ?? 0) + 1)
    return () => {
      const left = (this.#byAddress.get(address) ?? 0) - 1
      if (left > 0) this.#byAddress.set(address, left)
      else this.#byAddress.delete(address)
    }
  }

  add(connection: Connection, traffic: Traffic): void {
    this.#open.set(connection, traffic)
  }

  remove(connection: Connection): void {
    const traffic = this.#open.get(connection)
    this.#gone.bytesRead += traffic?.bytesRead ?? 0
    this.#gone.bytesWritten += traffic?.bytesWritten ?? 0
    this.#open.delete(connection)
    if (this.#open.size === 0) this.#onEmpty()
  }

  /** Over all connections that were ever open. */
  get traffic(): Traffic {
    const sum = { ...this.#gone }
    for (const { bytesRead, bytesWritten } of this.#open.values()) {
      sum.bytesRead += bytesRead
      sum.bytesWritten += bytesWritten
    }
    return sum
  }

  /** Lets requests in process finish for up to `graceMs`, then closes whatever is left. */
  async closeAll(graceMs: number): Promise<void> {
    if (this.#open.size === 0) return
    const emptied = new Promise<void>((resolve) => {
      this.#onEmpty = resolve
    })
    for (const connection of this.#open.keys()) connection.close()
    const cancel = this.#clock.after(graceMs, () => {
      for (const connection of this.#open.keys()) connection.destroy()
    })
    await emptied
    cancel()
  }
}
