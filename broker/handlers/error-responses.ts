/**
 * The answer of each API to a request that failed as a whole: the error where the API has a place for it, which is
 * often once for every topic or partition that the request names.
 */
import type { AlterClientQuotas } from '../protocol/apis/alter-client-quotas.ts'
import type { AlterConfigs } from '../protocol/apis/alter-configs.ts'
import type { AlterReplicaLogDirs } from '../protocol/apis/alter-replica-log-dirs.ts'
import type { ApiVersions } from '../protocol/apis/api-versions.ts'
import type { CreatePartitions } from '../protocol/apis/create-partitions.ts'
import type { CreateTopics } from '../protocol/apis/create-topics.ts'
import type { DeleteRecords } from '../protocol/apis/delete-records.ts'
import type { DeleteTopics } from '../protocol/apis/delete-topics.ts'
import type { DescribeClientQuotas } from '../protocol/apis/describe-client-quotas.ts'
import type { DescribeCluster } from '../protocol/apis/describe-cluster.ts'
import type { DescribeConfigs } from '../protocol/apis/describe-configs.ts'
import type { DescribeLogDirs } from '../protocol/apis/describe-log-dirs.ts'
import type { DescribeProducers } from '../protocol/apis/describe-producers.ts'
import type { DescribeTopicPartitions } from '../protocol/apis/describe-topic-partitions.ts'
import type { Fetch } from '../protocol/apis/fetch.ts'
import type { FindCoordinator } from '../protocol/apis/find-coordinator.ts'
import type { Heartbeat } from '../protocol/apis/heartbeat.ts'
import type { IncrementalAlterConfigs } from '../protocol/apis/incremental-alter-configs.ts'
import type { InitProducerId } from '../protocol/apis/init-producer-id.ts'
import type { JoinGroup } from '../protocol/apis/join-group.ts'
import type { LeaveGroup } from '../protocol/apis/leave-group.ts'
import type { ListConfigResources } from '../protocol/apis/list-config-resources.ts'
import type { ListOffsets } from '../protocol/apis/list-offsets.ts'
import type { Metadata } from '../protocol/apis/metadata.ts'
import type { OffsetCommit } from '../protocol/apis/offset-commit.ts'
import type { OffsetFetch } from '../protocol/apis/offset-fetch.ts'
import type { OffsetForLeaderEpoch } from '../protocol/apis/offset-for-leader-epoch.ts'
import type { Produce } from '../protocol/apis/produce.ts'
import type { SyncGroup } from '../protocol/apis/sync-group.ts'
import type { KafkaError } from '../protocol/errors.ts'
import { type AnyApi, type RequestOf, type ResponseOf, ZERO_UUID } from '../protocol/schema.ts'

type Fail<A extends AnyApi> = (request: RequestOf<A>, error: KafkaError) => ResponseOf<A> | null

const errorMessage = (error: KafkaError): string => error.detail ?? error.error

export const apiVersions: Fail<typeof ApiVersions> = (_request, error) => ({
  errorCode: error.code,
  apiKeys: [],
})

/** With acks=0 nobody waits for an answer. */
export const produce: Fail<typeof Produce> = (request, error) =>
  request.acks === 0
    ? null
    : {
        responses: request.topicData.map(({ name, topicId, partitionData }) => ({
          name,
          topicId,
          partitionResponses: partitionData.map(({ index }) => ({
            index,
            errorCode: error.code,
            baseOffset: -1,
            errorMessage: errorMessage(error),
          })),
        })),
      }

export const fetch: Fail<typeof Fetch> = (request, error) => ({
  throttleTimeMs: 0,
  errorCode: error.code,
  responses: request.topics.map(({ topic, topicId, partitions }) => ({
    topic,
    topicId,
    partitions: partitions.map(({ partition }) => ({
      partitionIndex: partition,
      errorCode: error.code,
      highWatermark: -1,
      abortedTransactions: [],
      records: Buffer.alloc(0),
    })),
  })),
})

export const listOffsets: Fail<typeof ListOffsets> = (request, error) => ({
  throttleTimeMs: 0,
  topics: request.topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode: error.code })),
  })),
})

export const offsetForLeaderEpoch: Fail<typeof OffsetForLeaderEpoch> = (request, error) => ({
  throttleTimeMs: 0,
  topics: request.topics.map(({ topic, partitions }) => ({
    topic,
    partitions: partitions.map(({ partition }) => ({ partition, errorCode: error.code })),
  })),
})

export const metadata: Fail<typeof Metadata> = (request, error) => ({
  brokers: [],
  topics: (request.topics ?? []).map(({ name, topicId }) => ({
    errorCode: error.code,
    name: name ?? '',
    topicId,
    partitions: [],
  })),
  errorCode: error.code,
})

export const createTopics: Fail<typeof CreateTopics> = (request, error) => ({
  throttleTimeMs: 0,
  topics: request.topics.map(({ name }) => ({
    name,
    topicId: ZERO_UUID,
    errorCode: error.code,
    errorMessage: errorMessage(error),
    configs: [],
  })),
})

export const deleteTopics: Fail<typeof DeleteTopics> = (request, error) => {
  const byName = request.topicNames.map((name) => ({ name, topicId: ZERO_UUID }))
  return {
    throttleTimeMs: 0,
    responses: [...byName, ...request.topics].map(({ name, topicId }) => ({
      name,
      topicId,
      errorCode: error.code,
      errorMessage: errorMessage(error),
    })),
  }
}

