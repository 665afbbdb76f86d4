/**
 * The metadata quorum, as a store that is always right but not always reached: one tree, transactions one after
 * another, leases in the world's time. Each broker has a client whose requests and answers cross the network to the
 * host `quorum`; what was sent may be carried out although the sender has given up.
 */
import type { SimulatedNetwork } from './simulated-network.ts'
import { between } from './random.ts'
import type { SimulatedProcess } from './simulated-process.ts'
import type { World } from './world.ts'
import {
  type CommitResult,
  type Entry,
  type Lease,
  type MetadataStore,
  StoreUnavailableError,
  type Transaction,
  type TreeUpdate,
} from '../../broker/metadata/store.ts'

export const QUORUM_HOST = 'quorum'
const LATENCY_MS = { least: 0.2, most: 4 }
const DEFAULT_TIMEOUT_MS = 5_000
/** A request that a cut link holds back for longer is lost. */
const HELD_MS = 2_000
const RETRY_MS = 50
const RENEWALS = 3
/** After a silence, one client in this many finds the history compacted and gets the tree anew. */
const RESET_ONE_IN = 3

interface LeaseState {
  readonly ttlMs: number
  expiresMs: number
  readonly keys: Set<string>
}

interface Write {
  readonly key: string
  readonly value: string | null
  readonly lease?: string | undefined
}

export class SimulatedQuorum {
  readonly world: World
  readonly network: SimulatedNetwork
  readonly #tree = new Map<string, Entry & { lease?: string }>()
  readonly #history: TreeUpdate[] = []
  readonly #leases = new Map<string, LeaseState>()
  readonly #clients = new Set<SimulatedStore>()
  revision = 1
  #leaseCount = 0

  constructor(world: World, network: SimulatedNetwork) {
    this.world = world
    this.network = network
  }

  storeOf(process: SimulatedProcess): MetadataStore {
    return new SimulatedStore(this, process)
  }

  join(client: SimulatedStore): void {
    this.#clients.add(client)
  }

  leave(client: SimulatedStore): void {
    this.#clients.delete(client)
  }

