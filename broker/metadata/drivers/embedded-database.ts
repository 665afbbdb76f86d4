/**
 * The SQLite file of the embedded driver, opened by several processes of one machine at once (WAL mode: one writes,
 * the others go on reading). Synchronous: each call is one short transaction.
 *
 *   entries  the tree as it is now
 *   history  what each revision changed, newest HISTORY_REVISIONS only, so that others can follow in order
 *   leases   who holds keys on the condition of being alive; `beat` grows while the owner lives
 *   state    one row: the revision of the last commit, and up to which one the history has been pruned
 *
 * A commit takes the write lock first (BEGIN IMMEDIATE), so what it reads is what it changes.
 */
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { StoreUnavailableError, type CommitResult, type Transaction, type TreeUpdate } from '../store.ts'

const APPLICATION_ID = 0x42726b4d
const SCHEMA_VERSION = 1
const HISTORY_REVISIONS = 10_000
/** Each commit is on disk when it returns, or only the next one that is. */
const COMMITS_SYNCED = 'PRAGMA synchronous = FULL;'
const BEATS_UNSYNCED = 'PRAGMA synchronous = NORMAL;'
/** How long one call may block the event loop for another process's write; callers retry asynchronously. */
const BUSY_TIMEOUT_MS = 20

const SCHEMA = `
  CREATE TABLE entries (
    key TEXT PRIMARY KEY, value TEXT NOT NULL, created INTEGER NOT NULL, modified INTEGER NOT NULL, lease TEXT
  ) WITHOUT ROWID;
  CREATE INDEX entries_by_lease ON entries (lease) WHERE lease IS NOT NULL;
  CREATE TABLE history (
    revision INTEGER NOT NULL, key TEXT NOT NULL, value TEXT, created INTEGER NOT NULL, PRIMARY KEY (revision, key)
  ) WITHOUT ROWID;
  CREATE TABLE leases (id TEXT PRIMARY KEY, owner TEXT NOT NULL, ttl_ms INTEGER NOT NULL, beat INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE state (id INTEGER PRIMARY KEY CHECK (id = 1), revision INTEGER NOT NULL, pruned INTEGER NOT NULL);
  INSERT INTO state VALUES (1, 0, 0);
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${SCHEMA_VERSION};
`

/** The file is no metadata database, or is damaged. Not retriable: says which file, and what to do. */
export class StoreDamagedError extends Error {
  override readonly name = 'StoreDamagedError'
}

export interface LeaseRow {
  readonly id: string
  /** process-identity.ts's name of the process that keeps it alive. */
  readonly owner: string
  readonly ttlMs: number
  readonly beat: number
}

interface EntryRow {
  key: string
  value: string | null
  created: number
  modified: number
}

export class EmbeddedDatabase {
  readonly #file: string
  readonly #database: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()

  /** Opens the file, and makes it when it is not there. Throws StoreDamagedError, StoreUnavailableError (locked). */
  constructor(file: string) {
    this.#file = file
    try {
      this.#database = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS })
    } catch (error) {
      throw explained(error, file)
    }
    try {
      this.#guard(() => this.#prepareFile())
    } catch (error) {
      this.#database.close()
      throw error
    }
  }

