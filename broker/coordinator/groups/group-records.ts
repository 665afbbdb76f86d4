/**
 * The records of `__consumer_offsets`, as Apache Kafka writes them. A key begins with its type as int16 (0 or 1 a
 * committed offset, 2 a classic group), a value with its version as int16; a null value removes the key.
 */
import {
  GroupMetadataKey,
  GroupMetadataValue,
  OffsetCommitKey,
  OffsetCommitValue,
} from '../../protocol/records/group-records.ts'
import { ByteReader } from '../../protocol/reader.ts'
import { type Encodable, type Fields, type Message, ZERO_UUID } from '../../protocol/schema.ts'
import { ByteWriter } from '../../protocol/writer.ts'
import type { StateRecord } from '../state-topic.ts'
import type { StoredGroup } from './messages.ts'
import type { CommittedOffset } from './offsets.ts'

const OLD_OFFSET_KEY = 0
const OFFSET_KEY = 1
const GROUP_KEY = 2
/** The versions that Apache Kafka 4 writes: 1 where the client set a retention time, 4 where the topic's id is known. */
const OFFSET_VALUE = { expiring: 1, plain: 3, withTopicId: 4 }
const GROUP_VALUE = 3

export type GroupRecord =
  | {
      readonly kind: 'offset'
      readonly group: string
      readonly topic: string
      readonly partition: number
      readonly value: Omit<CommittedOffset, 'logOffset'> | null
    }
  | { readonly kind: 'group'; readonly group: string; readonly value: StoredGroup | null }
  /** Of a release or a feature that this one does not know. */
  | { readonly kind: 'unknown'; readonly keyType: number }

function encode<F extends Fields>(
  prefix: number,
  message: Message<F>,
  version: number,
  value: Encodable<F>,
): Buffer {
  const writer = new ByteWriter()
  writer.int16(prefix)
  message.encode(version, value, writer)
  return writer.toBuffer()
}

/** A null `value` makes a tombstone. */
export function offsetRecord(
  group: string,
  topic: string,
  partition: number,
  value: Omit<CommittedOffset, 'logOffset'> | null,
): StateRecord {
  const key = encode(OFFSET_KEY, OffsetCommitKey, 0, { group, topic, partition })
  if (value === null) return { key, value }
  const version = offsetValueVersion(value)
  const { offset, leaderEpoch, metadata, topicId } = value
  return {
    key,
    value: encode(version, OffsetCommitValue, version, {
      offset,
      leaderEpoch,
      metadata,
      topicId,
      commitTimestamp: value.commitTimestampMs,
      expireTimestamp: value.expireTimestampMs,
    }),
  }
}

function offsetValueVersion({ expireTimestampMs, topicId }: Omit<CommittedOffset, 'logOffset'>): number {
  if (expireTimestampMs >= 0) return OFFSET_VALUE.expiring
  return topicId === ZERO_UUID ? OFFSET_VALUE.plain : OFFSET_VALUE.withTopicId
}

export function groupRecord(group: string, value: StoredGroup | null): StateRecord {
  const key = encode(GROUP_KEY, GroupMetadataKey, 0, { group })
  return { key, value: value === null ? null : encode(GROUP_VALUE, GroupMetadataValue, GROUP_VALUE, value) }
}

/** Throws MalformedFrameError or RangeError where the bytes are not what their type and version say. */
export function decodeGroupRecord({ key, value }: StateRecord): GroupRecord {
  const reader = new ByteReader(key)
  const keyType = reader.int16()
  if (keyType === OLD_OFFSET_KEY || keyType === OFFSET_KEY) {
    const { group, topic, partition } = OffsetCommitKey.decode(0, reader)
    return { kind: 'offset', group, topic, partition, value: value === null ? null : decodeOffset(value) }
  }
  if (keyType === GROUP_KEY) {
    const { group } = GroupMetadataKey.decode(0, reader)
    return { kind: 'group', group, value: value === null ? null : decodeGroup(value) }
  }
  return { kind: 'unknown', keyType }
}

function decodeOffset(value: Buffer): Omit<CommittedOffset, 'logOffset'> {
  const reader = new ByteReader(value)
  const fields = OffsetCommitValue.decode(reader.int16(), reader)
  const { offset, leaderEpoch, metadata, topicId } = fields
  return {
    offset,
    leaderEpoch,
    metadata,
    topicId,
    commitTimestampMs: fields.commitTimestamp,
    expireTimestampMs: fields.expireTimestamp,
  }
}

function decodeGroup(value: Buffer): StoredGroup {
  const reader = new ByteReader(value)
  return GroupMetadataValue.decode(reader.int16(), reader)
}
