/**
 * Every key that a topic may override. `broker` names the keys of server.properties that give the default, the
 * first that is set counts; `unitMs` turns hours and minutes into milliseconds.
 */
import type { BrokerKey } from './broker-keys.ts'
import { type KeyRow, LONG_MAX, type ValueOf } from './key-row.ts'
import { TOPIC_KEYS_WITHOUT_EFFECT } from './keys/topic-without-effect.ts'

const HOUR_MS = 3_600_000
const WEEK_MS = 168 * HOUR_MS
const MiB = 1024 * 1024

export interface BrokerSynonym {
  readonly key: BrokerKey
  readonly unitMs?: number
}

export interface TopicKeyRow extends KeyRow {
  readonly broker: readonly BrokerSynonym[]
}

export const TOPIC_KEYS = {
  'cleanup.policy': {
    type: 'list',
    default: ['delete'],
    values: ['delete', 'compact'],
    broker: [{ key: 'log.cleanup.policy' }],
    doc: 'What happens to old records: delete them, or keep the last one of each key.',
  },
  'compression.type': {
    type: 'string',
    default: 'producer',
    values: ['uncompressed', 'zstd', 'lz4', 'snappy', 'gzip', 'producer'],
    broker: [{ key: 'compression.type' }],
    doc: 'Compression of the records on disk; "producer" keeps what the producer chose.',
  },
  'compression.gzip.level': {
    type: 'int',
    default: -1,
    min: 1,
    max: 9,
    orElse: -1,
    broker: [{ key: 'compression.gzip.level' }],
    doc: 'How hard gzip tries where the broker compresses; -1 is what gzip itself takes.',
  },
  'compression.lz4.level': {
    type: 'int',
    default: 9,
    min: 1,
    max: 17,
    broker: [{ key: 'compression.lz4.level' }],
    doc: 'How hard lz4 tries where the broker compresses.',
  },
  'compression.zstd.level': {
    type: 'int',
    default: 3,
    min: -131_072,
    max: 22,
    broker: [{ key: 'compression.zstd.level' }],
    doc: 'How hard zstd tries where the broker compresses.',
  },
  'delete.retention.ms': {
    type: 'long',
    default: 86_400_000,
    min: 0,
    broker: [{ key: 'log.cleaner.delete.retention.ms' }],
    doc: 'How long a compacted topic keeps the mark of a deleted key.',
  },
  'file.delete.delay.ms': {
    type: 'long',
    default: 60_000,
    min: 0,
    broker: [{ key: 'log.segment.delete.delay.ms' }],
    doc: 'How long the files of a deleted partition or segment stay on disk.',
  },
  'flush.messages': {
    type: 'long',
    default: LONG_MAX,
    min: 1,
    broker: [{ key: 'log.flush.interval.messages' }],
    doc: 'Force a partition to disk after this many records.',
  },
  'flush.ms': {
    type: 'long',
    default: LONG_MAX,
    min: 0,
    broker: [{ key: 'log.flush.interval.ms' }, { key: 'log.flush.scheduler.interval.ms' }],
    doc: 'Force a partition to disk when its records are this old.',
  },
  'index.interval.bytes': {
    type: 'int',
    default: 4096,
    min: 0,
    broker: [{ key: 'log.index.interval.bytes' }],
    doc: 'Bytes of records between two entries of the offset index.',
  },
  'max.compaction.lag.ms': {
    type: 'long',
    default: LONG_MAX,
    min: 1,
    broker: [{ key: 'log.cleaner.max.compaction.lag.ms' }],
    doc: 'How long a record of a compacted topic may stay uncompacted.',
  },
  'max.message.bytes': {
    type: 'int',
    default: MiB + 12,
    min: 0,
    broker: [{ key: 'message.max.bytes' }],
    doc: 'Largest record batch, after compression, that is accepted.',
  },
  'message.timestamp.after.max.ms': {
    type: 'long',
    default: HOUR_MS,
    min: 0,
    broker: [{ key: 'log.message.timestamp.after.max.ms' }],
    doc: 'How far in the future the timestamp of a new record may lie.',
  },
  'message.timestamp.before.max.ms': {
    type: 'long',
    default: LONG_MAX,
    min: 0,
    broker: [{ key: 'log.message.timestamp.before.max.ms' }],
    doc: 'How far in the past the timestamp of a new record may lie.',
  },
  'message.timestamp.type': {
    type: 'string',
    default: 'CreateTime',
    values: ['CreateTime', 'LogAppendTime'],
    broker: [{ key: 'log.message.timestamp.type' }],
    doc: "Whether a record carries the producer's time or the time of its append.",
  },
  'min.cleanable.dirty.ratio': {
    type: 'double',
    default: 0.5,
    min: 0,
    max: 1,
    broker: [{ key: 'log.cleaner.min.cleanable.ratio' }],
    doc: 'Share of a compacted log that must be uncompacted before it is worth compacting.',
  },
  'min.compaction.lag.ms': {
    type: 'long',
    default: 0,
    min: 0,
    broker: [{ key: 'log.cleaner.min.compaction.lag.ms' }],
    doc: 'How long a record of a compacted topic stays uncompacted at least.',
  },
  'min.insync.replicas': {
    type: 'int',
    default: 1,
    min: 1,
    broker: [{ key: 'min.insync.replicas' }],
    doc: 'Replicas that must be in sync for a record with acks=all to be accepted.',
  },
  'retention.bytes': {
    type: 'long',
    default: -1,
    broker: [{ key: 'log.retention.bytes' }],
    doc: 'Largest size of a partition before its oldest segments are deleted; -1 for no limit.',
  },
  'retention.ms': {
    type: 'long',
    default: WEEK_MS,
    min: -1,
    broker: [
      { key: 'log.retention.ms' },
      { key: 'log.retention.minutes', unitMs: 60_000 },
      { key: 'log.retention.hours', unitMs: HOUR_MS },
    ],
    doc: 'How long records are kept; -1 for ever.',
  },
  'segment.bytes': {
    type: 'int',
    default: 1024 * MiB,
    min: MiB,
    broker: [{ key: 'log.segment.bytes' }],
    doc: 'Roll to a new segment file once the active one reaches this size.',
  },
  'segment.index.bytes': {
    type: 'int',
    default: 10 * MiB,
    min: 4,
    broker: [{ key: 'log.index.size.max.bytes' }],
    doc: 'Largest size of an index file.',
  },
  'segment.jitter.ms': {
    type: 'long',
    default: 0,
    min: 0,
    broker: [{ key: 'log.roll.jitter.ms' }, { key: 'log.roll.jitter.hours', unitMs: HOUR_MS }],
    doc: 'Random time that is taken off segment.ms, so that segments do not all roll at once.',
  },
  'segment.ms': {
    type: 'long',
    default: WEEK_MS,
    min: 1,
    broker: [{ key: 'log.roll.ms' }, { key: 'log.roll.hours', unitMs: HOUR_MS }],
    doc: 'Roll to a new segment file once the active one is this old.',
  },
  'unclean.leader.election.enable': {
    type: 'boolean',
    default: false,
    broker: [{ key: 'unclean.leader.election.enable' }],
    doc: 'Let a replica that is not in sync become leader when no other is left: records may be lost.',
  },
  ...TOPIC_KEYS_WITHOUT_EFFECT,
} as const satisfies Readonly<Record<string, TopicKeyRow>>

export type TopicKey = keyof typeof TOPIC_KEYS
export type TopicValue<Key extends TopicKey> = ValueOf<(typeof TOPIC_KEYS)[Key]>

export function isTopicKey(key: string): key is TopicKey {
  return Object.hasOwn(TOPIC_KEYS, key)
}
