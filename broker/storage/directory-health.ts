/**
 * Whether a log directory can be used, and for what.
 *
 *   online    all is well
 *   short     less is free than the reserve (disk-reserve.ts): records of clients are refused, all else goes on
 *   full      a write found no space: nothing is appended until a measurement finds some
 *   offline   a read, a write or a sync failed: nobody knows what is on the disk, so nothing is read from it or
 *             appended to it until the broker is started again. Final, and the only state with an end to itself.
 *
 * Lack of space alone does no harm where the file is put back to what it was: such writes are told by `failedWrite`
 * and may be tried again. Every other failure goes to `failure`.
 */
import { KafkaError } from '../protocol/errors.ts'
import type { Logger } from '../runtime/logger.ts'
import { isNoSpace } from './files.ts'

export class DirectoryHealth {
  readonly path: string
  readonly #logger: Logger
  readonly #onOffline: () => void
  #failure: string | undefined
  #shortage: string | undefined
  #full: string | undefined

  constructor(path: string, logger: Logger, onOffline: () => void = () => {}) {
    this.path = path
    this.#logger = logger
    this.#onOffline = onOffline
  }

  get isOnline(): boolean {
    return this.#failure === undefined
  }

  /** Why the directory is offline; undefined while it is not. */
  get offlineReason(): string | undefined {
    return this.#failure
  }

  /** Whether a write found no space since the last `spaceFound`. */
  get isFull(): boolean {
    return this.#full !== undefined
  }

  /** Whether records of clients are refused for want of space. */
  get isShort(): boolean {
    return this.#shortage !== undefined || this.isFull
  }

  /** Throws KAFKA_STORAGE_ERROR once the directory is offline. */
  mustBeOnline(): void {
    if (this.#failure !== undefined) throw new KafkaError('KAFKA_STORAGE_ERROR', this.#failure)
  }

  /** For every append: throws KAFKA_STORAGE_ERROR, which a client tries again, while a write would fail. */
  mustHaveSpace(): void {
    if (this.#full !== undefined) throw new KafkaError('KAFKA_STORAGE_ERROR', this.#full)
  }

  /** For records of clients: throws KAFKA_STORAGE_ERROR while they are to leave what is free to the broker itself. */
  mustHaveRoom(): void {
    this.mustHaveSpace()
    if (this.#shortage !== undefined) throw new KafkaError('KAFKA_STORAGE_ERROR', this.#shortage)
  }

  /** What was measured: why records of clients are refused from now on, or undefined when they are not. */
  set shortage(reason: string | undefined) {
    this.#shortage = reason
  }

  /** There is space again for what the broker itself writes. */
  spaceFound(): void {
    this.#full = undefined
  }

  /** What to throw for `error`, met while `file` was in use: expected errors as they are, others take it offline. */
  failure(file: string, error: unknown): Error {
    if (error instanceof KafkaError) return error
    const cause = error instanceof Error ? error : new Error(String(error))
    if (this.#failure === undefined) {
      this.#failure = `${this.path} is offline since ${file} failed: ${cause.message}`
      this.#logger.error({ directory: this.path, file, err: cause }, 'log directory taken offline')
      this.#onOffline()
    }
    return new KafkaError('KAFKA_STORAGE_ERROR', this.#failure)
  }

  /**
   * What to throw for `error`, met while `file` was written. For want of space, `undo` puts back what was there before,
   * and the directory stays online, full; any other error, and one of `undo`, takes it offline.
   */
  failedWrite(file: string, error: unknown, undo: () => void = () => {}): Error {
    if (!isNoSpace(error)) return this.failure(file, error)
    try {
      undo()
    } catch (failure) {
      return this.failure(file, failure)
    }
    this.#full ??= `${this.path} is full: ${file}: ${(error as Error).message}; nothing was appended`
    return new KafkaError('KAFKA_STORAGE_ERROR', this.#full)
  }
}