  /** The whole tree when `after` is undefined or lies before what the history still holds; undefined when nothing is newer. */
  changesAfter(after: number | undefined): TreeUpdate | undefined {
    return this.#transaction('DEFERRED', () => {
      const { revision, pruned } = this.#state()
      if (after === revision) return undefined
      const reset = after === undefined || after < pruned || after > revision
      const rows = reset
        ? this.#all('SELECT key, value, created, modified FROM entries')
        : this.#all(
            'SELECT key, value, created, revision AS modified FROM history WHERE revision > ? ORDER BY revision',
            after,
          )
      return { revision, reset, changes: (rows as unknown as EntryRow[]).map(toChange) }
    })
  }

  /** Throws StoreUnavailableError at once when another process holds the write lock: nothing was changed. */
  commit({ conditions, changes }: Transaction): CommitResult {
    return this.#transaction('IMMEDIATE', () => {
      const holds = conditions.every(({ key, modRevision }) => this.#modRevision(key) === modRevision)
      if (!holds || !changes.every(({ lease }) => lease === undefined || this.#hasLease(lease.id))) {
        return { committed: false }
      }
      return { committed: true, revision: this.#write(changes.flatMap((change) => this.#expand(change))) }
    })
  }

  addLease(lease: LeaseRow): void {
    this.#transaction('IMMEDIATE', () =>
      this.#run('INSERT INTO leases VALUES (?, ?, ?, ?)', lease.id, lease.owner, lease.ttlMs, lease.beat),
    )
  }

  /** False when the lease is gone. Does not wait for the disk: a beat that a crash takes back has done its work. */
  beat(id: string): boolean {
    this.#database.exec(BEATS_UNSYNCED)
    try {
      return this.#transaction(
        'IMMEDIATE',
        () => this.#run('UPDATE leases SET beat = beat + 1 WHERE id = ?', id) === 1,
      )
    } finally {
      this.#database.exec(COMMITS_SYNCED)
    }
  }

  leases(): LeaseRow[] {
    const rows = this.#guard(() => this.#all('SELECT id, owner, ttl_ms AS ttlMs, beat FROM leases'))
    return rows as unknown as LeaseRow[]
  }

  /** Ends the lease and deletes its keys, unless its owner has beaten meanwhile (`beat` given and another one found). */
  endLease(id: string, beat?: number): void {
    this.#transaction('IMMEDIATE', () => {
      const ended = this.#run(
        'DELETE FROM leases WHERE id = ? AND beat = coalesce(?, beat)',
        id,
        beat ?? null,
      )
      const keys = ended === 0 ? [] : this.#all('SELECT key FROM entries WHERE lease = ?', id)
      if (keys.length > 0)
        this.#write(keys.map((row) => ({ key: String(row['key']), value: null, lease: null })))
    })
  }

  close(): void {
    this.#statements.clear()
    this.#database.close()
  }

  #prepareFile(): void {
    this.#database.exec(`PRAGMA journal_mode = WAL; ${COMMITS_SYNCED}`)
    this.#transaction('IMMEDIATE', () => {
      const version = this.#pragma('user_version')
      const application = this.#pragma('application_id')
      const tables = this.#all("SELECT name FROM sqlite_schema WHERE type = 'table'")
      if (version === 0 && application === 0 && tables.length === 0) return this.#database.exec(SCHEMA)
      if (application !== APPLICATION_ID) {
        throw new StoreDamagedError(
          `${this.#file} is an SQLite database, but not one of this broker: name another file in quorum.connect`,
        )
      }
      if (version !== SCHEMA_VERSION) {
        throw new StoreDamagedError(
          `${this.#file} has format ${version}, this release reads ${SCHEMA_VERSION}: start the release that wrote it`,
        )
      }
    })
  }

  /** A change with a prefix becomes one deletion for each key found; deleting what is not there is no change. */
  #expand({ key, value, lease, prefix }: Transaction['changes'][number]): Write[] {
    if (value !== null) return [{ key, value, lease: lease?.id ?? null }]
    const found = prefix
      ? this.#all('SELECT key FROM entries WHERE key >= ? AND key < ?', key, `${key}\u{10ffff}`)
      : this.#all('SELECT key FROM entries WHERE key = ?', key)
    return found.map((row) => ({ key: String(row['key']), value: null, lease: null }))
  }

  #write(writes: readonly Write[]): number {
    const { revision: last } = this.#state()
    if (writes.length === 0) return last
    const revision = last + 1
    for (const { key, value, lease } of writes) {
      const created = value === null ? 0 : (this.#created(key) ?? revision)
      if (value === null) this.#run('DELETE FROM entries WHERE key = ?', key)
      else this.#run('REPLACE INTO entries VALUES (?, ?, ?, ?, ?)', key, value, created, revision, lease)
      this.#run('INSERT INTO history VALUES (?, ?, ?, ?)', revision, key, value, created)
    }
    const pruned = Math.max(0, revision - HISTORY_REVISIONS)
    this.#run('DELETE FROM history WHERE revision <= ?', pruned)
    this.#run('UPDATE state SET revision = ?, pruned = ?', revision, pruned)
    return revision
  }

  #state(): { revision: number; pruned: number } {
    const row = this.#all('SELECT revision, pruned FROM state')[0]
    if (row === undefined) throw new StoreDamagedError(damage(this.#file, 'its state row is missing'))
    return { revision: Number(row['revision']), pruned: Number(row['pruned']) }
  }

  #modRevision(key: string): number {
    return Number(this.#all('SELECT modified FROM entries WHERE key = ?', key)[0]?.['modified'] ?? 0)
  }

  #created(key: string): number | undefined {
    const row = this.#all('SELECT created FROM entries WHERE key = ?', key)[0]
    return row === undefined ? undefined : Number(row['created'])
  }

  #hasLease(id: string): boolean {
    return this.#all('SELECT id FROM leases WHERE id = ?', id).length > 0
  }

  #pragma(name: string): number {
    return Number(this.#all(`PRAGMA ${name}`)[0]?.[name])
  }

  #transaction<T>(kind: 'DEFERRED' | 'IMMEDIATE', work: () => T): T {
    return this.#guard(() => {
      this.#database.exec(`BEGIN ${kind}`)
      try {
        const result = work()
        this.#database.exec('COMMIT')
        return result
      } catch (error) {
        if (this.#database.isTransaction) this.#database.exec('ROLLBACK')
        throw error
      }
    })
  }

  #guard<T>(work: () => T): T {
    try {
      return work()
    } catch (error) {
      throw explained(error, this.#file)
    }
  }

  #all(sql: string, ...values: (string | number | null)[]): Record<string, unknown>[] {
    return this.#statement(sql).all(...values)
  }

  #run(sql: string, ...values: (string | number | null)[]): number {
    return Number(this.#statement(sql).run(...values).changes)
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql)
    if (statement === undefined) this.#statements.set(sql, (statement = this.#database.prepare(sql)))
    return statement
  }
}

