/**
 * Metadata of one machine without a quorum: an SQLite file that the broker processes of this machine share.
 *
 * Changes of others are noticed by a watch on the write-ahead log, and by a poll in case the watch misses one.
 * Leases need no clock in common: their owner makes a counter grow, and each process ends those whose counter it has
 * seen stand still for the whole time to live while it was itself running. A process that is gone loses its leases at once.
 */
import { randomUUID } from 'node:crypto'
import { mkdirSync, watch, type FSWatcher } from 'node:fs'
import path from 'node:path'
import { setImmediate } from 'node:timers/promises'
import type { Clock } from '../../runtime/clock.ts'
import type { Logger } from '../../runtime/logger.ts'
import {
  StoreUnavailableError,
  type CommitResult,
  type Lease,
  type MetadataStore,
  type Transaction,
  type TreeUpdate,
} from '../store.ts'
import { EmbeddedDatabase, type LeaseRow } from './embedded-database.ts'
import { isGone, ownIdentity } from './process-identity.ts'

/** While something was written just now: the commit may become readable some time after its notice. */
const BUSY_POLL_MS = 25
const BUSY_MS = 200
const QUIET_POLL_MS = 200
const LEASE_CHECK_MS = 100
/** Beats for each time to live. */
const BEATS = 4
const DEFAULT_TIMEOUT_MS = 5_000
const RETRY_MS = 5
/** Failing polls are logged once in this many. */
const LOGGED_FAILURES = 400

export interface EmbeddedStoreOptions {
  readonly file: string
  readonly clock: Clock
  readonly logger: Logger
}

export class EmbeddedStore implements MetadataStore {
  readonly #file: string
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #identity = ownIdentity()
  readonly #leases = new Map<string, EmbeddedLease>()
  readonly #observed = new Map<string, { beat: number; sinceMs: number }>()
  readonly #closing = new AbortController()
  #database: EmbeddedDatabase | undefined
  #watcher: FSWatcher | undefined
  #listener: (update: TreeUpdate) => void = () => {}
  #revision: number | undefined
  #checkedLeasesMs = 0
  #failedPolls = 0
  #polling = false
  #noticedMs = -Infinity
  #cancelPoll: () => void = () => {}

  constructor(options: EmbeddedStoreOptions) {
    this.#file = path.resolve(options.file)
    this.#clock = options.clock
    this.#logger = options.logger
  }

