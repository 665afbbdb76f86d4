/** What topics get from the broker for settings that change nothing here (topic-without-effect.ts). */
import type { KeyRow } from '../key-row.ts'

const LOCAL_ONLY = 'records are kept on local disks only'

export const BROKER_KEYS_WITHOUT_EFFECT = {
  'log.local.retention.bytes': {
    type: 'long',
    default: -2,
    min: -2,
    dynamic: 'cluster',
    withoutEffect: LOCAL_ONLY,
    doc: 'Size up to which a partition is kept locally beside remote storage; -2 is log.retention.bytes.',
  },
  'log.local.retention.ms': {
    type: 'long',
    default: -2,
    min: -2,
    dynamic: 'cluster',
    withoutEffect: LOCAL_ONLY,
    doc: 'How long records are kept locally beside remote storage; -2 is log.retention.ms.',
  },
  'log.preallocate': {
    type: 'boolean',
    default: false,
    dynamic: 'cluster',
    withoutEffect: 'segment files grow as they are written',
    doc: 'Reserve the whole size of a segment file when it is created.',
  },
} as const satisfies Readonly<Record<string, KeyRow>>
