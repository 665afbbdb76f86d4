/**
 * The metadata quorum as the broker sees it: one tree of keys ("/brokers/ids/1") with JSON text as values,
 * whose every change has a revision. All brokers follow the whole tree; whoever changes it does so by a
 * transaction that compares the revisions it has read.
 *
 * Two drivers: `drivers/etcd.ts` for a cluster, `drivers/embedded.ts` (an SQLite file, shared by the processes
 * of one machine). tests/broker/metadata/store-contract.ts holds for both.
 */

/** One key of the tree. Revisions are positive integers that grow with every committed transaction. */
export interface Entry {
  readonly key: string
  readonly value: string
  /** Revision of the transaction that created the key (anew, if it had been deleted). */
  readonly createRevision: number
  /** Revision of the transaction that last wrote it. */
  readonly modRevision: number
}

/** A key that was written (`entry`) or deleted (`entry` undefined). */
export interface TreeChange {
  readonly key: string
  readonly entry: Entry | undefined
}

/** What the tree held at one revision, or what changed up to it. */
export interface TreeUpdate {
  readonly revision: number
  /** True: `changes` is the whole tree, and any key not named is gone (first read, or history was compacted). */
  readonly reset: boolean
  readonly changes: readonly TreeChange[]
}

/** Holds when `key` was last written at `modRevision`; 0 means that it must not exist. */
export interface Condition {
  readonly key: string
  readonly modRevision: number
}

/**
 * Puts `value`, or deletes the key when `value` is null. With a lease, the key goes when the lease does; the lease
 * must be alive, as if that were one of the transaction's conditions.
 */
export interface Change {
  readonly key: string
  readonly value: string | null
  readonly lease?: Lease
  /** With a null value: deletes every key that starts with `key`, in one operation however many they are. */
  readonly prefix?: true
}

/** At most MAX_OPERATIONS conditions and as many changes, each key changed once. */
export interface Transaction {
  readonly conditions: readonly Condition[]
  readonly changes: readonly Change[]
}

/** etcd refuses transactions of more than 128 operations (--max-txn-ops). */
export const MAX_OPERATIONS = 100

export type CommitResult =
  | { readonly committed: true; readonly revision: number }
  /** A condition did not hold; nothing was changed. */
  | { readonly committed: false }

/** A grant that the driver keeps alive in the background until it is revoked or lost. */
export interface Lease {
  readonly id: string
  readonly ttlMs: number
  /** Aborted when the lease has expired or can no longer be proved alive: its keys may be gone. */
  readonly lost: AbortSignal
  /** Ends the lease; its keys are deleted. Bounded in time; never rejects (the expiry does it otherwise). */
  revoke(): Promise<void>
}

export interface MetadataStore {
  /**
   * Connects, reads the tree and follows it. `listener` gets the whole tree first (reset), then every change in
   * order of revision, none twice and none left out; after a gap that cannot be filled it gets a reset again.
   * Rejects with StoreUnavailableError when the quorum cannot be reached within `timeoutMs`.
   */
  open(listener: (update: TreeUpdate) => void, timeoutMs: number): Promise<void>
  /**
   * Applies all changes or none. The answer is exact: a lost reply is resolved by reading back, so `committed`
   * never lies. Rejects with StoreUnavailableError when the outcome could not be learned within `timeoutMs`.
   */
  commit(transaction: Transaction, timeoutMs?: number): Promise<CommitResult>
  /** Rejects with StoreUnavailableError when the quorum cannot be reached within `timeoutMs`. */
  lease(ttlMs: number, timeoutMs?: number): Promise<Lease>
  /** Milliseconds since the quorum last answered anything; 0 for a driver that has no quorum to lose. */
  silentMs(): number
  /** Stops following; bounded in time also when the quorum is dead. Leases are left to expire unless revoked. */
  close(): Promise<void>
}

/** The quorum did not answer in time, or has no majority. Retriable; says what was tried and for how long. */
export class StoreUnavailableError extends Error {
  override readonly name = 'StoreUnavailableError'
}
