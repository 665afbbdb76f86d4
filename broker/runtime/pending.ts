/** Promises that somebody else waits for: how many are under way, and when none is. */
export class Pending {
  #count = 0
  #settled: PromiseWithResolvers<void> | undefined

  /** Counts `promise` until it settles, and gives its outcome. */
  async track<T>(promise: Promise<T>): Promise<T> {
    this.#count += 1
    try {
      return await promise
    } finally {
      this.#count -= 1
      if (this.#count === 0) {
        this.#settled?.resolve()
        this.#settled = undefined
      }
    }
  }

  /** Resolves when none is under way, whether they succeed or not. */
  async settled(): Promise<void> {
    if (this.#count === 0) return
    this.#settled ??= Promise.withResolvers()
    await this.#settled.promise
  }
}
