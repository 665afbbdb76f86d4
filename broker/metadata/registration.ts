/**
 * One broker's `/brokers/ids/<id>`, held by a lease for as long as the broker lives. A lost lease (the quorum was
 * away for too long, or this process stood still) is followed by a new registration, with a new epoch; so is its
 * removal by another broker, which found nobody at its address.
 */
import { setMaxListeners } from 'node:events'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/logger.ts'
import type { Endpoint, MetadataImage } from './image.ts'
import { brokerKey, encodeBroker } from './keys.ts'
import { NO_OFFLINE_REPLICAS, type OfflineReplicas } from './offline-replicas.ts'
import { StoreUnavailableError, type Lease, type MetadataStore } from './store.ts'

const CALL_TIMEOUT_MS = 5_000
const CLOSE_WAIT_MS = 500
const FIRST_RETRY_MS = 100
/** The longest that a timer can be set to: 24 days. */
const LONGEST_WAIT_MS = 2 ** 31 - 1
const MAX_RETRY_MS = 2_000
/** Another life of this id may hold the key for one session; a bit more for its expiry to be carried out. */
const SESSIONS_TO_WAIT = 1.5

export interface BrokerIdentity {
  readonly id: number
  readonly endpoints: readonly Endpoint[]
  readonly rack: string | null
  /** As known when the broker registers first. */
  readonly offlineReplicas?: OfflineReplicas
  /** As of the first registration; undefined: since that one. */
  readonly completeSince?: number | undefined
}

export interface RegistrationOptions {
  readonly broker: BrokerIdentity
  readonly sessionTimeoutMs: number
  readonly store: MetadataStore
  readonly clock: Clock
  readonly logger: Logger
  readonly image: () => MetadataImage
  readonly waitFor: (
    condition: (image: MetadataImage) => boolean,
    timeoutMs: number,
    signal?: AbortSignal,
  ) => Promise<boolean>
}

export class Registration {
  readonly #options: RegistrationOptions
  readonly #closing = new AbortController()
  #lease: Lease | undefined
  #epoch = -1
  #shuttingDown = false
  #offlineReplicas: OfflineReplicas
  #completeSince: number | undefined
  /** Grows with every change to what the registration is to say. */
  #version = 0
  #publishing: Promise<void> | undefined
  #registering: Promise<void> = Promise.resolve()

