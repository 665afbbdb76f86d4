/**
 * A lease that is kept alive over any member that answers: renewed six times in its time to live, so that a frozen
 * member, which costs each call its deadline, does not cost the lease. It counts as lost once no renewal has
 * succeeded for the time to live, counted from when the last good one was sent.
 */
import { randomBytes } from 'node:crypto'
import type { Clock } from '../../runtime/clock.ts'
import type { Logger } from '../../runtime/logger.ts'
import { StoreUnavailableError, type Lease } from '../store.ts'
import { ATTEMPT_TIMEOUT_MS, EtcdError, type EtcdGateway } from './etcd-gateway.ts'

const RENEWALS = 6
const EXISTS_ALREADY = 9
const NOT_FOUND = 5

interface Options {
  readonly gateway: EtcdGateway
  readonly clock: Clock
  readonly logger: Logger
  readonly closing: AbortSignal
}

export class EtcdLease implements Lease {
  readonly id: string
  readonly ttlMs: number
  readonly #options: Options
  readonly #lost = new AbortController()
  #aliveUntilMs: number
  #ended = false

  private constructor(id: string, ttlMs: number, aliveUntilMs: number, options: Options) {
    this.id = id
    this.ttlMs = ttlMs
    this.#aliveUntilMs = aliveUntilMs
    this.#options = options
    this.#renewLater()
  }

  /** `ttlMs` is rounded up to seconds; etcd may grant more. Rejects with StoreUnavailableError. */
  static async grant(ttlMs: number, timeoutMs: number, options: Options): Promise<EtcdLease> {
    const { gateway, clock } = options
    // An id of our own: when a reply is lost, the repeated grant finds the first one.
    const id = (randomBytes(8).readBigUInt64BE() >> 1n || 1n).toString()
    const seconds = Math.ceil(ttlMs / 1_000)
    const sentMs = clock.monotonicMs()
    try {
      await gateway.call('/v3/lease/grant', { ID: id, TTL: String(seconds) }, gateway.deadline(timeoutMs))
    } catch (error) {
      if (!(error instanceof EtcdError) || error.code !== EXISTS_ALREADY) throw error
    }
    return new EtcdLease(id, seconds * 1_000, sentMs + seconds * 1_000, options)
  }

  get lost(): AbortSignal {
    return this.#lost.signal
  }

  async revoke(): Promise<void> {
    this.#ended = true
    const { gateway, logger } = this.#options
    try {
      await gateway.call('/v3/lease/revoke', { ID: this.id }, gateway.deadline(2 * ATTEMPT_TIMEOUT_MS))
    } catch (error) {
      if (error instanceof EtcdError && error.code === NOT_FOUND) return
      logger.warn({ error, lease: this.id }, 'cannot revoke a lease, it will expire')
    }
  }

  #renewLater(): void {
    const { clock, closing, logger } = this.#options
    clock.after(this.ttlMs / RENEWALS, () => {
      if (this.#ended || closing.aborted) return
      this.#renew()
        .catch((error: unknown) => {
          if (this.#ended || closing.aborted) return
          logger.warn({ error, lease: this.id }, 'cannot renew a lease yet')
          if (clock.monotonicMs() >= this.#aliveUntilMs) this.#lose('it could not be renewed in time')
        })
        .finally(() => this.#renewLater())
    })
  }

  async #renew(): Promise<void> {
    const { gateway, clock } = this.#options
    const leftMs = this.#aliveUntilMs - clock.monotonicMs()
    if (leftMs <= 0) throw new StoreUnavailableError('the time to live has passed')
    const deadline = gateway.deadline(Math.min(leftMs, (gateway.members.length + 1) * ATTEMPT_TIMEOUT_MS))
    const sentMs = await this.#renewalSent(deadline.atMs, deadline.timeoutMs)
    if (sentMs === undefined) this.#lose('it has expired')
    else this.#aliveUntilMs = sentMs + this.ttlMs
  }

  /** When the renewal that was answered had been sent; undefined when the quorum no longer knows the lease. */
  async #renewalSent(atMs: number, timeoutMs: number): Promise<number | undefined> {
    const { gateway, clock } = this.#options
    for (let attempt = 1; ; attempt++) {
      const sentMs = clock.monotonicMs()
      try {
        const reply = await gateway.once<{ result?: { TTL?: string } }>(
          '/v3/lease/keepalive',
          { ID: this.id },
          { atMs, timeoutMs },
        )
        return Number(reply.result?.TTL ?? 0) > 0 ? sentMs : undefined
      } catch (error) {
        await gateway.pauseOrGiveUp(error, attempt, { atMs, timeoutMs })
      }
    }
  }

  #lose(reason: string): void {
    this.#ended = true
    this.#lost.abort(new Error(`the lease ${this.id} is lost: ${reason}`))
  }
}
