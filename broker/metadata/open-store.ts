/** Picks the driver that `quorum.connect` names. */
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/logger.ts'
import { EmbeddedStore } from './drivers/embedded.ts'
import { EtcdStore } from './drivers/etcd.ts'
import type { MetadataStore } from './store.ts'

/**
 * `embedded:/path/to/metadata.db`, or ZooKeeper's syntax for etcd: `host:port,host:port/chroot`.
 * Throws when the text is neither. Nothing is opened yet.
 */
export function openStore(quorumConnect: string, options: { clock: Clock; logger: Logger }): MetadataStore {
  const logger = options.logger.child({ part: 'quorum' })
  const file = /^embedded:(.+)$/.exec(quorumConnect.trim())?.[1]
  if (file !== undefined) return new EmbeddedStore({ ...options, logger, file })
  return new EtcdStore({ ...options, logger, ...parseQuorumConnect(quorumConnect) })
}

/** "host:port,host:port/chroot" in its parts; IPv6 addresses stand in brackets. Throws when the text is none. */
export function parseQuorumConnect(text: string): { members: string[]; chroot: string } {
  const slash = text.indexOf('/')
  const hosts = slash < 0 ? text : text.slice(0, slash)
  const chroot = slash < 0 ? '' : text.slice(slash).replace(/\/$/, '')
  const members = hosts.split(',').map((member) => member.trim())
  const wrong = members.find((member) => !/^(\[[0-9a-fA-F:.]+\]|[^\s:[\]]+):\d{1,5}$/.test(member))
  if (wrong !== undefined || !/^(\/[^/\s]+)*$/.test(chroot)) {
    throw new Error(
      `quorum.connect=${text}: ${wrong === undefined ? `the chroot "${chroot}"` : `"${wrong}"`} is wrong. Expected ` +
        'host:port,host:port,host:port with an optional /chroot, or embedded:/path/to/metadata.db',
    )
  }
  return { members, chroot }
}
