/** Picks the driver that `quorum.connect` names. */
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/logger.ts'
import { EmbeddedStore } from './drivers/embedded.ts'
import type { MetadataStore } from './store.ts'

/**
 * `embedded:/path/to/metadata.db`, or ZooKeeper's syntax for etcd: `host:port,host:port/chroot`.
 * Throws when the text is neither. Nothing is opened yet.
 */
export function openStore(quorumConnect: string, options: { clock: Clock; logger: Logger }): MetadataStore {
  const logger = options.logger.child({ part: 'quorum' })
  const file = /^embedded:(.+)$/.exec(quorumConnect.trim())?.[1]
  if (file !== undefined) return new EmbeddedStore({ ...options, logger, file })
  throw new Error(`quorum.connect=${quorumConnect}`)
}
