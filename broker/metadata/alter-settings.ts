/** Changes of settings: each key of the tree is read, changed, and written only if nobody else has written it meanwhile. */
import { KafkaError } from '../protocol/errors.ts'
import type { ClusterMetadata } from './cluster-metadata.ts'
import { decodeConfigs, encodeConfigs } from './keys.ts'
import type { Condition } from './store.ts'

const ATTEMPTS = 10
/** How long the image may take to show what somebody else has written. */
const CONFLICT_WAIT_MS = 2_000

export type Settings = ReadonlyMap<string, string>

/**
 * Replaces the settings under `key` by what `change` makes of the present ones. `change` may be called again, with what
 * somebody else has made of them; what it throws, this rejects with. `guards` are further conditions of the moment.
 * Also rejects with KafkaError REQUEST_TIMED_OUT after too many conflicts, and StoreUnavailableError.
 */
export async function alterSettings(
  metadata: ClusterMetadata,
  key: string,
  change: (current: Settings) => Settings,
  guards: () => readonly Condition[] = () => [],
): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const current = settingsAt(metadata, key)
    const next = change(current)
    const conditions = [{ key, modRevision: metadata.entry(key)?.modRevision ?? 0 }, ...guards()]
    if (isSame(current, next)) return
    const value = next.size > 0 ? encodeConfigs(next) : null
    const { revision } = metadata.image
    if ((await metadata.commit(conditions, [{ key, value }])) !== undefined) return
    await metadata.waitFor((image) => image.revision > revision, CONFLICT_WAIT_MS)
  }
  throw new KafkaError(
    'REQUEST_TIMED_OUT',
    `${key} was changed by others ${ATTEMPTS} times meanwhile; try again`,
  )
}

/** The settings under `key` as the image has them. */
export function settingsAt(metadata: Pick<ClusterMetadata, 'entry'>, key: string): Settings {
  const entry = metadata.entry(key)
  return entry === undefined ? new Map<string, string>() : decodeConfigs(entry.value)
}

function isSame(one: Settings, other: Settings): boolean {
  return one.size === other.size && [...one].every(([key, value]) => other.get(key) === value)
}