  async open(listener: (update: TreeUpdate) => void, timeoutMs: number): Promise<void> {
    mkdirSync(path.dirname(this.#file), { recursive: true })
    this.#database = await this.#retried(timeoutMs, () => new EmbeddedDatabase(this.#file))
    this.#listener = listener
    const database = this.#database
    await this.#retried(timeoutMs, () => this.#checkLeases(database))
    await this.#retried(timeoutMs, () => this.#deliver(database))
    this.#watchLog()
    this.#pollAgain()
  }

  /** Lets the event loop turn before it resolves: whoever commits again and again starves nobody of I/O. */
  async commit(transaction: Transaction, timeoutMs = DEFAULT_TIMEOUT_MS): Promise<CommitResult> {
    const result = await this.#retried(timeoutMs, () => this.#opened().commit(transaction))
    await setImmediate()
    this.#poll()
    return result
  }

  async lease(ttlMs: number, timeoutMs = DEFAULT_TIMEOUT_MS): Promise<Lease> {
    const row: LeaseRow = { id: randomUUID(), owner: this.#identity, ttlMs, beat: 0 }
    await this.#retried(timeoutMs, () => this.#opened().addLease(row))
    const lease = new EmbeddedLease(row, this.#clock, () => this.#revoke(row))
    this.#leases.set(row.id, lease)
    return lease
  }

  silentMs(): number {
    return 0
  }

  async close(): Promise<void> {
    this.#closing.abort(new StoreUnavailableError(`the metadata store ${this.#file} is closed`))
    this.#watcher?.close()
    this.#database?.close()
    this.#database = undefined
  }

  #opened(): EmbeddedDatabase {
    this.#closing.signal.throwIfAborted()
    if (this.#database === undefined) throw new Error('the metadata store has not been opened')
    return this.#database
  }

  /** Another process's write may lock the file for some milliseconds: tries again until `timeoutMs` have passed. */
  async #retried<T>(timeoutMs: number, work: () => T): Promise<T> {
    const deadline = this.#clock.monotonicMs() + timeoutMs
    for (;;) {
      try {
        return work()
      } catch (error) {
        if (!(error instanceof StoreUnavailableError) || this.#closing.signal.aborted) throw error
        if (this.#clock.monotonicMs() >= deadline) {
          throw new StoreUnavailableError(`${error.message} (tried for ${timeoutMs} ms)`, { cause: error })
        }
        await this.#clock.sleep(RETRY_MS, this.#closing.signal)
      }
    }
  }

  #watchLog(): void {
    const log = `${path.basename(this.#file)}-wal`
    this.#watcher = watch(path.dirname(this.#file), { persistent: false }, (_event, name) => {
      // The notice comes with the write, a moment before the commit can be read.
      if (name !== log) return
      this.#clock.after(1, () => this.#poll())
      const wasQuiet = this.#isQuiet()
      this.#noticedMs = this.#clock.monotonicMs()
      if (wasQuiet) this.#pollAgain()
    })
    this.#watcher.on('error', (error) => {
      this.#logger.warn({ error, file: this.#file }, 'cannot watch the metadata database, polling only')
      this.#noticedMs = Infinity
    })
  }

  /** Whether nobody has written for a while; never, where writes are not noticed. */
  #isQuiet(): boolean {
    return this.#clock.monotonicMs() - this.#noticedMs > BUSY_MS
  }

  #pollAgain(): void {
    this.#cancelPoll()
    this.#cancelPoll = this.#clock.after(this.#isQuiet() ? QUIET_POLL_MS : BUSY_POLL_MS, () => {
      if (this.#closing.signal.aborted) return
      this.#poll()
      this.#pollAgain()
    })
  }

  #poll(): void {
    // The listener may commit in turn: the outer poll delivers that as well, in order.
    if (this.#closing.signal.aborted || this.#polling) return
    this.#polling = true
    try {
      const database = this.#opened()
      if (this.#clock.monotonicMs() - this.#checkedLeasesMs >= LEASE_CHECK_MS) this.#checkLeases(database)
      this.#deliver(database)
      this.#failedPolls = 0
    } catch (error) {
      if (this.#failedPolls++ % LOGGED_FAILURES === 1) {
        this.#logger.error({ error, file: this.#file }, 'cannot read the metadata database')
      }
    } finally {
      this.#polling = false
    }
  }

  #deliver(database: EmbeddedDatabase): void {
    for (;;) {
      const update = database.changesAfter(this.#revision)
      if (update === undefined) return
      this.#revision = update.revision
      this.#listener(update)
      if (this.#closing.signal.aborted) return
    }
  }

  #checkLeases(database: EmbeddedDatabase): void {
    const now = this.#clock.monotonicMs()
    const pausedMs = this.#checkedLeasesMs === 0 ? 0 : now - this.#checkedLeasesMs
    this.#checkedLeasesMs = now
    const rows = database.leases()
    const ids = new Set(rows.map((row) => row.id))
    for (const id of this.#observed.keys()) if (!ids.has(id)) this.#observed.delete(id)
    for (const [id, lease] of this.#leases) {
      if (!ids.has(id)) this.#lose(lease, 'its key is gone')
      else if (lease.beatIsDue(now)) this.#beat(database, lease, now)
    }
    for (const row of rows) {
      if (row.owner === this.#identity && this.#leases.has(row.id)) continue
      this.#judge(database, row, now, pausedMs)
    }
  }

  #judge(database: EmbeddedDatabase, row: LeaseRow, now: number, pausedMs: number): void {
    if (row.owner !== this.#identity && isGone(row.owner)) {
      this.#logger.info({ lease: row.id, owner: row.owner }, 'ending the lease of a process that is gone')
      return database.endLease(row.id)
    }
    const observed = this.#observed.get(row.id)
    // While this process stood still (suspended, or stopped) it has not seen whether others did.
    if (observed?.beat !== row.beat || pausedMs > Math.max(row.ttlMs / BEATS, 3 * LEASE_CHECK_MS)) {
      this.#observed.set(row.id, { beat: row.beat, sinceMs: now })
    } else if (now - observed.sinceMs > row.ttlMs) {
      this.#logger.info(
        { lease: row.id, owner: row.owner, ttlMs: row.ttlMs },
        'ending a lease that has expired',
      )
      database.endLease(row.id, row.beat)
    }
  }

  #beat(database: EmbeddedDatabase, lease: EmbeddedLease, now: number): void {
    try {
      if (database.beat(lease.id)) lease.beatAtMs = now
      else this.#lose(lease, 'it has expired')
    } catch (error) {
      if (now - lease.beatAtMs > lease.ttlMs) this.#lose(lease, 'it could not be renewed in time')
      throw error
    }
  }

  #lose(lease: EmbeddedLease, reason: string): void {
    this.#leases.delete(lease.id)
    lease.lose(reason)
  }

  async #revoke(row: LeaseRow): Promise<void> {
    this.#leases.delete(row.id)
    try {
      await this.#retried(row.ttlMs, () => this.#opened().endLease(row.id))
      this.#poll()
    } catch (error) {
      this.#logger.warn({ error, lease: row.id }, 'cannot revoke a lease, it will expire')
    }
  }
}

class EmbeddedLease implements Lease {
  readonly id: string
  readonly ttlMs: number
  readonly revoke: () => Promise<void>
  readonly #lost = new AbortController()
  beatAtMs: number

  constructor(row: LeaseRow, clock: Clock, revoke: () => Promise<void>) {
    this.id = row.id
    this.ttlMs = row.ttlMs
    this.revoke = revoke
    this.beatAtMs = clock.monotonicMs()
  }

  get lost(): AbortSignal {
    return this.#lost.signal
  }

  beatIsDue(now: number): boolean {
    return now - this.beatAtMs >= this.ttlMs / BEATS
  }

  lose(reason: string): void {
    this.#lost.abort(new Error(`the lease ${this.id} is lost: ${reason}`))
  }
}
