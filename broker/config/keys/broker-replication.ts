/** Followers, and the hand-over of a broker that stops. */
import { type KeyRow, MiB } from '../key-row.ts'

export const REPLICATION_KEYS = {
  'replica.lag.time.max.ms': {
    type: 'long',
    default: 30_000,
    min: 1,
    doc: 'A follower that has not caught up for this long leaves the in-sync replicas.',
  },
  'replica.fetch.wait.max.ms': {
    type: 'int',
    default: 500,
    min: 0,
    doc: 'Longest time that a leader holds a fetch of a follower while there is nothing new.',
  },
  'replica.fetch.min.bytes': {
    type: 'int',
    default: 1,
    min: 0,
    doc: 'Bytes that a follower waits for, up to replica.fetch.wait.max.ms.',
  },
  'replica.fetch.max.bytes': {
    type: 'int',
    default: MiB,
    min: 0,
    doc: 'Bytes per partition that a follower asks for at a time.',
  },
  'replica.fetch.response.max.bytes': {
    type: 'int',
    default: 10 * MiB,
    min: 0,
    doc: 'Bytes over all partitions that a follower asks for at a time.',
  },
  'replica.fetch.backoff.ms': {
    type: 'int',
    default: 1_000,
    min: 0,
    doc: 'How long a follower waits after a failed fetch.',
  },
  'replica.high.watermark.checkpoint.interval.ms': {
    type: 'long',
    default: 5_000,
    min: 1,
    doc: 'How often the high watermarks are written down.',
  },
  'controlled.shutdown.enable': {
    type: 'boolean',
    default: true,
    doc: 'Hand leadership over before stopping.',
  },
  'controlled.shutdown.timeout.ms': {
    type: 'int',
    default: 6_000,
    min: 0,
    max: 6_000,
    doc: 'Longest time that a stopping broker waits for others to take over its leaderships.',
  },
} as const satisfies Readonly<Record<string, KeyRow>>
