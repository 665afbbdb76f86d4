/**
 * OffsetForLeaderEpoch: where a leader epoch ended in this leader's log. A consumer that was cut off asks it
 * to learn whether what it has read was truncated (KIP-320).
 */
import type { OffsetForLeaderEpoch } from '../protocol/apis/offset-for-leader-epoch.ts'
import type { ResponseOf } from '../protocol/schema.ts'
import type { Handler } from './context.ts'
import { answerPartition } from './each-partition.ts'

type PartitionResponse = ResponseOf<typeof OffsetForLeaderEpoch>['topics'][number]['partitions'][number]

export const offsetForLeaderEpoch: Handler<typeof OffsetForLeaderEpoch> = async (request, context) => {
  const topics = await Promise.all(
    request.topics.map(async ({ topic, partitions }) => ({
      topic,
      partitions: await Promise.all(
        partitions.map(({ partition, currentLeaderEpoch, leaderEpoch }) =>
          answerPartition<PartitionResponse>(
            () => {
              const { log } = context.replicas.leader(topic, partition, currentLeaderEpoch)
              const end = log.endOffsetForEpoch(leaderEpoch)
              return { partition, errorCode: 0, leaderEpoch: end.epoch, endOffset: end.endOffset }
            },
            (error) => ({ partition, errorCode: error.code }),
            context.logger,
            { topic, partition },
          ),
        ),
      ),
    })),
  )
  return { throttleTimeMs: 0, topics }
}
