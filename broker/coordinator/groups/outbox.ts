/** Collects the actions of a state machine's step, and remembers what is to happen when a store is done. */
import type { ErrorName } from '../../protocol/errors.ts'
import type { Action, Replies, StoredGroup, Ticket } from './messages.ts'

export class Outbox {
  #actions: Action[] = []
  readonly #stores = new Map<number, (error: ErrorName) => void>()
  #lastStore = 0

  get hasStores(): boolean {
    return this.#stores.size > 0
  }

  reply(ticket: Ticket, reply: Replies[keyof Replies]): void {
    this.#actions.push({ kind: 'reply', ticket, reply })
  }

  setTimer(timer: string, delayMs: number): void {
    this.#actions.push({ kind: 'set-timer', timer, delayMs })
  }

  cancelTimer(timer: string): void {
    this.#actions.push({ kind: 'cancel-timer', timer })
  }

  /** `done` runs in the step that learns the outcome; the state may have changed by then. */
  store(group: StoredGroup, done: (error: ErrorName) => void): void {
    this.#lastStore += 1
    this.#stores.set(this.#lastStore, done)
    this.#actions.push({ kind: 'store', store: this.#lastStore, group })
  }

  finishStore(store: number, error: ErrorName): void {
    const done = this.#stores.get(store)
    this.#stores.delete(store)
    done?.(error)
  }

  /** The actions since the last call. */
  take(): readonly Action[] {
    const actions = this.#actions
    this.#actions = []
    return actions
  }
}