  /** To be called after links were healed. */
  pumpAll(): void {
    for (const client of this.#clients) client.pump(this.world.random() * RESET_ONE_IN < 1)
  }

  commit({ conditions, changes }: Transaction): CommitResult {
    const holds = conditions.every(
      ({ key, modRevision }) => (this.#tree.get(key)?.modRevision ?? 0) === modRevision,
    )
    if (!holds || !changes.every(({ lease }) => lease === undefined || this.#leases.has(lease.id))) {
      return { committed: false }
    }
    const writes = changes.flatMap(({ key, value, lease, prefix }): Write[] =>
      prefix
        ? [...this.#tree.keys()]
            .filter((other) => other.startsWith(key))
            .map((other) => ({ key: other, value: null }))
        : [{ key, value, lease: lease?.id }],
    )
    return { committed: true, revision: this.#write(writes) }
  }

  #write(writes: readonly Write[]): number {
    const made = writes.filter(({ key, value }) => value !== null || this.#tree.has(key))
    if (made.length === 0) return this.revision
    this.revision += 1
    const { revision } = this
    const changes = made.map(({ key, value, lease }) => {
      this.#detach(key)
      if (value === null) {
        this.#tree.delete(key)
        return { key, entry: undefined }
      }
      const entry = {
        key,
        value,
        createRevision: this.#tree.get(key)?.createRevision ?? revision,
        modRevision: revision,
      }
      this.#tree.set(key, lease === undefined ? entry : { ...entry, lease })
      if (lease !== undefined) this.#leases.get(lease)?.keys.add(key)
      return { key, entry }
    })
    this.#history.push({ revision, reset: false, changes })
    for (const client of this.#clients) client.pump(false)
    return revision
  }

  #detach(key: string): void {
    const lease = this.#tree.get(key)?.lease
    if (lease !== undefined) this.#leases.get(lease)?.keys.delete(key)
  }

  wholeTree(): TreeUpdate {
    const changes = [...this.#tree.values()].map(({ key, value, createRevision, modRevision }) => ({
      key,
      entry: { key, value, createRevision, modRevision },
    }))
    return { revision: this.revision, reset: true, changes }
  }

  updatesAfter(revision: number): TreeUpdate[] {
    return this.#history.filter((update) => update.revision > revision)
  }

  grant(ttlMs: number): string {
    const id = `lease-${(this.#leaseCount += 1)}`
    this.#leases.set(id, { ttlMs, expiresMs: this.world.nowMs + ttlMs, keys: new Set() })
    this.#checkAt(id)
    return id
  }

  #checkAt(id: string): void {
    const lease = this.#leases.get(id)
    if (lease === undefined) return
    this.world.after(lease.expiresMs - this.world.nowMs, () => {
      if ((this.#leases.get(id)?.expiresMs ?? Infinity) <= this.world.nowMs) this.revoke(id)
      else this.#checkAt(id)
    })
  }

  renew(id: string): boolean {
    const lease = this.#leases.get(id)
    if (lease !== undefined) lease.expiresMs = this.world.nowMs + lease.ttlMs
    return lease !== undefined
  }

  revoke(id: string): void {
    const keys = [...(this.#leases.get(id)?.keys ?? [])]
    this.#leases.delete(id)
    this.#write(keys.map((key) => ({ key, value: null })))
  }
}

class SimulatedStore implements MetadataStore {
  readonly #quorum: SimulatedQuorum
  readonly #process: SimulatedProcess
  #listener: ((update: TreeUpdate) => void) | undefined
  #revision = 0
  #pumping = false
  #needsReset = false
  #answeredMs: number
  #closed = false

  constructor(quorum: SimulatedQuorum, process: SimulatedProcess) {
    this.#quorum = quorum
    this.#process = process
    this.#answeredMs = quorum.world.nowMs
    process.onDeath(() => quorum.leave(this))
  }

  get #isReached(): boolean {
    const { network } = this.#quorum
    const { host } = this.#process
    return network.reaches(host, QUORUM_HOST) && network.reaches(QUORUM_HOST, host)
  }

  #latencyMs(): number {
    return between(this.#quorum.world.random, LATENCY_MS.least, LATENCY_MS.most)
  }

  async open(listener: (update: TreeUpdate) => void, timeoutMs: number): Promise<void> {
    const whole = await this.#call(() => this.#quorum.wholeTree(), timeoutMs)
    this.#revision = whole.revision
    this.#listener = listener
    listener(whole)
    this.#quorum.join(this)
    this.pump(false)
  }

  commit(transaction: Transaction, timeoutMs = DEFAULT_TIMEOUT_MS): Promise<CommitResult> {
    return this.#call(() => this.#quorum.commit(transaction), timeoutMs)
  }

  /** There once, carried out once; the answer comes when the way back is open. */
  #call<T>(work: () => T, timeoutMs: number): Promise<T> {
    const { world } = this.#quorum
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(new StoreUnavailableError('the metadata store is closed'))
      const sentMs = world.nowMs
      const cancelTimeout = this.#process.after(timeoutMs, () =>
        reject(new StoreUnavailableError(`no answer of the quorum within ${timeoutMs} ms`)),
      )
      const answer = (result: T): void => {
        if (!this.#isReached) return void world.after(RETRY_MS, () => answer(result))
        this.#process.run(() => {
          cancelTimeout()
          this.#answeredMs = world.nowMs
          resolve(result)
        })
      }
      const arrive = (): void => {
        if (this.#process.isDead && world.random() < 0.5) return
        if (this.#isReached) {
          const result = work()
          world.after(this.#latencyMs(), () => answer(result))
        } else if (world.nowMs - sentMs < HELD_MS) world.after(RETRY_MS, arrive)
      }
      world.after(this.#latencyMs(), arrive)
    })
  }

  /** Delivers what has changed, in order, as far as the quorum is reached. */
  pump(reset: boolean): void {
    this.#needsReset ||= reset
    if (this.#pumping || this.#listener === undefined) return
    this.#pumping = true
    this.#quorum.world.after(this.#latencyMs(), () => {
      this.#pumping = false
      if (!this.#isReached || this.#closed) return
      this.#process.run(() => this.#deliver())
    })
  }

  #deliver(): void {
    this.#answeredMs = this.#quorum.world.nowMs
    const updates = this.#needsReset ? [this.#quorum.wholeTree()] : this.#quorum.updatesAfter(this.#revision)
    this.#needsReset = false
    for (const update of updates) {
      if (this.#closed) return
      this.#revision = update.revision
      this.#listener?.(update)
    }
  }

  async lease(ttlMs: number, timeoutMs = DEFAULT_TIMEOUT_MS): Promise<Lease> {
    const provenMs = this.#quorum.world.nowMs
    const id = await this.#call(() => this.#quorum.grant(ttlMs), timeoutMs)
    return new SimulatedLease({
      id,
      ttlMs,
      provenMs,
      process: this.#process,
      call: (work, ms) => this.#call(work, ms),
      quorum: this.#quorum,
    })
  }

  silentMs(): number {
    return this.#isReached ? 0 : this.#quorum.world.nowMs - this.#answeredMs
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#quorum.leave(this)
  }
}

interface LeaseOptions {
  readonly id: string
  readonly ttlMs: number
  readonly provenMs: number
  readonly process: SimulatedProcess
  readonly quorum: SimulatedQuorum
  readonly call: <T>(work: () => T, timeoutMs: number) => Promise<T>
}

class SimulatedLease implements Lease {
  readonly id: string
  readonly ttlMs: number
  readonly #o: LeaseOptions
  readonly #lost = new AbortController()
  #provenMs: number
  #ended = false

  constructor(options: LeaseOptions) {
    this.#o = options
    this.id = options.id
    this.ttlMs = options.ttlMs
    this.#provenMs = options.provenMs
    this.#renewLater()
  }

  get lost(): AbortSignal {
    return this.#lost.signal
  }

  #renewLater(): void {
    const { process, quorum, call } = this.#o
    process.after(this.ttlMs / RENEWALS, () => {
      if (this.#ended) return
      if (quorum.world.nowMs - this.#provenMs >= this.ttlMs)
        return this.#lose('it could not be renewed in time')
      const askedMs = quorum.world.nowMs
      call(() => quorum.renew(this.id), this.ttlMs / RENEWALS).then(
        (alive) => {
          if (alive) this.#provenMs = askedMs
          else this.#lose('it has expired')
        },
        () => {},
      )
      this.#renewLater()
    })
  }

  #lose(reason: string): void {
    if (this.#ended) return
    this.#ended = true
    this.#lost.abort(new Error(`the lease ${this.id} is lost: ${reason}`))
  }

  async revoke(): Promise<void> {
    this.#ended = true
    await this.#o.call(() => this.#o.quorum.revoke(this.id), this.ttlMs).catch(() => {})
  }
}
