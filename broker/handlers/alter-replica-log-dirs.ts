/**
 * AlterReplicaLogDirs: moves replicas to other log directories of this broker; the answer comes when the moves have
 * begun, DescribeLogDirs tells how far they are. A replica that is not here yet gets REPLICA_NOT_AVAILABLE and will be
 * made in the directory named, which is how reassignments to a directory begin.
 */
import type { AlterReplicaLogDirs } from '../protocol/apis/alter-replica-log-dirs.ts'
import type { ResponseOf } from '../protocol/schema.ts'
import { partitionDirectoryName } from '../storage/file-names.ts'
import type { Handler, RequestContext } from './context.ts'
import { answerPartition } from './each-partition.ts'

type PartitionResult = ResponseOf<typeof AlterReplicaLogDirs>['results'][number]['partitions'][number]

interface Order {
  readonly topic: string
  readonly partition: number
  readonly path: string
}

export const alterReplicaLogDirs: Handler<typeof AlterReplicaLogDirs> = async (request, context) => {
  const orders = request.dirs.flatMap(({ path, topics }) =>
    topics.flatMap(({ name, partitions }) =>
      partitions.map((partition): Order => ({ topic: name, partition, path })),
    ),
  )
  // Of several directories for one replica the last counts.
  const last = new Map(orders.map((order) => [partitionDirectoryName(order.topic, order.partition), order]))
  const results = await Promise.all(
    [...Map.groupBy(last.values(), ({ topic }) => topic)].map(async ([topicName, ofTopic]) => ({
      topicName,
      partitions: await Promise.all(ofTopic.map((order) => carryOut(order, context))),
    })),
  )
  return { throttleTimeMs: 0, results }
}

function carryOut({ topic, partition, path }: Order, context: RequestContext): Promise<PartitionResult> {
  return answerPartition<PartitionResult>(
    async () => {
      await context.replicas.moveTo(topic, partition, path)
      return { partitionIndex: partition, errorCode: 0 }
    },
    ({ code }) => ({ partitionIndex: partition, errorCode: code }),
    context.logger,
    { topic, partition },
  )
}