  constructor(options: RegistrationOptions) {
    this.#options = options
    this.#offlineReplicas = options.broker.offlineReplicas ?? NO_OFFLINE_REPLICAS
    this.#completeSince = options.broker.completeSince
    setMaxListeners(0, this.#closing.signal)
  }

  get brokerId(): number {
    return this.#options.broker.id
  }

  /** Revision at which the present registration was made. */
  get epoch(): number {
    return this.#epoch
  }

  /** Undefined while the broker is not registered. */
  get lease(): Lease | undefined {
    return this.#lease?.lost.aborted ? undefined : this.#lease
  }

  /** Registers, waiting for an earlier life of the same id to expire. Throws when another broker lives under it. */
  async start(): Promise<void> {
    const { broker, sessionTimeoutMs, clock } = this.#options
    const deadline = clock.monotonicMs() + sessionTimeoutMs * SESSIONS_TO_WAIT + CALL_TIMEOUT_MS
    while (!(await this.#tryRegister())) {
      const vanished = await this.#vanished(sessionTimeoutMs * SESSIONS_TO_WAIT)
      if (vanished && clock.monotonicMs() < deadline) continue
      const holder = this.#options.image().brokers.get(broker.id)
      const where =
        holder?.endpoints.map(({ host, port }) => `${host}:${port}`).join(', ') ?? 'an unknown address'
      throw new Error(
        `another broker with id ${broker.id} is alive at ${where}: it kept its registration for longer than ` +
          `quorum.session.timeout.ms (${sessionTimeoutMs}). Give this broker another node.id, or stop the other one`,
      )
    }
  }

  /** Tells the controller to move this broker's leaderships away. */
  requestShutdown(): Promise<void> {
    this.#shuttingDown = true
    return this.#publish()
  }

  /** Tells the others which replicas cannot be served here; resolves when the quorum has it. */
  setOfflineReplicas(replicas: OfflineReplicas): Promise<void> {
    this.#offlineReplicas = replicas
    return this.#publish()
  }

  /** Brings what is registered up to date, trying again until it is; never rejects. */
  #publish(): Promise<void> {
    this.#version += 1
    this.#publishing ??= this.#publishAll().finally(() => {
      this.#publishing = undefined
    })
    return this.#publishing
  }

  async #publishAll(): Promise<void> {
    const { clock, logger } = this.#options
    let delayMs = FIRST_RETRY_MS
    for (let published = -1; published !== this.#version && !this.#closing.signal.aborted;) {
      const version = this.#version
      try {
        if (await this.#tryPublish()) {
          published = version
          continue
        }
      } catch (error) {
        logger.warn({ error, brokerId: this.brokerId }, 'the registration cannot be changed yet')
      }
      await clock.sleep(delayMs, this.#closing.signal).catch(() => {})
      delayMs = Math.min(delayMs * 2, MAX_RETRY_MS)
    }
  }

  async #tryPublish(): Promise<boolean> {
    const { lease } = this
    const held = this.#options.image().brokers.get(this.brokerId)
    if (lease === undefined || held?.epoch !== this.#epoch) return false
    const key = brokerKey(this.brokerId)
    const { committed } = await this.#options.store.commit(
      {
        conditions: [{ key, modRevision: held.revision }],
        changes: [{ key, value: this.#value(), lease }],
      },
      CALL_TIMEOUT_MS,
    )
    return committed
  }

  /** Revokes the lease: the broker, and its controllership, are gone for the others at once. Never rejects. */
  async close(): Promise<void> {
    this.#closing.abort(new Error('the registration is closed'))
    // With the quorum dead, a registration under way ends only when its calls do: it undoes itself then.
    await Promise.race([this.#registering, this.#options.clock.sleep(CLOSE_WAIT_MS)])
    await this.#lease?.revoke()
  }

  async #tryRegister(): Promise<boolean> {
    const { broker, sessionTimeoutMs, store } = this.#options
    const key = brokerKey(broker.id)
    const lease = await store.lease(sessionTimeoutMs, CALL_TIMEOUT_MS)
    const result = await store
      .commit(
        { conditions: [{ key, modRevision: 0 }], changes: [{ key, value: this.#value(), lease }] },
        CALL_TIMEOUT_MS,
      )
      .catch(async (error: unknown) => {
        await lease.revoke()
        throw error
      })
    if (!result.committed || this.#closing.signal.aborted) {
      await lease.revoke()
      return false
    }
    this.#lease = lease
    this.#epoch = result.revision
    this.#completeSince ??= result.revision
    void this.#whenLost(lease, result.revision).then((reason) => {
      this.#registering = this.#registerAgain(lease, reason)
    })
    return true
  }

  /** Resolves, with the reason, when the lease is lost or another broker has removed the registration. */
  #whenLost(lease: Lease, epoch: number): Promise<string> {
    return new Promise((resolve) => {
      const onLost = (): void => resolve(String(lease.lost.reason))
      if (lease.lost.aborted) return onLost()
      lease.lost.addEventListener('abort', onLost, { once: true })
      const isRemoved = (image: MetadataImage): boolean =>
        image.revision >= epoch && image.brokers.get(this.brokerId)?.epoch !== epoch
      const signal = AbortSignal.any([lease.lost, this.#closing.signal])
      void this.#options.waitFor(isRemoved, LONGEST_WAIT_MS, signal).then((removed) => {
        if (removed) resolve('another broker found nobody at the address of this one')
      })
    })
  }

  async #registerAgain(lost: Lease, reason: string): Promise<void> {
    const { clock, logger, broker } = this.#options
    const { signal } = this.#closing
    if (signal.aborted) return
    logger.warn({ brokerId: broker.id, epoch: this.#epoch, reason }, 'registration lost')
    let delayMs = FIRST_RETRY_MS
    while (!signal.aborted) {
      try {
        // The quorum may still know the lease that could not be proved alive here.
        await lost.revoke()
        if (await this.#tryRegister()) {
          logger.info({ brokerId: broker.id, epoch: this.#epoch }, 'registered again')
          return
        }
        await this.#vanished(delayMs)
      } catch (error) {
        const level = error instanceof StoreUnavailableError ? 'warn' : 'error'
        if (!signal.aborted) logger[level]({ error, brokerId: broker.id }, 'cannot register again yet')
      }
      await clock.sleep(delayMs, signal).catch(() => {})
      delayMs = Math.min(delayMs * 2, MAX_RETRY_MS)
    }
  }

  #vanished(timeoutMs: number): Promise<boolean> {
    return this.#options.waitFor(
      (image) => !image.brokers.has(this.brokerId),
      timeoutMs,
      this.#closing.signal,
    )
  }

  #value(): string {
    const { broker, clock } = this.#options
    return encodeBroker({
      ...broker,
      shuttingDown: this.#shuttingDown,
      offlineReplicas: this.#offlineReplicas,
      completeSince: this.#completeSince,
      timestampMs: clock.now(),
    })
  }
}
