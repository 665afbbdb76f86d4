/**
 * Quotas of clients (KIP-13, KIP-546): whom they are for, and where the tree keeps them, at the znodes that Kafka's users
 * know: `/config/users/<user>`, `/config/clients/<client-id>`, `/config/users/<user>/clients/<client-id>` and
 * `/config/ips/<address>`. `<default>` in place of a name is for everybody without an entry of their own; real names
 * are percent-encoded, so that none of them is taken for it.
 */

export const QUOTA_ENTITY_TYPES = ['user', 'client-id', 'ip'] as const
export type QuotaEntityType = (typeof QUOTA_ENTITY_TYPES)[number]

/** Name by type, null for the default. Either an address, or a user, a client, or both. */
export type QuotaEntity = ReadonlyMap<QuotaEntityType, string | null>

export interface ClientQuota {
  readonly entity: QuotaEntity
  /** Limit by quota key (`producer_byte_rate`). */
  readonly limits: ReadonlyMap<string, number>
}

const DEFAULT_NAME = '<default>'

/** Where the tree keeps the quotas of this entity. */
export function quotaKey(entity: QuotaEntity): string {
  const parts: string[] = []
  for (const [type, folder] of [
    ['ip', 'ips'],
    ['user', 'users'],
    ['client-id', 'clients'],
  ] as const) {
    const name = entity.get(type)
    if (name !== undefined) parts.push(folder, name === null ? DEFAULT_NAME : encodeName(name))
  }
  return `/config/${parts.join('/')}`
}

/** Whose quotas a key of the tree holds; undefined for any other key. */
export function quotaEntityOf(key: string): QuotaEntity | undefined {
  const [, root, ...parts] = key.split('/')
  if (root !== 'config') return undefined
  const folders = parts.filter((_, index) => index % 2 === 0).join('/')
  const types = typesByFolders[folders]
  if (types === undefined) return undefined
  try {
    const names = parts.filter((_, index) => index % 2 === 1)
    if (names.length !== types.length || names.includes('')) return undefined
    return new Map(
      types.map((type, index) => [
        type,
        names[index] === DEFAULT_NAME ? null : decodeURIComponent(names[index]!),
      ]),
    )
  } catch {
    return undefined
  }
}

const typesByFolders: Readonly<Record<string, readonly QuotaEntityType[]>> = {
  ips: ['ip'],
  users: ['user'],
  clients: ['client-id'],
  'users/clients': ['user', 'client-id'],
}

/** As Kafka writes names into znodes: all but letters, digits, `-`, `_`, `.` and `~` as `%XX`. */
function encodeName(name: string): string {
  return encodeURIComponent(name).replaceAll(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

/** The limits among the settings of a key; a value that is no number does not count. */
export function limitsOf(settings: ReadonlyMap<string, string>): ReadonlyMap<string, number> {
  const limits = [...settings].map(([key, text]) => [key, Number(text)] as const)
  return new Map(limits.filter(([, limit]) => !Number.isNaN(limit)))
}
