/** Follows a metadata store and checks what it delivers: in order, nothing twice; the tree it shows can be waited for. */
import type { Entry, MetadataStore, TreeUpdate } from '../../broker/metadata/store.ts'

const WAIT_MS = 20_000

export class StoreFollower {
  readonly store: MetadataStore
  readonly updates: TreeUpdate[] = []
  readonly tree = new Map<string, Entry>()
  /** What was delivered against the contract. */
  readonly faults: string[] = []
  readonly #checks = new Set<() => void>()

  constructor(store: MetadataStore) {
    this.store = store
  }

  static async open(store: MetadataStore): Promise<StoreFollower> {
    const follower = new StoreFollower(store)
    await store.open((update) => follower.#take(update), WAIT_MS)
    return follower
  }

  get revision(): number {
    return this.updates.at(-1)?.revision ?? 0
  }

  value(key: string): string | undefined {
    return this.tree.get(key)?.value
  }

  /** Every value that `key` had, in order, as far as delivered one by one. */
  history(key: string): (string | undefined)[] {
    return this.updates.flatMap(({ changes }) =>
      changes.filter((c) => c.key === key).map((c) => c.entry?.value),
    )
  }

  /** Rejects when the condition does not come true within `timeoutMs`. */
  async until(what: string, condition: () => boolean, timeoutMs = WAIT_MS): Promise<void> {
    if (condition()) return
    await new Promise<void>((resolve, reject) => {
      const check = (): void => {
        if (!condition()) return
        clearTimeout(timer)
        this.#checks.delete(check)
        resolve()
      }
      const timer = setTimeout(() => {
        this.#checks.delete(check)
        reject(new Error(`not within ${timeoutMs} ms: ${what}`))
      }, timeoutMs)
      this.#checks.add(check)
    })
  }

  #take(update: TreeUpdate): void {
    const last = this.updates.at(-1)
    if (last === undefined ? !update.reset : update.revision < last.revision) {
      this.faults.push(`revision ${update.revision} after ${last?.revision}`)
    }
    let previous = update.reset ? 0 : (last?.revision ?? 0)
    if (update.reset) this.tree.clear()
    for (const { key, entry } of update.changes) {
      if (!update.reset && entry !== undefined) {
        if (entry.modRevision < previous || entry.modRevision <= (last?.revision ?? 0)) {
          this.faults.push(`${key} at ${entry.modRevision} after ${previous}`)
        }
        previous = entry.modRevision
      }
      if (entry === undefined) this.tree.delete(key)
      else this.tree.set(key, entry)
    }
    this.updates.push(update)
    for (const check of this.#checks) check()
  }
}
