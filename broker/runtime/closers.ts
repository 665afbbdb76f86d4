/** What has been started and must be closed: pushed as it starts, closed in reverse, each with its failure logged. */
import type { Logger } from './logger.ts'

interface Closer {
  readonly name: string
  readonly close: () => Promise<void> | void
}

export class Closers {
  readonly #logger: Logger
  readonly #closers: Closer[] = []

  constructor(logger: Logger) {
    this.#logger = logger
  }

  push(name: string, close: () => Promise<void> | void): void {
    this.#closers.push({ name, close })
  }

  /** Closes everything; one that fails does not keep the others from closing. Never rejects. */
  async closeAll(): Promise<void> {
    for (let closer = this.#closers.pop(); closer !== undefined; closer = this.#closers.pop()) {
      try {
        await closer.close()
      } catch (error) {
        this.#logger.error({ err: error, closing: closer.name }, 'closing failed')
      }
    }
  }
}
