/** Keys of topics that Apache Kafka has and that change nothing here: checked and shown as there, with the reason. */
import type { TopicKeyRow } from '../topic-keys.ts'

const LOCAL_ONLY = 'records are kept on local disks only'
const NOT_LIMITED = 'the traffic of replicas is not limited'

export const TOPIC_KEYS_WITHOUT_EFFECT = {
  'follower.replication.throttled.replicas': {
    type: 'list',
    default: [],
    broker: [],
    withoutEffect: NOT_LIMITED,
    doc: 'Replicas whose reading from their leaders is to be limited, as partition:broker.',
  },
  'leader.replication.throttled.replicas': {
    type: 'list',
    default: [],
    broker: [],
    withoutEffect: NOT_LIMITED,
    doc: 'Replicas to which the leader is to limit its sending, as partition:broker.',
  },
  'local.retention.bytes': {
    type: 'long',
    default: -2,
    min: -2,
    broker: [{ key: 'log.local.retention.bytes' }],
    withoutEffect: LOCAL_ONLY,
    doc: 'Size up to which a partition is kept locally beside remote storage; -2 is retention.bytes.',
  },
  'local.retention.ms': {
    type: 'long',
    default: -2,
    min: -2,
    broker: [{ key: 'log.local.retention.ms' }],
    withoutEffect: LOCAL_ONLY,
    doc: 'How long records are kept locally beside remote storage; -2 is retention.ms.',
  },
  preallocate: {
    type: 'boolean',
    default: false,
    broker: [{ key: 'log.preallocate' }],
    withoutEffect: 'segment files grow as they are written',
    doc: 'Reserve the whole size of a segment file when it is created.',
  },
  'remote.log.copy.disable': {
    type: 'boolean',
    default: false,
    broker: [],
    withoutEffect: LOCAL_ONLY,
    doc: 'No longer copy records to remote storage.',
  },
  'remote.log.delete.on.disable': {
    type: 'boolean',
    default: false,
    broker: [],
    withoutEffect: LOCAL_ONLY,
    doc: 'Delete what is in remote storage when that is switched off.',
  },
  'remote.storage.enable': {
    type: 'boolean',
    default: false,
    broker: [],
    withoutEffect: LOCAL_ONLY,
    doc: 'Keep records in remote storage as well: it cannot be switched on.',
  },
} as const satisfies Readonly<Record<string, TopicKeyRow>>
