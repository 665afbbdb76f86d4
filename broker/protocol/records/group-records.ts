/**
 * The records of `__consumer_offsets` (classic groups): a key starts with its type as int16 (0 and 1 an offset,
 * 2 a group), a value with its version as int16; a null value is a tombstone.
 */
import { defineMessage, t } from '../schema.ts'

export const OffsetCommitKey = defineMessage({
  name: 'OffsetCommitKey',
  versions: '0',
  flexible: 'none',
  fields: {
    group: t.string,
    topic: t.string,
    partition: t.int32,
  },
})

export const OffsetCommitValue = defineMessage({
  name: 'OffsetCommitValue',
  versions: '0-4',
  flexible: '4+',
  fields: {
    offset: t.int64,
    leaderEpoch: t.int32.versions('3+').default(-1),
    metadata: t.string,
    commitTimestamp: t.int64,
    expireTimestamp: t.int64.versions('1').default(-1),
    topicId: t.uuid.versions('4+').tagged(0),
  },
})

export const GroupMetadataKey = defineMessage({
  name: 'GroupMetadataKey',
  versions: '0',
  flexible: 'none',
  fields: {
    group: t.string,
  },
})

export const GroupMetadataValue = defineMessage({
  name: 'GroupMetadataValue',
  versions: '0-4',
  flexible: '4+',
  fields: {
    protocolType: t.string,
    generation: t.int32,
    protocol: t.string.nullable(),
    leader: t.string.nullable(),
    currentStateTimestamp: t.int64.versions('2+').default(-1),
    members: t.array({
      memberId: t.string,
      groupInstanceId: t.string.nullable().versions('3+').default(null),
      clientId: t.string,
      clientHost: t.string,
      rebalanceTimeout: t.int32.versions('1+').default(-1),
      sessionTimeout: t.int32,
      subscription: t.bytes,
      assignment: t.bytes,
    }),
  },
})
