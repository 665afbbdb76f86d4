/**
 * DeleteRecords: moves the start of partitions' logs up, to an offset or (-1) to the high watermark (KIP-107). Answered
 * when every live replica has dropped the records, with the lowest start among them.
 */
import type { DeleteRecords } from '../protocol/apis/delete-records.ts'
import { KafkaError } from '../protocol/errors.ts'
import type { RequestOf, ResponseOf } from '../protocol/schema.ts'
import type { Handler, RequestContext } from './context.ts'
import { answerPartition, byPartition } from './each-partition.ts'
import { isInternalTopic } from './topic-names.ts'

type PartitionResponse = ResponseOf<typeof DeleteRecords>['topics'][number]['partitions'][number]

const NO_LOW_WATERMARK = -1

export const deleteRecords: Handler<typeof DeleteRecords> = async (request, context) => ({
  throttleTimeMs: 0,
  topics: await Promise.all(
    [...byPartition(request.topics)].map(async ([name, partitions]) => ({
      name,
      partitions: await Promise.all(
        [...partitions].map(([index, asked]) =>
          deleteOf(name, index, asked.at(-1)!.offset, request, context),
        ),
      ),
    })),
  ),
})

function deleteOf(
  topic: string,
  partitionIndex: number,
  offset: number,
  { timeoutMs }: RequestOf<typeof DeleteRecords>,
  context: RequestContext,
): Promise<PartitionResponse> {
  return answerPartition(
    async () => {
      const partition = context.replicas.leader(topic, partitionIndex)
      if (isInternalTopic(topic)) {
        throw new KafkaError('INVALID_TOPIC_EXCEPTION', `${topic} is the brokers' own: its records stay`)
      }
      return {
        partitionIndex,
        lowWatermark: await partition.deleteRecords(offset, timeoutMs),
        errorCode: 0,
      }
    },
    ({ code }) => ({ partitionIndex, lowWatermark: NO_LOW_WATERMARK, errorCode: code }),
    context.logger,
    { topic, partition: partitionIndex },
  )
}
