/** The open connections of one broker, over all of its listeners, and the limit on them (`max.connections`). */
import type { Clock } from '../runtime/clock.ts'
import type { Connection } from './connection.ts'

export class Connections {
  readonly #limit: () => number
  readonly #open = new Set<Connection>()
  #onEmpty: () => void = () => {}

  /** `limit` is asked for each connection. */
  constructor(limit: () => number) {
    this.#limit = limit
  }

  get size(): number {
    return this.#open.size
  }

  get full(): boolean {
    return this.#open.size >= this.#limit()
  }

  add(connection: Connection): void {
    this.#open.add(connection)
  }

  remove(connection: Connection): void {
    this.#open.delete(connection)
    if (this.#open.size === 0) this.#onEmpty()
  }

  /** Lets requests in process finish for up to `graceMs`, then closes whatever is left. */
  async closeAll(graceMs: number, clock: Clock): Promise<void> {
    if (this.#open.size === 0) return
    const emptied = new Promise<void>((resolve) => {
      this.#onEmpty = resolve
    })
    for (const connection of this.#open) connection.close()
    const cancel = clock.after(graceMs, () => {
      for (const connection of this.#open) connection.destroy()
    })
    await emptied
    cancel()
  }
}
