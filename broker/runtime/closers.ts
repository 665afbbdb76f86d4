/** What has been started and must be closed: pushed as it starts, closed in reverse, each with its failure logged. */
import type { Clock } from './clock.ts'
import type { Logger } from './logger.ts'

interface Closer {
  readonly name: string
  readonly close: () => Promise<void> | void
}

export class Closers {
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #closers: Closer[] = []

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock
    this.#logger = logger
  }

  push(name: string, close: () => Promise<void> | void): void {
    this.#closers.push({ name, close })
  }

  /** Closes everything; one that fails does not keep the others from closing. Never rejects. */
  async closeAll(): Promise<void> {
    for (let closer = this.#closers.pop(); closer !== undefined; closer = this.#closers.pop()) {
      const startedMs = this.#clock.monotonicMs()
      try {
        await closer.close()
      } catch (error) {
        this.#logger.error({ err: error, closing: closer.name }, 'closing failed')
      }
      const tookMs = Math.round(this.#clock.monotonicMs() - startedMs)
      this.#logger.debug({ closing: closer.name, tookMs }, 'closed')
    }
  }
}
