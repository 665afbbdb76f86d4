/**
 * DescribeProducers: the producers that a partition keeps state of, with their open transactions (KIP-664). Any replica
 * answers, each with what is in its own log.
 */
import type { DescribeProducers } from '../protocol/apis/describe-producers.ts'
import { KafkaError } from '../protocol/errors.ts'
import type { ResponseOf } from '../protocol/schema.ts'
import type { PartitionLog } from '../storage/partition-log.ts'
import type { Handler, RequestContext } from './context.ts'
import { answerPartition } from './each-partition.ts'
import { checkTopicName } from './topic-names.ts'

type PartitionResponse = ResponseOf<typeof DescribeProducers>['topics'][number]['partitions'][number]

export const describeProducers: Handler<typeof DescribeProducers> = async (request, context) => ({
  throttleTimeMs: 0,
  topics: await Promise.all(
    request.topics.map(async ({ name, partitionIndexes }) => ({
      name,
      partitions: await Promise.all(
        partitionIndexes.map((partitionIndex) =>
          answerPartition<PartitionResponse>(
            () => ({
              partitionIndex,
              errorCode: 0,
              activeProducers: logHere(name, partitionIndex, context).activeProducers(),
            }),
            ({ code, detail }) => ({
              partitionIndex,
              errorCode: code,
              errorMessage: detail ?? null,
              activeProducers: [],
            }),
            context.logger,
            { topic: name, partition: partitionIndex },
          ),
        ),
      ),
    })),
  ),
})

function logHere(
  topic: string,
  index: number,
  { metadata, replicas, brokerId }: RequestContext,
): PartitionLog {
  checkTopicName(topic)
  if (metadata.image.topics.get(topic)?.partitions[index] === undefined) {
    throw new KafkaError('UNKNOWN_TOPIC_OR_PARTITION', `the cluster has no partition ${topic}-${index}`)
  }
  const partition = replicas.partition(topic, index)
  if (partition !== undefined) return partition.log
  throw new KafkaError('NOT_LEADER_OR_FOLLOWER', `broker ${brokerId} has no replica of ${topic}-${index}`)
}
