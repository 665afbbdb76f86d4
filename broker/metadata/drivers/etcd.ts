/**
 * Metadata in an etcd quorum. What is hard about it has a file of its own: calls over any member that answers
 * (etcd-gateway.ts), exact commits (etcd-lanes.ts), leases that outlive a frozen member (etcd-lease.ts), and a watch
 * that does too (etcd-watch.ts).
 */
import { randomUUID } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import type { Clock } from '../../runtime/clock.ts'
import type { Logger } from '../../runtime/logger.ts'
import {
  StoreUnavailableError,
  type CommitResult,
  type Entry,
  type Lease,
  type MetadataStore,
  type Transaction,
  type TreeUpdate,
} from '../store.ts'
import { EtcdError, EtcdGateway, type Deadline } from './etcd-gateway.ts'
import { EtcdLanes } from './etcd-lanes.ts'
import { EtcdLease } from './etcd-lease.ts'
import { EtcdTree, put, type RangeReply } from './etcd-tree.ts'
import { EtcdWatch } from './etcd-watch.ts'

const DEFAULT_TIMEOUT_MS = 5_000
const PAGE_KEYS = 1_000
const COMPACTED = 11
/** The lease of this client's own keys: long enough to outlive what a quorum is usually away. */
const CLIENT_LEASE_MS = 60_000

export interface EtcdStoreOptions {
  /** "host:port" of each member. */
  readonly members: readonly string[]
  /** "" or "/name": below it lies the tree. */
  readonly chroot: string
  readonly clock: Clock
  readonly logger: Logger
}

export class EtcdStore implements MetadataStore {
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #client = randomUUID()
  readonly #closing = new AbortController()
  readonly #gateway: EtcdGateway
  readonly #tree: EtcdTree
  readonly #lanes: EtcdLanes
  /** Which member this client begins with: clients spread over them. */
  readonly #memberAt = Buffer.from(this.#client)[0]!
  #clientLease: Lease | undefined
  #granting: Promise<Lease> | undefined
  #watch: EtcdWatch | undefined

  constructor({ members, chroot, clock, logger }: EtcdStoreOptions) {
    this.#clock = clock
    this.#logger = logger
    setMaxListeners(0, this.#closing.signal)
    this.#gateway = new EtcdGateway({
      members,
      preferred: this.#memberAt,
      clock,
      closing: this.#closing.signal,
    })
    this.#tree = new EtcdTree(chroot)
    this.#lanes = new EtcdLanes({
      gateway: this.#gateway,
      tree: this.#tree,
      client: this.#client,
      clock,
      lease: (deadline) => this.#leaseOfClient(deadline),
      dropLease: (lease) => {
        if (this.#clientLease === lease) this.#clientLease = undefined
        void lease.revoke()
      },
    })
  }

  /** The member that carries the watch ("host:port"); undefined before `open`. */
  get watchedMember(): string | undefined {
    return this.#watch?.member
  }

  async open(listener: (update: TreeUpdate) => void, timeoutMs: number): Promise<void> {
    const tree = await this.#read(this.#gateway.deadline(timeoutMs))
    this.#watch = new EtcdWatch(
      {
        gateway: this.#gateway,
        tree: this.#tree,
        clock: this.#clock,
        logger: this.#logger,
        closing: this.#closing.signal,
        read: () => this.#read(this.#gateway.deadline(DEFAULT_TIMEOUT_MS)),
        beat: () => this.#beat(),
        listener,
      },
      this.#memberAt,
    )
    this.#watch.start(tree)
  }

  async commit(transaction: Transaction, timeoutMs = DEFAULT_TIMEOUT_MS): Promise<CommitResult> {
    this.#closing.signal.throwIfAborted()
    const result = await this.#lanes.commit(transaction, this.#gateway.deadline(timeoutMs))
    if (result.committed) this.#watch?.expect(result.revision)
    return result
  }

  lease(ttlMs: number, timeoutMs = DEFAULT_TIMEOUT_MS): Promise<Lease> {
    const { signal: closing } = this.#closing
    return EtcdLease.grant(ttlMs, timeoutMs, {
      gateway: this.#gateway,
      clock: this.#clock,
      logger: this.#logger,
      closing,
    })
  }

  silentMs(): number {
    return this.#gateway.silentMs()
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return
    await this.#clientLease?.revoke()
    this.#closing.abort(new StoreUnavailableError('the metadata store is closed'))
    this.#watch?.stop()
    this.#gateway.close()
  }

  async #beat(): Promise<void> {
    const deadline = this.#gateway.deadline(DEFAULT_TIMEOUT_MS)
    const lease = await this.#leaseOfClient(deadline)
    const { request_put } = put(this.#tree.clientKey(this.#client, 'beat'), '', lease.id) as {
      request_put: object
    }
    const reply = await this.#gateway.call<RangeReply>('/v3/kv/put', request_put, deadline)
    this.#watch?.expect(Number(reply.header.revision))
  }

  async #leaseOfClient({ timeoutMs }: Deadline): Promise<Lease> {
    const held = this.#clientLease
    if (held !== undefined && !held.lost.aborted) return held
    this.#granting ??= this.lease(CLIENT_LEASE_MS, timeoutMs).finally(() => {
      this.#granting = undefined
    })
    this.#clientLease = await this.#granting
    return this.#clientLease
  }

  /** The whole tree at one revision, in pages; from the start again when that revision is compacted meanwhile. */
  async #read(deadline: Deadline): Promise<TreeUpdate> {
    for (;;) {
      try {
        return await this.#readAtOneRevision(deadline)
      } catch (error) {
        if (!(error instanceof EtcdError) || error.code !== COMPACTED) throw error
        if (this.#clock.monotonicMs() >= deadline.atMs) {
          throw new StoreUnavailableError('the quorum compacts faster than the metadata can be read', {
            cause: error,
          })
        }
      }
    }
  }

  async #readAtOneRevision(deadline: Deadline): Promise<TreeUpdate> {
    const entries: Entry[] = []
    let revision: string | undefined
    let after: string | undefined
    for (;;) {
      const at = revision === undefined ? {} : { revision }
      const page = await this.#gateway.call<RangeReply>(
        '/v3/kv/range',
        { ...this.#tree.range(after), limit: String(PAGE_KEYS), ...at },
        deadline,
      )
      revision ??= page.header.revision
      const keyValues = page.kvs ?? []
      entries.push(...keyValues.flatMap((kv) => this.#tree.entry(kv) ?? []))
      if (!page.more || keyValues.length === 0) {
        const changes = entries.map((entry) => ({ key: entry.key, entry }))
        return { revision: Number(revision), reset: true, changes }
      }
      after = this.#tree.pathOf(keyValues.at(-1)!)
    }
  }
}
