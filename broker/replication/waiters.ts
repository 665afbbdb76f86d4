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

/** One partition of a long poll. */
export interface ByteSource {
  /** Calls `listener` after each change; the result unsubscribes it. */
  subscribe(listener: () => void): () => void
  /** Bytes that became readable since the last call, or 'changed' when the request must be looked at anew. */
  newBytes(): number | 'changed'
}

/**
 * Resolves as soon as the sources together have `missingBytes` more to read than at the start, or one of them
 * has changed otherwise, or `maxWaitMs` is over, or `signal` aborts.
 */
export function waitForBytes(
  sources: readonly ByteSource[],
  wait: { missingBytes: number; maxWaitMs: number; clock: Clock; signal: AbortSignal },
): Promise<void> {
  return new Promise((resolve) => {
    let missingBytes = wait.missingBytes
    const cancellations: (() => void)[] = []
    const finish = (): void => {
      for (const cancel of cancellations.splice(0)) cancel()
      resolve()
    }
    if (wait.signal.aborted) return finish()
    cancellations.push(wait.clock.after(wait.maxWaitMs, finish))
    wait.signal.addEventListener('abort', finish, { once: true })
    cancellations.push(() => wait.signal.removeEventListener('abort', finish))
    for (const source of sources) {
      const onProgress = (): void => {
        const bytes = source.newBytes()
        if (bytes !== 'changed') missingBytes -= bytes
        if (bytes === 'changed' || missingBytes <= 0) finish()
      }
      cancellations.push(source.subscribe(onProgress))
    }
  })
}
