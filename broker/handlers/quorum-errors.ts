/** A change that needs the metadata quorum while that does not answer, or not in time: clients are told to try again later. */
import { StoreUnavailableError } from '../metadata/store.ts'
import { KafkaError } from '../protocol/errors.ts'
import type { Clock } from '../runtime/clock.ts'

/** Until when a client waits for its request. */
export class Deadline {
  readonly #clock: Clock
  readonly #atMs: number

  /** Throws REQUEST_TIMED_OUT when the client does not wait at all. */
  constructor(clock: Clock, timeoutMs: number) {
    if (timeoutMs <= 0)
      throw new KafkaError('REQUEST_TIMED_OUT', `a timeout of ${timeoutMs} ms leaves no time`)
    this.#clock = clock
    this.#atMs = clock.monotonicMs() + timeoutMs
  }

  /** `change`, or REQUEST_TIMED_OUT once the deadline has passed; the change may still happen then. */
  async race<T>(change: Promise<T>): Promise<T> {
    let cancel = (): void => {}
    const late = new Promise<never>((_, reject) => {
      cancel = this.#clock.after(Math.max(this.#atMs - this.#clock.monotonicMs(), 0), () =>
        reject(new KafkaError('REQUEST_TIMED_OUT', 'the change was not made in time; it may still be')),
      )
    })
    try {
      return await Promise.race([change, late])
    } finally {
      cancel()
    }
  }
}

/** Runs `change`; a StoreUnavailableError becomes REQUEST_TIMED_OUT, which is retriable. */
export async function quorumErrors<T>(change: () => Promise<T>, deadline?: Deadline): Promise<T> {
  try {
    return await (deadline === undefined ? change() : deadline.race(change()))
  } catch (error) {
    if (!(error instanceof StoreUnavailableError)) throw error
    throw new KafkaError('REQUEST_TIMED_OUT', `the metadata quorum did not answer: ${error.message}`)
  }
}
