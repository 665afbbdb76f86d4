/** Brokers that have vanished without a word: their registrations are removed before their sessions end. */
import type { ClusterMetadata } from '../metadata/cluster-metadata.ts'
import type { BrokerRegistration } from '../metadata/image.ts'
import type { Logger } from '../runtime/logger.ts'

/**
 * The controller elects new leaders as soon as the broker's registration is gone; its session is the
 * backstop. Never rejects.
 */
export async function removeGone(
  broker: BrokerRegistration,
  metadata: ClusterMetadata,
  logger: Logger,
): Promise<void> {
  const present = metadata.image.brokers.get(broker.id)
  // A broker on its way out closes its port before it ends its registration.
  if (present?.epoch !== broker.epoch || present.shuttingDown) return
  const fields = { broker: broker.id, epoch: broker.epoch }
  try {
    if (!(await metadata.removeBroker(present))) return
    logger.warn(fields, 'a broker is gone: nobody listens at its address any more')
  } catch (error) {
    logger.warn({ error, ...fields }, 'a broker is gone, but the metadata quorum cannot be told')
  }
}
