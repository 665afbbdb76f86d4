/** Produce: appends record batches, one per partition. v3 is the first with record batches of magic 2; v13 names topics by id (KIP-516). */
import { defineApi, t } from '../schema.ts'

export const Produce = defineApi({
  key: 0,
  name: 'Produce',
  versions: '3-13',
  flexible: '9+',
  request: {
    transactionalId: t.string.nullable().default(null),
    acks: t.int16,
    timeoutMs: t.int32,
    topicData: t.array({
      name: t.string.versions('0-12'),
      topicId: t.uuid.versions('13+'),
      partitionData: t.array({
        index: t.int32,
        records: t.records.nullable(),
      }),
    }),
  },
  response: {
    responses: t.array({
      name: t.string.versions('0-12'),
      topicId: t.uuid.versions('13+'),
      partitionResponses: t.array({
        index: t.int32,
        errorCode: t.int16,
        baseOffset: t.int64,
        logAppendTimeMs: t.int64.default(-1),
        logStartOffset: t.int64.versions('5+').default(-1),
        recordErrors: t
          .array({
            batchIndex: t.int32,
            batchIndexErrorMessage: t.string.nullable().default(null),
          })
          .versions('8+'),
        errorMessage: t.string.nullable().versions('8+').default(null),
        currentLeader: t
          .struct({
            leaderId: t.int32.default(-1),
            leaderEpoch: t.int32.default(-1),
          })
          .versions('10+')
          .tagged(0),
      }),
    }),
    throttleTimeMs: t.int32.default(0),
    nodeEndpoints: t
      .array({
        nodeId: t.int32,
        host: t.string,
        port: t.int32,
        rack: t.string.nullable().default(null),
      })
      .versions('10+')
      .tagged(0),
  },
})