export const createPartitions: Fail<typeof CreatePartitions> = (request, error) => ({
  throttleTimeMs: 0,
  results: request.topics.map(({ name }) => ({
    name,
    errorCode: error.code,
    errorMessage: errorMessage(error),
  })),
})

export const deleteRecords: Fail<typeof DeleteRecords> = (request, error) => ({
  throttleTimeMs: 0,
  topics: request.topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map(({ partitionIndex }) => ({
      partitionIndex,
      lowWatermark: -1,
      errorCode: error.code,
    })),
  })),
})

export const describeProducers: Fail<typeof DescribeProducers> = (request, error) => ({
  throttleTimeMs: 0,
  topics: request.topics.map(({ name, partitionIndexes }) => ({
    name,
    partitions: partitionIndexes.map((partitionIndex) => ({
      partitionIndex,
      errorCode: error.code,
      errorMessage: errorMessage(error),
      activeProducers: [],
    })),
  })),
})

export const describeTopicPartitions: Fail<typeof DescribeTopicPartitions> = (request, error) => ({
  throttleTimeMs: 0,
  topics: request.topics.map(({ name }) => ({
    errorCode: error.code,
    name,
    topicId: ZERO_UUID,
    partitions: [],
  })),
})

export const initProducerId: Fail<typeof InitProducerId> = (_request, error) => ({
  throttleTimeMs: 0,
  errorCode: error.code,
  producerEpoch: -1,
})

export const describeConfigs: Fail<typeof DescribeConfigs> = (request, error) => ({
  throttleTimeMs: 0,
  results: request.resources.map(({ resourceType, resourceName }) => ({
    errorCode: error.code,
    errorMessage: errorMessage(error),
    resourceType,
    resourceName,
    configs: [],
  })),
})

export const alterReplicaLogDirs: Fail<typeof AlterReplicaLogDirs> = (request, error) => ({
  throttleTimeMs: 0,
  results: request.dirs.flatMap(({ topics }) =>
    topics.map(({ name, partitions }) => ({
      topicName: name,
      partitions: partitions.map((partitionIndex) => ({ partitionIndex, errorCode: error.code })),
    })),
  ),
})

export const describeLogDirs: Fail<typeof DescribeLogDirs> = (_request, error) => ({
  throttleTimeMs: 0,
  errorCode: error.code,
  results: [],
})

export const alterConfigs: Fail<typeof AlterConfigs> = (request, error) => ({
  throttleTimeMs: 0,
  responses: failedResources(request.resources, error),
})

export const incrementalAlterConfigs: Fail<typeof IncrementalAlterConfigs> = (request, error) => ({
  throttleTimeMs: 0,
  responses: failedResources(request.resources, error),
})

function failedResources(
  resources: readonly { readonly resourceType: number; readonly resourceName: string }[],
  error: KafkaError,
) {
  return resources.map(({ resourceType, resourceName }) => ({
    errorCode: error.code,
    errorMessage: errorMessage(error),
    resourceType,
    resourceName,
  }))
}

export const listConfigResources: Fail<typeof ListConfigResources> = (_request, error) => ({
  throttleTimeMs: 0,
  errorCode: error.code,
  configResources: [],
})

export const describeClientQuotas: Fail<typeof DescribeClientQuotas> = (_request, error) => ({
  throttleTimeMs: 0,
  errorCode: error.code,
  errorMessage: errorMessage(error),
  entries: null,
})

export const alterClientQuotas: Fail<typeof AlterClientQuotas> = (request, error) => ({
  throttleTimeMs: 0,
  entries: request.entries.map(({ entity }) => ({
    errorCode: error.code,
    errorMessage: errorMessage(error),
    entity,
  })),
})

export const describeCluster: Fail<typeof DescribeCluster> = (_request, error) => ({
  throttleTimeMs: 0,
  errorCode: error.code,
  errorMessage: errorMessage(error),
  clusterId: '',
  brokers: [],
})

export const findCoordinator: Fail<typeof FindCoordinator> = (request, error) => {
  const failed = {
    errorCode: error.code,
    errorMessage: errorMessage(error),
    nodeId: -1,
    host: '',
    port: -1,
  }
  return {
    throttleTimeMs: 0,
    ...failed,
    coordinators: request.coordinatorKeys.map((key) => ({ key, ...failed })),
  }
}

export const joinGroup: Fail<typeof JoinGroup> = (request, error) => ({
  errorCode: error.code,
  protocolName: '',
  leader: '',
  memberId: request.memberId,
  members: [],
})

export const syncGroup: Fail<typeof SyncGroup> = (_request, error) => ({
  errorCode: error.code,
  assignment: Buffer.alloc(0),
})

export const heartbeat: Fail<typeof Heartbeat> = (_request, error) => ({ errorCode: error.code })

export const leaveGroup: Fail<typeof LeaveGroup> = (_request, error) => ({
  errorCode: error.code,
  members: [],
})

export const offsetCommit: Fail<typeof OffsetCommit> = (request, error) => ({
  topics: request.topics.map(({ name, topicId, partitions }) => ({
    name,
    topicId,
    partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode: error.code })),
  })),
})

export const offsetFetch: Fail<typeof OffsetFetch> = (request, error) => ({
  errorCode: error.code,
  groups: request.groups.map(({ groupId }) => ({ groupId, topics: [], errorCode: error.code })),
  topics: (request.topics ?? []).map(({ name, partitionIndexes }) => ({
    name,
    partitions: partitionIndexes.map((partitionIndex) => ({
      partitionIndex,
      committedOffset: -1,
      metadata: '',
      errorCode: error.code,
    })),
  })),
})
