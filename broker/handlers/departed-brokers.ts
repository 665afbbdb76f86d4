/**
 * Brokers that have just gone, which clients are still shown (docs/decisions/0052-departed-brokers-stay-listed.md).
 *
 * Some clients keep to the broker that coordinates their group, look its address up in their newest metadata before
 * each request, and look for another coordinator only when a connection to it fails. An address that is missing before
 * they have tried it once leaves them without a coordinator for good.
 */
import type { ClusterMetadata } from '../metadata/cluster-metadata.ts'
import type { BrokerRegistration, MetadataImage } from '../metadata/image.ts'
import type { Clock } from '../runtime/clock.ts'

/** Several heartbeats of a group's member, and about as long as Apache Kafka goes on to list a broker that has died. */
const LISTED_FOR_MS = 10_000

interface Departed {
  readonly broker: BrokerRegistration
  readonly untilMs: number
}

export class DepartedBrokers {
  readonly #clock: Clock
  /** By id: a broker that comes back is no longer one of them. */
  readonly #departed = new Map<number, Departed>()

  constructor(metadata: Pick<ClusterMetadata, 'subscribe'>, clock: Clock) {
    this.#clock = clock
    metadata.subscribe((image, _delta, previous) => this.#update(image, previous))
  }

  /** Their last registrations. */
  recent(): BrokerRegistration[] {
    const nowMs = this.#clock.monotonicMs()
    return [...this.#departed.values()].filter(({ untilMs }) => nowMs < untilMs).map(({ broker }) => broker)
  }

  #update(image: MetadataImage, previous: MetadataImage): void {
    const untilMs = this.#clock.monotonicMs() + LISTED_FOR_MS
    for (const broker of previous.brokers.values()) this.#departed.set(broker.id, { broker, untilMs })
    for (const id of image.brokers.keys()) this.#departed.delete(id)
  }
}
