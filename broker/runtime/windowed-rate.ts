/**
 * How fast something happens, taken over the last windows of a fixed length, and what quotas make of it: the
 * arithmetic of Apache Kafka's Rate, SampledStat and TokenBucket, so that a client is throttled here as there.
 *
 * A window begins with the first event after the one before has ended. The span that the rate is taken over is never
 * shorter than all windows but one: a client that begins may send, at once, what its quota allows in that time.
 */

interface Window {
  readonly startMs: number
  sum: number
}

export class WindowedRate {
  readonly #windows: number
  readonly #windowMs: number
  /** The oldest first. */
  readonly #kept: Window[] = []

  constructor(windows: number, windowMs: number) {
    this.#windows = windows
    this.#windowMs = windowMs
  }

  record(amount: number, nowMs: number): void {
    this.#forget(nowMs)
    const current = this.#kept.at(-1)
    if (current !== undefined && nowMs - current.startMs < this.#windowMs) current.sum += amount
    else this.#kept.push({ startMs: nowMs, sum: amount })
  }

  /** Per second. */
  perSecond(nowMs: number): number {
    this.#forget(nowMs)
    const total = this.#kept.reduce((sum, window) => sum + window.sum, 0)
    return (total * 1000) / this.spanMs(nowMs)
  }

  /** The time that the rate is taken over. */
  spanMs(nowMs: number): number {
    this.#forget(nowMs)
    const elapsedMs = nowMs - (this.#kept[0]?.startMs ?? nowMs)
    const missing = this.#windows - 1 - Math.floor(elapsedMs / this.#windowMs)
    const spanMs = elapsedMs + Math.max(missing, 0) * this.#windowMs
    return spanMs === 0 ? this.#windowMs : spanMs
  }

  /** Nothing has happened in any of the windows: this is as good as new. */
  isIdle(nowMs: number): boolean {
    this.#forget(nowMs)
    return this.#kept.length === 0
  }

  #forget(nowMs: number): void {
    while (this.#kept.length > 0 && nowMs - this.#kept[0]!.startMs >= this.#windows * this.#windowMs) {
      this.#kept.shift()
    }
  }
}

/** How long nothing may happen until the rate is down to `limit` per second; 0 when it is not above. */
export function throttleMs(rate: WindowedRate, limit: number, nowMs: number): number {
  const excess = rate.perSecond(nowMs) - limit
  return excess <= 0 ? 0 : Math.round((excess / limit) * rate.spanMs(nowMs))
}

/** Tokens come at a rate, up to what comes in `burstSeconds`; taking more than there are leaves a debt (KIP-599). */
export class TokenBucket {
  readonly #burstSeconds: number
  #tokens = Infinity
  #updatedMs = 0

  constructor(burstSeconds: number) {
    this.#burstSeconds = burstSeconds
  }

  take(amount: number, perSecond: number, nowMs: number): void {
    this.#tokens = this.#at(perSecond, nowMs) - amount
    this.#updatedMs = nowMs
  }

  /** How long until the debt is paid; 0 without one. */
  debtMs(perSecond: number, nowMs: number): number {
    const tokens = this.#at(perSecond, nowMs)
    return tokens >= 0 ? 0 : Math.round((-tokens * 1000) / perSecond)
  }

  #at(perSecond: number, nowMs: number): number {
    const came = (perSecond * (nowMs - this.#updatedMs)) / 1000
    return Math.min(this.#tokens + came, perSecond * this.#burstSeconds)
  }

  /** As many tokens as there can be: this is as good as new. */
  isIdle(perSecond: number, nowMs: number): boolean {
    return this.#at(perSecond, nowMs) >= perSecond * this.#burstSeconds
  }
}
