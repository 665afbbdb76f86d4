/**
 * Whether a log directory can be trusted. After a failed write or fsync nobody knows what is on the disk, so the
 * directory goes offline as a whole: nothing is read from it or appended to it until the broker is started again.
 */
import { KafkaError } from '../protocol/errors.ts'
import type { Logger } from '../runtime/logger.ts'

export class DirectoryHealth {
  readonly path: string
  readonly #logger: Logger
  readonly #onOffline: (directory: string) => void
  #failure: string | undefined

  constructor(path: string, logger: Logger, onOffline: (directory: string) => void = () => {}) {
    this.path = path
    this.#logger = logger
    this.#onOffline = onOffline
  }

  get isOnline(): boolean {
    return this.#failure === undefined
  }

  /** Throws KAFKA_STORAGE_ERROR once the directory is offline. */
  mustBeOnline(): void {
    if (this.#failure !== undefined) throw new KafkaError('KAFKA_STORAGE_ERROR', this.#failure)
  }

  /** What to throw for `error`, met while `file` was in use: expected errors as they are, others take it offline. */
  failure(file: string, error: unknown): Error {
    if (error instanceof KafkaError) return error
    const cause = error instanceof Error ? error : new Error(String(error))
    if (this.#failure === undefined) {
      this.#failure = `${this.path} is offline since ${file} failed: ${cause.message}`
      this.#logger.error({ directory: this.path, file, err: cause }, 'log directory taken offline')
      this.#onOffline(this.path)
    }
    return new KafkaError('KAFKA_STORAGE_ERROR', this.#failure)
  }
}
