/**
 * The controller: the broker that holds `/controller` decides who leads which partition (controller-decisions.ts).
 * Every broker runs one of these; each campaigns when the key is free, under the lease of its own registration, so
 * that a broker that is gone is also no controller any more.
 *
 * Holding the key is no mutual exclusion by itself: each commit compares the revision of its own election, and of
 * every state that it replaces.
 */
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/logger.ts'
import { type ClusterMetadata, registrationConditions } from './cluster-metadata.ts'
import { decide, decidePreferred, type Decision } from './controller-decisions.ts'
import type { ControllerImage, MetadataImage } from './image.ts'
import {
  brokerKey,
  CONTROLLER_EPOCH_KEY,
  CONTROLLER_KEY,
  encodeController,
  encodePartitionState,
  partitionStateKey,
} from './keys.ts'
import { MAX_OPERATIONS, type Condition } from './store.ts'

/** leader.imbalance.check.interval.seconds of Apache Kafka. */
const PREFERRED_LEADERS_EVERY_MS = 300_000
const RETRY_MS = 500

export interface ControllerOptions {
  readonly brokerId: number
  readonly metadata: ClusterMetadata
  readonly clock: Clock
  readonly logger: Logger
  readonly config: { get(key: 'unclean.leader.election.enable'): boolean }
}

export class Controller {
  readonly #options: ControllerOptions
  readonly #logger: Logger
  readonly #closing = new AbortController()
  #wasActive = false
  #wanted = false
  /** Topics to look at in the next round: those that changed, or all of them after anything else has. */
  #topics: Set<string> | 'all' = 'all'
  #running: Promise<void> | undefined
  #unsubscribe = (): void => {}
  #preferredIsDue = false

  constructor(options: ControllerOptions) {
    this.#options = options
    this.#logger = options.logger.child({ part: 'controller' })
  }

  /** True while this broker is the controller as far as it knows. */
  get isActive(): boolean {
    return this.#election !== undefined
  }

