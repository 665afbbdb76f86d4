/**
 * Whether a partition's log may be used, and what becomes of failures: expected ones are the caller's, any other takes
 * the log directory offline. Tasks that wait for the disk run one at a time, in order.
 */
import { KafkaError } from '../protocol/errors.ts'
import { SerialQueue } from '../runtime/queue.ts'
import type { DirectoryHealth } from './directory-health.ts'
import { SegmentsChangedError } from './log-bounds.ts'

/** Flushes, truncations and the like that may wait at the same time. */
const MAX_QUEUED_TASKS = 1000

export class LogGuard {
  readonly #health: DirectoryHealth
  readonly #directory: string
  readonly #queue = new SerialQueue(MAX_QUEUED_TASKS)
  isClosed = false

  constructor(health: DirectoryHealth, directory: string) {
    this.#health = health
    this.#directory = directory
  }

  /** Throws KAFKA_STORAGE_ERROR. */
  mustBeUsable(): void {
    this.#health.mustBeOnline()
    if (this.isClosed) throw new KafkaError('KAFKA_STORAGE_ERROR', `the log in ${this.#directory} is closed`)
  }

  /** Runs a task that waits for the disk after those before it. */
  exclusive<T>(task: () => Promise<T>): Promise<T> {
    return this.#queue.run(async () => {
      this.mustBeUsable()
      try {
        return await task()
      } catch (error) {
        if (error instanceof SegmentsChangedError) throw error
        throw this.#health.failure(this.#directory, error)
      }
    })
  }

  run<T>(action: () => T): T {
    try {
      return action()
    } catch (error) {
      throw this.#health.failure(this.#directory, error)
    }
  }

  /** Takes no more tasks; resolves when those queued have settled. */
  settle(): Promise<void> {
    return this.#queue.close()
  }
}
