/** How fast addresses connect, of those that have a limit (the quota connection_creation_rate of ips, KIP-612). */
import type { Clock } from '../runtime/clock.ts'
import { WindowedRate } from '../runtime/windowed-rate.ts'

/** Kafka's quota.window.num and quota.window.size.seconds, as they are unless set. */
const WINDOWS = 11
const WINDOW_MS = 1000
/** Addresses that are remembered beyond those that connect. */
const MAX_REMEMBERED = 1000

export class AddressRates {
  readonly #limitOf: (address: string) => number
  readonly #clock: Clock
  readonly #rates = new Map<string, WindowedRate>()
  #forgetAt = MAX_REMEMBERED

  /** `limitOf` gives connections per second, Infinity where there is no limit; it is asked each time. */
  constructor(limitOf: (address: string) => number, clock: Clock) {
    this.#limitOf = limitOf
    this.#clock = clock
  }

  /** Counts a new connection; false, and it does not count, where that makes more than the address may have. */
  admits(address: string): boolean {
    const limit = this.#limitOf(address)
    if (limit === Infinity) return true
    const nowMs = this.#clock.monotonicMs()
    const rate = this.#rateOf(address, nowMs)
    rate.record(1, nowMs)
    if (rate.perSecond(nowMs) <= limit) return true
    rate.record(-1, nowMs)
    return false
  }

  #rateOf(address: string, nowMs: number): WindowedRate {
    const known = this.#rates.get(address)
    if (known !== undefined) return known
    if (this.#rates.size >= this.#forgetAt) {
      for (const [other, rate] of this.#rates) if (rate.isIdle(nowMs)) this.#rates.delete(other)
      this.#forgetAt = Math.max(MAX_REMEMBERED, this.#rates.size * 2)
    }
    const rate = new WindowedRate(WINDOWS, WINDOW_MS)
    this.#rates.set(address, rate)
    return rate
  }
}
