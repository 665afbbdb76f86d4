/**
 * Transactions with an exact outcome. A reply can be lost after its transaction was applied, and a frozen member can
 * apply one long after its caller gave up; so each transaction also writes a unique value to a *lane*, a key of this
 * client alone, on the condition that the lane is as the client left it.
 *
 *   reply lost → if the lane holds the unique value, the transaction was applied, at the lane's revision;
 *                otherwise the lane is written anew, in the same step, and the lost transaction can never apply any more
 *
 * A lane has one transaction under way; several lanes let several be. Their keys vanish with the client's lease.
 */
import { randomUUID } from 'node:crypto'
import type { Clock } from '../../runtime/clock.ts'
import { StoreUnavailableError, type CommitResult, type Lease, type Transaction } from '../store.ts'
import { AttemptError, EtcdError, type Deadline, type EtcdGateway } from './etcd-gateway.ts'
import {
  compareRevision,
  compareValue,
  get,
  put,
  type EtcdTree,
  type Header,
  type KeyValue,
} from './etcd-tree.ts'

const LANES = 8
const MAX_WAITING = 1_000
const NOT_FOUND = 5

interface TxnReply {
  readonly header: Header
  readonly succeeded?: boolean
  readonly responses?: readonly { readonly response_range?: { readonly kvs?: readonly KeyValue[] } }[]
}

interface Lane {
  readonly key: string
  /** Revision of the lane's last write, 0 when it was never written; undefined when a transaction on it got lost. */
  revision: number | undefined
}

export interface LaneOptions {
  readonly gateway: EtcdGateway
  readonly tree: EtcdTree
  readonly client: string
  readonly clock: Clock
  /** The lease of the lanes' keys; a new one when the old one is lost or was dropped. */
  readonly lease: (deadline: Deadline) => Promise<Lease>
  readonly dropLease: (lease: Lease) => void
}

export class EtcdLanes {
  readonly #options: LaneOptions
  readonly #free: Lane[]
  readonly #waiting = new Set<(lane: Lane) => void>()

  constructor(options: LaneOptions) {
    this.#options = options
    this.#free = Array.from({ length: LANES }, (_, i) => ({
      key: options.tree.clientKey(options.client, `lane-${i}`),
      revision: 0,
    }))
  }

  /** Rejects with StoreUnavailableError when the outcome could not be learned by the deadline. */
  async commit(transaction: Transaction, deadline: Deadline): Promise<CommitResult> {
    const lane = await this.#take(deadline)
    try {
      return await this.#commitOn(lane, transaction, deadline)
    } finally {
      const [next] = this.#waiting
      if (next === undefined) this.#free.push(lane)
      else next(lane)
    }
  }

  #take({ atMs, timeoutMs }: Deadline): Promise<Lane> {
    const { clock } = this.#options
    const lane = this.#free.pop()
    if (lane !== undefined) return Promise.resolve(lane)
    if (this.#waiting.size >= MAX_WAITING) {
      return Promise.reject(
        new StoreUnavailableError(`${MAX_WAITING} metadata transactions are waiting already`),
      )
    }
    return new Promise((resolve, reject) => {
      const cancel = clock.after(atMs - clock.monotonicMs(), () => {
        this.#waiting.delete(take)
        reject(
          new StoreUnavailableError(
            `${LANES} metadata transactions are waiting for the quorum for ${timeoutMs} ms`,
          ),
        )
      })
      const take = (free: Lane): void => {
        cancel()
        this.#waiting.delete(take)
        resolve(free)
      }
      this.#waiting.add(take)
    })
  }

  async #commitOn(lane: Lane, transaction: Transaction, deadline: Deadline): Promise<CommitResult> {
    const { gateway } = this.#options
    for (let attempt = 1; ; attempt++) {
      const lease = await this.#options.lease(deadline)
      if (lane.revision === undefined) await this.#resolve(lane, randomUUID(), lease, deadline)
      const unique = randomUUID()
      try {
        const result = await this.#once(lane, transaction, unique, lease, deadline)
        if (result !== undefined) return result
      } catch (error) {
        if (error instanceof EtcdError && error.code === NOT_FOUND) {
          // A lease has ended. If it is the lanes', the next round has another one; else it is the caller's.
          if (!(await this.#isAlive(lease, deadline))) continue
          return { committed: false }
        }
        if (error instanceof AttemptError && error.applied === 'unknown') {
          lane.revision = undefined
          await gateway.pauseOrGiveUp(error, attempt, deadline)
          const revision = await this.#resolve(lane, unique, lease, deadline)
          if (revision !== undefined) return { committed: true, revision }
        } else {
          await gateway.pauseOrGiveUp(error, attempt, deadline)
        }
      }
    }
  }

  /** Undefined when only the lane's condition did not hold: it was not applied, and the lane is known again. */
  async #once(
    lane: Lane,
    { conditions, changes }: Transaction,
    unique: string,
    lease: Lease,
    deadline: Deadline,
  ): Promise<CommitResult | undefined> {
    const { gateway, tree } = this.#options
    const expected = lane.revision ?? 0
    const reply = await gateway.once<TxnReply>(
      '/v3/kv/txn',
      {
        compare: [
          compareRevision(lane.key, expected),
          ...conditions.map((condition) => tree.compare(condition)),
        ],
        success: [put(lane.key, unique, lease.id), ...changes.map((change) => tree.operation(change))],
        failure: [get(lane.key)],
      },
      deadline,
    )
    if (reply.succeeded) {
      lane.revision = Number(reply.header.revision)
      return { committed: true, revision: lane.revision }
    }
    lane.revision = laneRevision(reply)
    return lane.revision === expected ? { committed: false } : undefined
  }

  /**
   * Whether the transaction that wrote `unique` was applied: its revision, or undefined, and then it never will be.
   * May be repeated; afterwards the lane is known.
   */
  async #resolve(lane: Lane, unique: string, lease: Lease, deadline: Deadline): Promise<number | undefined> {
    const reply = await this.#options.gateway.call<TxnReply>(
      '/v3/kv/txn',
      {
        compare: [compareValue(lane.key, unique)],
        success: [get(lane.key)],
        failure: [put(lane.key, `fence ${randomUUID()}`, lease.id)],
      },
      deadline,
    )
    lane.revision = reply.succeeded ? laneRevision(reply) : Number(reply.header.revision)
    return reply.succeeded ? lane.revision : undefined
  }

  async #isAlive(lease: Lease, deadline: Deadline): Promise<boolean> {
    const reply = await this.#options.gateway.call<{ TTL?: string }>(
      '/v3/lease/timetolive',
      { ID: lease.id },
      deadline,
    )
    const alive = Number(reply.TTL ?? 0) > 0
    if (!alive) this.#options.dropLease(lease)
    return alive
  }
}

/** 0 when the lane's key is not there: never written, or gone with its lease. */
function laneRevision(reply: TxnReply): number {
  return Number(reply.responses?.[0]?.response_range?.kvs?.[0]?.mod_revision ?? 0)
}