interface Write {
  readonly key: string
  readonly value: string | null
  readonly lease: string | null
}

function toChange({ key, value, created, modified }: EntryRow): TreeUpdate['changes'][number] {
  if (value === null) return { key, entry: undefined }
  return { key, entry: { key, value, createRevision: created, modRevision: modified } }
}

/** SQLite's primary result codes (https://sqlite.org/rescode.html) as errors that say what to do. */
function explained(error: unknown, file: string): unknown {
  const { errcode, message } = error as { errcode?: number; message: string }
  if (errcode === undefined) return error
  const options = { cause: error }
  switch (errcode & 0xff) {
    case 5: // SQLITE_BUSY
    case 6: // SQLITE_LOCKED
      return new StoreUnavailableError(`${file} is locked by another process's write`, options)
    case 11: // SQLITE_CORRUPT
    case 26: // SQLITE_NOTADB
    case 1: // SQLITE_ERROR: a table of the schema is missing
      return new StoreDamagedError(damage(file, message), options)
    case 8: // SQLITE_READONLY
    case 10: // SQLITE_IOERR
    case 13: // SQLITE_FULL
    case 14: // SQLITE_CANTOPEN
      return new StoreUnavailableError(
        `cannot read or write the metadata database ${file} (${message}): check its folder, its permissions and the free disk space`,
        options,
      )
    default:
      return error
  }
}

function damage(file: string, reason: string): string {
  return (
    `the metadata database ${file} is damaged (${reason}). Stop the brokers that share it, keep a copy of it and of its ` +
    `-wal and -shm files, then put a backup in its place, or try: sqlite3 ${file} .recover`
  )
}
