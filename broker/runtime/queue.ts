/**
 * Runs tasks one at a time, in the order in which they came: one owner for a state that every `await` would
 * otherwise open to others. Bounded: a full queue refuses instead of growing.
 */

export class QueueFullError extends Error {
  override readonly name = 'QueueFullError'
}

export class QueueClosedError extends Error {
  override readonly name = 'QueueClosedError'
}

export class SerialQueue {
  readonly #capacity: number
  #size = 0
  #closed = false
  #last: Promise<unknown> = Promise.resolve()

  /** `capacity`: tasks that may wait or run at the same time. */
  constructor(capacity: number) {
    this.#capacity = capacity
  }

  /** Tasks that wait or run. */
  get size(): number {
    return this.#size
  }

  /**
   * Runs `task` after all earlier ones have settled; its failure is the caller's alone and stops nothing.
   * Rejects with QueueFullError or QueueClosedError without running it.
   */
  async run<T>(task: () => Promise<T> | T): Promise<T> {
    if (this.#closed) throw new QueueClosedError('the queue is closed')
    if (this.#size >= this.#capacity) throw new QueueFullError(`${this.#size} tasks are queued already`)
    this.#size += 1
    const result = this.#last.then(task)
    this.#last = result.then(
      () => this.#leave(),
      () => this.#leave(),
    )
    return result
  }

  #leave(): void {
    this.#size -= 1
  }

  /** Takes no more tasks; resolves when those queued have settled. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#last
  }
}
