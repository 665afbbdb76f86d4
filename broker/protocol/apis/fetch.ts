/**
 * Fetch: reads record batches, for consumers and followers alike. v7 adds sessions (KIP-227), v11 the rack (KIP-392),
 * v12 truncation by epoch (KIP-595), v13 topic ids (KIP-516), v15 the replica state (KIP-903).
 */
import { defineApi, t } from '../schema.ts'

export const Fetch = defineApi({
  key: 1,
  name: 'Fetch',
  versions: '4-18',
  flexible: '12+',
  request: {
    clusterId: t.string.nullable().versions('12+').default(null).tagged(0),
    replicaId: t.int32.versions('0-14').default(-1),
    replicaState: t
      .struct({
        replicaId: t.int32.default(-1),
        replicaEpoch: t.int64.default(-1),
      })
      .versions('15+')
      .tagged(1),
    maxWaitMs: t.int32,
    minBytes: t.int32,
    maxBytes: t.int32.default(2147483647),
    isolationLevel: t.int8.default(0),
    sessionId: t.int32.versions('7+').default(0),
    sessionEpoch: t.int32.versions('7+').default(-1),
    topics: t.array({
      topic: t.string.versions('0-12'),
      topicId: t.uuid.versions('13+'),
      partitions: t.array({
        partition: t.int32,
        currentLeaderEpoch: t.int32.versions('9+').default(-1),
        fetchOffset: t.int64,
        lastFetchedEpoch: t.int32.versions('12+').default(-1),
        logStartOffset: t.int64.versions('5+').default(-1),
        partitionMaxBytes: t.int32,
        replicaDirectoryId: t.uuid.versions('17+').tagged(0),
        highWatermark: t.int64
          .versions('18+')
          .default(2 ** 63)
          .tagged(1),
      }),
    }),
    forgottenTopicsData: t
      .array({
        topic: t.string.versions('7-12'),
        topicId: t.uuid.versions('13+'),
        partitions: t.array(t.int32),
      })
      .versions('7+'),
    rackId: t.string.versions('11+').default(''),
  },
  response: {
    throttleTimeMs: t.int32,
    errorCode: t.int16.versions('7+'),
    sessionId: t.int32.versions('7+').default(0),
    responses: t.array({
      topic: t.string.versions('0-12'),
      topicId: t.uuid.versions('13+'),
      partitions: t.array({
        partitionIndex: t.int32,
        errorCode: t.int16,
        highWatermark: t.int64,
        lastStableOffset: t.int64.default(-1),
        logStartOffset: t.int64.versions('5+').default(-1),
        divergingEpoch: t
          .struct({
            epoch: t.int32.default(-1),
            endOffset: t.int64.default(-1),
          })
          .versions('12+')
          .tagged(0),
        currentLeader: t
          .struct({
            leaderId: t.int32.default(-1),
            leaderEpoch: t.int32.default(-1),
          })
          .versions('12+')
          .tagged(1),
        snapshotId: t
          .struct({
            endOffset: t.int64.default(-1),
            epoch: t.int32.default(-1),
          })
          .versions('12+')
          .tagged(2),
        abortedTransactions: t
          .array({
            producerId: t.int64,
            firstOffset: t.int64,
          })
          .nullable(),
        preferredReadReplica: t.int32.versions('11+').default(-1),
        records: t.records.nullable(),
      }),
    }),
    nodeEndpoints: t
      .array({
        nodeId: t.int32,
        host: t.string,
        port: t.int32,
        rack: t.string.nullable().default(null),
      })
      .versions('16+')
      .tagged(0),
  },
})
