/**
 * Holds clients to their quotas (KIP-13, KIP-124, KIP-599): counts what each of them does, and says for how long one
 * that does too much has to keep quiet. The answer tells the client, and its connection is not read meanwhile (KIP-219).
 *
 * Of the entities that a client falls under, the first that has the quota in question counts:
 *
 *   user and client   user, any client   user   any user and client   any user, any client   any user   client   any client
 *
 * All who fall under a user's quota share it, each of those under "any" has one of their own. Without security every
 * client is the user ANONYMOUS.
 */
import type { Config } from '../config/config.ts'
import { quotaKey, type QuotaEntityType } from '../metadata/client-quotas.ts'
import type { ClusterMetadata } from '../metadata/cluster-metadata.ts'
import type { MetadataImage } from '../metadata/image.ts'
import { KafkaError } from '../protocol/errors.ts'
import type { Clock } from '../runtime/clock.ts'
import { throttleMs, TokenBucket, WindowedRate } from '../runtime/windowed-rate.ts'

const USER = 'ANONYMOUS'
const SECOND_MS = 1000
/** Clients that are remembered beyond those that do something; then those that do nothing are forgotten. */
const MAX_REMEMBERED = 1000

type RateQuota = 'producer_byte_rate' | 'consumer_byte_rate' | 'request_percentage'

/** A limit, and who shares it. */
interface Limit {
  readonly perSecond: number
  readonly sharedBy: string
}

/** What counts for one client id. */
interface ClientLimits {
  readonly producer_byte_rate?: Limit
  readonly consumer_byte_rate?: Limit
  readonly request_percentage?: Limit
  readonly controller_mutation_rate?: Limit
}

export interface QuotasOptions {
  readonly config: Pick<Config, 'get'>
  readonly metadata: Pick<ClusterMetadata, 'subscribe'>
  readonly clock: Clock
}

export class Quotas {
  readonly #options: QuotasOptions
  /** By whom they are shared. */
  readonly #rates = new Map<string, WindowedRate>()
  readonly #buckets = new Map<string, TokenBucket>()
  /** By client id, as the image has them now. */
  readonly #limits = new Map<string, ClientLimits>()
  #image: Pick<MetadataImage, 'clientQuotas'> = { clientQuotas: new Map() }
  #forgetAt = MAX_REMEMBERED

  constructor(options: QuotasOptions) {
    this.#options = options
    options.metadata.subscribe((image, delta) => {
      if (!delta.clientQuotasChanged) return
      this.#image = image
      this.#limits.clear()
    })
  }

  /** False while nobody has a quota: nothing needs to be counted. */
  get active(): boolean {
    return this.#image.clientQuotas.size > 0
  }

  /** Of how many clients, or who shares a quota, something is kept. */
  get remembered(): number {
    return this.#rates.size
  }

  /** Counts bytes that a client has sent to be written; for how long it has to keep quiet, in ms. */
  produced(clientId: string, bytes: number): number {
    return this.#charge('producer_byte_rate', clientId, bytes)
  }

  /**
   * Counts bytes that are about to go to a consumer. When this says for how long it has to keep quiet, they are not
   * counted and must not go: it gets them when it asks again. To one that has got nothing in all windows they go in any
   * case, or a batch that is larger than its quota would never go.
   */
  fetched(clientId: string, bytes: number): number {
    if (this.#isIdle('consumer_byte_rate', clientId)) {
      this.#charge('consumer_byte_rate', clientId, bytes)
      return 0
    }
    const quietMs = this.#charge('consumer_byte_rate', clientId, bytes)
    if (quietMs > 0) this.#charge('consumer_byte_rate', clientId, -bytes)
    return quietMs
  }

  /** What a consumer may be sent at a time, so that it is ever allowed to go. */
  maxFetchBytes(clientId: string): number {
    if (!this.active) return Infinity
    const limit = this.#limitsOf(clientId).consumer_byte_rate
    const { windows, windowMs } = this.#windows()
    return limit === undefined
      ? Infinity
      : (limit.perSecond * Math.max(windows - 1, 1) * windowMs) / SECOND_MS
  }

  /** Counts time that a request has taken from everybody else; for how long its client has to keep quiet, one window at most. */
  busy(clientId: string, busyMs: number): number {
    const quietMs = this.#charge('request_percentage', clientId, (busyMs * 100) / SECOND_MS)
    return Math.min(quietMs, this.#windows().windowMs)
  }

  /**
   * Counts partitions that a client creates or deletes. While it has made more of them than it may, `strict` refuses
   * with THROTTLING_QUOTA_EXCEEDED; clients that do not know this error are only told to keep quiet (`mutationDebtMs`).
   */
  mutate(clientId: string, partitions: number, strict: boolean): void {
    const found = this.#bucketOf(clientId)
    if (found === undefined) return
    const { bucket, perSecond } = found
    const nowMs = this.#options.clock.monotonicMs()
    const debtMs = bucket.debtMs(perSecond, nowMs)
    if (strict && debtMs > 0) {
      throw new KafkaError(
        'THROTTLING_QUOTA_EXCEEDED',
        `${perSecond} partitions per second may be created or deleted (controller_mutation_rate); try again in ${debtMs} ms`,
      )
    }
    bucket.take(partitions, perSecond, nowMs)
  }

  /** For how long a client that has created or deleted too many partitions has to keep quiet. */
  mutationDebtMs(clientId: string): number {
    const found = this.#bucketOf(clientId)
    return found === undefined ? 0 : found.bucket.debtMs(found.perSecond, this.#options.clock.monotonicMs())
  }

  /** Connections per second that an address may make; Infinity without a quota. */
  connectionRate(address: string): number {
    const limit = this.#lookup('connection_creation_rate', [
      new Map([['ip', address]]),
      new Map([['ip', null]]),
    ])
    return limit?.perSecond ?? Infinity
  }

