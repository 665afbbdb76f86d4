/**
 * Bounded waits of requests: for the high watermark (acks=all) and for bytes to read (the long poll of
 * Fetch). Each ends by itself at its deadline, so there are never more than there are requests in process.
 */
import type { KafkaError } from '../protocol/errors.ts'
import type { Clock } from '../runtime/clock.ts'

interface OffsetWaiter {
  readonly offset: number
  resolve(): void
  reject(error: KafkaError): void
}

/** Waits until an offset that only grows (the high watermark) has reached given ones. */
export class OffsetWaiters {
  readonly #clock: Clock
  /** By offset, the lowest first. Appends come in order, so that a new one nearly always goes to the end. */
  readonly #waiters: OffsetWaiter[] = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get size(): number {
    return this.#waiters.length
  }

  /**
   * Resolves once `reached(offset)` or more is told; rejects with what `fail` gives, or with
   * REQUEST_TIMED_OUT.
   */
  wait(offset: number, timeoutMs: number, timedOut: () => KafkaError): Promise<void> {
    return new Promise((resolve, reject) => {
      const cancelTimer = this.#clock.after(timeoutMs, () => {
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1)
        reject(timedOut())
      })
      const waiter: OffsetWaiter = {
        offset,
        resolve: () => {
          cancelTimer()
          resolve()
        },
        reject: (error) => {
          cancelTimer()
          reject(error)
        },
      }
      this.#insert(waiter)
    })
  }

  #insert(waiter: OffsetWaiter): void {
    let position = this.#waiters.length
    while (position > 0 && this.#waiters[position - 1]!.offset > waiter.offset) position -= 1
    this.#waiters.splice(position, 0, waiter)
  }

  reached(offset: number): void {
    let count = 0
    while (count < this.#waiters.length && this.#waiters[count]!.offset <= offset) count += 1
    if (count === 0) return
    for (const waiter of this.#waiters.splice(0, count)) waiter.resolve()
  }

  /** Rejects every waiter: what it waits for will not come from here any more. */
  fail(error: () => KafkaError): void {
    for (const waiter of this.#waiters.splice(0)) waiter.reject(error())
  }
}

/** What a long poll waits for: it calls its listeners with itself after each change. */
export interface Watchable<Self> {
  subscribe(listener: (changed: Self) => void): void
  unsubscribe(listener: (changed: Self) => void): void
}

export interface BytesWait<T> {
  /** Bytes of `changed` that were not counted before, or 'other' when the request must be looked at anew. */
  readonly newBytes: (changed: T) => number | 'other'
  readonly missingBytes: number
  readonly maxWaitMs: number
  readonly clock: Clock
  readonly signal: AbortSignal
}

/**
 * Resolves as soon as the watched together have `missingBytes` more to read, or one of them has changed otherwise, or
 * `maxWaitMs` is over, or `signal` aborts. True when any of them has changed at all.
 */
export function waitForBytes<T extends Watchable<T>>(
  watched: readonly T[],
  wait: BytesWait<T>,
): Promise<boolean> {
  return new Promise((resolve) => {
    let { missingBytes } = wait
    let hasChanged = false
    const onChange = (changed: T): void => {
      hasChanged = true
      const bytes = wait.newBytes(changed)
      if (bytes !== 'other') missingBytes -= bytes
      if (bytes === 'other' || missingBytes <= 0) finish()
    }
    const finish = (): void => {
      cancelTimer()
      wait.signal.removeEventListener('abort', finish)
      for (const one of watched) one.unsubscribe(onChange)
      resolve(hasChanged)
    }
    if (wait.signal.aborted) return resolve(false)
    const cancelTimer = wait.clock.after(wait.maxWaitMs, finish)
    wait.signal.addEventListener('abort', finish, { once: true })
    for (const one of watched) one.subscribe(onChange)
  })
}
