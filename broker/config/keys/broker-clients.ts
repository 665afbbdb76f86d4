/** Fetches, quotas and consumer groups. */
import { INT_MAX, KiB, type KeyRow, MiB } from '../key-row.ts'

export const CLIENT_KEYS = {
  'fetch.max.bytes': {
    type: 'int',
    default: 55 * MiB,
    min: KiB,
    doc: 'Bytes that one answer to a fetch holds at most.',
  },
  'max.incremental.fetch.session.cache.slots': {
    type: 'int',
    default: 1_000,
    min: 0,
    doc: 'Fetch sessions that are kept; clients beyond name all their partitions in every fetch.',
  },
  'quota.window.num': {
    type: 'int',
    default: 11,
    min: 1,
    doc: 'Windows over which the rate of a client is taken, when it has a quota.',
  },
  'quota.window.size.seconds': {
    type: 'int',
    default: 1,
    min: 1,
    doc: 'Length of each of these windows.',
  },
  'controller.quota.window.num': {
    type: 'int',
    default: 11,
    min: 1,
    doc: 'Windows over which the rate of changes to topics is taken, where controller_mutation_rate limits it.',
  },
  'controller.quota.window.size.seconds': {
    type: 'int',
    default: 1,
    min: 1,
    doc: 'Length of each of these windows.',
  },
  'offsets.topic.num.partitions': {
    type: 'int',
    default: 50,
    min: 1,
    doc: 'Partitions of __consumer_offsets; must not change once the topic exists.',
  },
  'offsets.topic.replication.factor': {
    type: 'short',
    default: 3,
    min: 1,
    doc: 'Replicas of __consumer_offsets.',
  },
  'offsets.topic.segment.bytes': {
    type: 'int',
    default: 100 * MiB,
    min: MiB,
    doc: 'Segment size of __consumer_offsets.',
  },
  'offsets.commit.timeout.ms': {
    type: 'int',
    default: 5_000,
    min: 1,
    doc: 'How long an offset commit waits for the in-sync replicas.',
  },
  'offset.metadata.max.bytes': {
    type: 'int',
    default: 4 * KiB,
    min: 0,
    doc: 'Largest text that a client may attach to a committed offset.',
  },
  'group.initial.rebalance.delay.ms': {
    type: 'int',
    default: 3_000,
    min: 0,
    doc: 'How long an empty group waits for more members before its first assignment.',
  },
  'group.min.session.timeout.ms': {
    type: 'int',
    default: 6_000,
    min: 1,
    doc: 'Shortest session timeout that a member may ask for.',
  },
  'group.max.session.timeout.ms': {
    type: 'int',
    default: 1_800_000,
    min: 1,
    doc: 'Longest session timeout that a member may ask for.',
  },
  'group.max.size': {
    type: 'int',
    default: INT_MAX,
    min: 1,
    doc: 'Members that a group may have.',
  },
} as const satisfies Readonly<Record<string, KeyRow>>