  /**
   * The election that this process has won, if it was the last one: a key with its id that is younger than its
   * registration, for an older one is from a former life of this broker.
   */
  get #election(): ControllerImage | undefined {
    const { brokerId, metadata } = this.#options
    const { controller } = metadata.image
    const registeredAt = metadata.registration?.epoch ?? Infinity
    return controller?.brokerId === brokerId && controller.revision > registeredAt ? controller : undefined
  }

  /** Campaigns from now on. The broker must have been registered. */
  start(): void {
    this.#unsubscribe = this.#options.metadata.subscribe((_image, delta) => {
      this.#reportElection()
      // A setting of the cluster may allow elections that were not allowed before.
      if (delta.brokers.size > 0 || delta.controllerChanged || delta.brokerConfigsChanged)
        this.#topics = 'all'
      else if (delta.topics.size === 0) return
      else if (this.#topics !== 'all') for (const name of delta.topics) this.#topics.add(name)
      this.#wake()
    })
    this.#schedulePreferred()
  }

  /** Stops deciding; the key goes with the broker's registration. */
  async close(): Promise<void> {
    this.#closing.abort()
    this.#unsubscribe()
    await this.#running
  }

  #reportElection(): void {
    if (this.isActive === this.#wasActive) return
    this.#wasActive = this.isActive
    const { controller } = this.#options.metadata.image
    this.#logger.info({ controller }, this.isActive ? 'elected controller' : 'no longer the controller')
  }

  #schedulePreferred(): void {
    this.#options.clock.after(PREFERRED_LEADERS_EVERY_MS, () => {
      if (this.#closing.signal.aborted) return
      this.#preferredIsDue = true
      this.#wake()
      this.#schedulePreferred()
    })
  }

  #wake(): void {
    if (this.#closing.signal.aborted) return
    this.#wanted = true
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
      if (this.#wanted) this.#wake()
    })
  }

  /** Looks at the newest image until there is nothing left to do in it. */
  async #run(): Promise<void> {
    const { clock } = this.#options
    while (this.#wanted && !this.#closing.signal.aborted) {
      this.#wanted = false
      try {
        await this.#round(this.#options.metadata.image)
      } catch (error) {
        this.#logger.warn(
          { error },
          'cannot reach the metadata quorum to act as the controller, trying again',
        )
        this.#topics = 'all'
        this.#wanted = true
        await clock.sleep(RETRY_MS, this.#closing.signal).catch(() => {})
      }
    }
  }

  async #round(image: MetadataImage): Promise<void> {
    if (image.controller === undefined) await this.#campaign(image)
    if (!this.isActive) return
    const unclean = this.#options.config.get('unclean.leader.election.enable')
    const topics = this.#topics === 'all' ? undefined : this.#topics
    this.#topics = new Set()
    const now = this.#options.metadata.image
    await this.#commitAll(now, decide(now, { uncleanElection: unclean }, topics))
    if (!this.#preferredIsDue) return
    this.#preferredIsDue = false
    const later = this.#options.metadata.image
    await this.#commitAll(later, decidePreferred(later))
  }

  async #campaign(image: MetadataImage): Promise<void> {
    const { metadata, brokerId, clock } = this.#options
    const registered = image.brokers.get(brokerId)
    const { lease, epoch: ownEpoch } = metadata.registration ?? {}
    if (lease === undefined || registered === undefined || registered.epoch !== ownEpoch) {
      // Being registered again just now: the image may show it a moment before the registration knows.
      clock.after(RETRY_MS, () => this.#wake())
      return
    }
    if (registered.shuttingDown) return
    const last = metadata.entry(CONTROLLER_EPOCH_KEY)
    const epoch = last === undefined ? 1 : Number(last.value) + 1
    await metadata.commit(
      [
        { key: CONTROLLER_KEY, modRevision: 0 },
        { key: CONTROLLER_EPOCH_KEY, modRevision: last?.modRevision ?? 0 },
        { key: brokerKey(brokerId), modRevision: registered.revision },
      ],
      [
        { key: CONTROLLER_KEY, value: encodeController(brokerId, clock.now()), lease },
        { key: CONTROLLER_EPOCH_KEY, value: String(epoch) },
      ],
    )
  }

  /** `decisions` were made on `image`. */
  async #commitAll(image: MetadataImage, decisions: readonly Decision[]): Promise<void> {
    const { metadata } = this.#options
    const members = memberConditions(image, decisions)
    // One condition is the election.
    const perCommit = Math.max(1, MAX_OPERATIONS - 1 - members.length)
    let conflicts = false
    for (let at = 0; at < decisions.length && this.isActive; at += perCommit) {
      const batch = decisions.slice(at, at + perCommit)
      if (await this.#commit(image, batch)) continue
      // A leader changed one of these states meanwhile: the others need not wait for the next image.
      for (const one of batch.length > 1 ? batch : []) if (this.isActive) await this.#commit(image, [one])
      conflicts = true
    }
    if (!conflicts) return
    this.#topics = 'all'
    this.#wanted = true
    await metadata.waitFor(({ revision }) => revision > image.revision, RETRY_MS, this.#closing.signal)
  }

  async #commit(image: MetadataImage, decisions: readonly Decision[]): Promise<boolean> {
    const election = this.#election
    if (election === undefined || decisions.length === 0) return false
    const states = decisions.map(({ topic, expected, next }) => ({
      key: partitionStateKey(topic, expected.index),
      modRevision: expected.stateRevision,
      value: encodePartitionState(next, election.epoch),
    }))
    const conditions: Condition[] = [
      { key: CONTROLLER_KEY, modRevision: election.revision },
      ...memberConditions(image, decisions),
      ...states.map(({ key, modRevision }) => ({ key, modRevision })),
    ]
    const revision = await this.#options.metadata.commit(
      conditions,
      states.map(({ key, value }) => ({ key, value })),
    )
    if (revision === undefined) return false
    for (const { topic, expected, next } of decisions) {
      const { index, leader, isr } = expected
      this.#logger.info({ topic, index, from: { leader, isr }, to: next }, 'partition changed')
    }
    return true
  }
}

/** That whoever is to be in sync is registered as it was when that was decided. */
function memberConditions(image: MetadataImage, decisions: readonly Decision[]): Condition[] {
  return registrationConditions(
    image,
    decisions.flatMap(({ next }) => next.isr),
  )
}