  #isIdle(quota: RateQuota, clientId: string): boolean {
    const limit = this.#limitsOf(clientId)[quota]
    const rate = limit && this.#rates.get(`${quota} ${limit.sharedBy}`)
    return rate === undefined || rate.isIdle(this.#options.clock.monotonicMs())
  }

  #charge(quota: RateQuota, clientId: string, amount: number): number {
    if (!this.active) return 0
    const limit = this.#limitsOf(clientId)[quota]
    if (limit === undefined) return 0
    const nowMs = this.#options.clock.monotonicMs()
    const rate = this.#rateOf(`${quota} ${limit.sharedBy}`, nowMs)
    rate.record(amount, nowMs)
    return throttleMs(rate, limit.perSecond, nowMs)
  }

  #rateOf(name: string, nowMs: number): WindowedRate {
    const known = this.#rates.get(name)
    if (known !== undefined) return known
    if (this.#rates.size >= this.#forgetAt) this.#forgetIdle(nowMs)
    const { windows, windowMs } = this.#windows()
    const rate = new WindowedRate(windows, windowMs)
    this.#rates.set(name, rate)
    return rate
  }

  /** The next time is when there are twice as many as are left, so that this costs little per client. */
  #forgetIdle(nowMs: number): void {
    for (const [name, rate] of this.#rates) if (rate.isIdle(nowMs)) this.#rates.delete(name)
    this.#forgetAt = Math.max(MAX_REMEMBERED, this.#rates.size * 2)
  }

  #bucketOf(clientId: string): { bucket: TokenBucket; perSecond: number } | undefined {
    const limit = this.active ? this.#limitsOf(clientId).controller_mutation_rate : undefined
    if (limit === undefined) return undefined
    const known = this.#buckets.get(limit.sharedBy)
    if (known !== undefined) return { bucket: known, perSecond: limit.perSecond }
    // Changes of topics are rare: who makes one of them is forgotten with all others.
    if (this.#buckets.size >= MAX_REMEMBERED) this.#buckets.clear()
    const { config } = this.#options
    const windows = config.get('controller.quota.window.num')
    const bucket = new TokenBucket(windows * config.get('controller.quota.window.size.seconds'))
    this.#buckets.set(limit.sharedBy, bucket)
    return { bucket, perSecond: limit.perSecond }
  }

  #windows(): { windows: number; windowMs: number } {
    const { config } = this.#options
    return {
      windows: config.get('quota.window.num'),
      windowMs: config.get('quota.window.size.seconds') * SECOND_MS,
    }
  }

  #limitsOf(clientId: string): ClientLimits {
    const known = this.#limits.get(clientId)
    if (known !== undefined) return known
    if (this.#limits.size >= MAX_REMEMBERED) this.#limits.clear()
    const keys = [
      'producer_byte_rate',
      'consumer_byte_rate',
      'request_percentage',
      'controller_mutation_rate',
    ]
    const entities = entitiesOf(clientId)
    const limits: ClientLimits = Object.fromEntries(
      keys.flatMap((key) => {
        const limit = this.#lookup(key, entities)
        if (limit === undefined) return []
        const names = [limit.entity.has('user') ? USER : '', limit.entity.has('client-id') ? clientId : '']
        return [[key, { perSecond: limit.perSecond, sharedBy: JSON.stringify(names) }]]
      }),
    )
    this.#limits.set(clientId, limits)
    return limits
  }

  /** The limit of the first of the entities that has one. */
  #lookup(
    quota: string,
    entities: readonly Entity[],
  ): { readonly entity: Entity; readonly perSecond: number } | undefined {
    for (const entity of entities) {
      const perSecond = this.#image.clientQuotas.get(quotaKey(entity))?.limits.get(quota)
      if (perSecond !== undefined) return { entity, perSecond }
    }
    return undefined
  }
}

type Entity = ReadonlyMap<QuotaEntityType, string | null>

/** Whom a client falls under, the first that counts first. */
function entitiesOf(clientId: string): Entity[] {
  const ofUser = (user: string | null): Entity[] => [
    new Map([
      ['user', user],
      ['client-id', clientId],
    ]),
    new Map([
      ['user', user],
      ['client-id', null],
    ]),
    new Map([['user', user]]),
  ]
  return [
    ...ofUser(USER),
    ...ofUser(null),
    new Map([['client-id', clientId]]),
    new Map([['client-id', null]]),
  ]
}
