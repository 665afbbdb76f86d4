/**
 * What consumers write into the metadata and assignment of a group: an int16 version, then the message.
 */
import { defineMessage, t } from '../schema.ts'

export const ConsumerProtocolSubscription = defineMessage({
  name: 'ConsumerProtocolSubscription',
  versions: '0-3',
  flexible: 'none',
  fields: {
    topics: t.array(t.string),
    userData: t.bytes.nullable().default(null),
    ownedPartitions: t
      .array({
        topic: t.string,
        partitions: t.array(t.int32),
      })
      .versions('1+'),
    generationId: t.int32.versions('2+').default(-1),
    rackId: t.string.nullable().versions('3+').default(null),
  },
})

export const ConsumerProtocolAssignment = defineMessage({
  name: 'ConsumerProtocolAssignment',
  versions: '0-3',
  flexible: 'none',
  fields: {
    assignedPartitions: t.array({
      topic: t.string,
      partitions: t.array(t.int32),
    }),
    userData: t.bytes.nullable().default(null),
  },
})
