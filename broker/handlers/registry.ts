/**
 * Every API that is served: its table, its handler, and its answer when the request fails as a whole.
 * ApiVersions, the dispatch and the labels of metrics are derived from this list.
 */
import { AlterClientQuotas } from '../protocol/apis/alter-client-quotas.ts'
import { AlterConfigs } from '../protocol/apis/alter-configs.ts'
import { AlterReplicaLogDirs } from '../protocol/apis/alter-replica-log-dirs.ts'
import { ApiVersions } from '../protocol/apis/api-versions.ts'
import { CreatePartitions } from '../protocol/apis/create-partitions.ts'
import { CreateTopics } from '../protocol/apis/create-topics.ts'
import { DeleteRecords } from '../protocol/apis/delete-records.ts'
import { DeleteTopics } from '../protocol/apis/delete-topics.ts'
import { DescribeClientQuotas } from '../protocol/apis/describe-client-quotas.ts'
import { DescribeCluster } from '../protocol/apis/describe-cluster.ts'
import { DescribeConfigs } from '../protocol/apis/describe-configs.ts'
import { DescribeLogDirs } from '../protocol/apis/describe-log-dirs.ts'
import { DescribeProducers } from '../protocol/apis/describe-producers.ts'
import { DescribeTopicPartitions } from '../protocol/apis/describe-topic-partitions.ts'
import { Fetch } from '../protocol/apis/fetch.ts'
import { FindCoordinator } from '../protocol/apis/find-coordinator.ts'
import { Heartbeat } from '../protocol/apis/heartbeat.ts'
import { IncrementalAlterConfigs } from '../protocol/apis/incremental-alter-configs.ts'
import { InitProducerId } from '../protocol/apis/init-producer-id.ts'
import { JoinGroup } from '../protocol/apis/join-group.ts'
import { LeaveGroup } from '../protocol/apis/leave-group.ts'
import { ListConfigResources } from '../protocol/apis/list-config-resources.ts'
import { ListOffsets } from '../protocol/apis/list-offsets.ts'
import { Metadata } from '../protocol/apis/metadata.ts'
import { OffsetCommit } from '../protocol/apis/offset-commit.ts'
import { OffsetFetch } from '../protocol/apis/offset-fetch.ts'
import { OffsetForLeaderEpoch } from '../protocol/apis/offset-for-leader-epoch.ts'
import { Produce } from '../protocol/apis/produce.ts'
import { SyncGroup } from '../protocol/apis/sync-group.ts'
import type { KafkaError } from '../protocol/errors.ts'
import type { AnyApi, RequestOf, ResponseOf } from '../protocol/schema.ts'
import { alterClientQuotas } from './alter-client-quotas.ts'
import { alterConfigs } from './alter-configs.ts'
import { alterReplicaLogDirs } from './alter-replica-log-dirs.ts'
import { apiVersions } from './api-versions.ts'
import type { Handler, RequestContext } from './context.ts'
import { createPartitions } from './create-partitions.ts'
import { createTopics } from './create-topics.ts'
import { deleteRecords } from './delete-records.ts'
import { deleteTopics } from './delete-topics.ts'
import { describeClientQuotas } from './describe-client-quotas.ts'
import { describeCluster } from './describe-cluster.ts'
import { describeConfigs } from './describe-configs.ts'
import { describeLogDirs } from './describe-log-dirs.ts'
import { describeProducers } from './describe-producers.ts'
import { describeTopicPartitions } from './describe-topic-partitions.ts'
import * as fail from './error-responses.ts'
import { fetch } from './fetch.ts'
import { findCoordinator } from './find-coordinator.ts'
import { heartbeat } from './heartbeat.ts'
import { incrementalAlterConfigs } from './incremental-alter-configs.ts'
import { initProducerId } from './init-producer-id.ts'
import { joinGroup } from './join-group.ts'
import { leaveGroup } from './leave-group.ts'
import { listConfigResources } from './list-config-resources.ts'
import { listOffsets } from './list-offsets.ts'
import { metadata } from './metadata.ts'
import { offsetCommit } from './offset-commit.ts'
import { offsetFetch } from './offset-fetch.ts'
import { offsetForLeaderEpoch } from './offset-for-leader-epoch.ts'
import { produce } from './produce.ts'
import { syncGroup } from './sync-group.ts'

/** The answer to a request that failed as a whole; null when it cannot be told and the connection must be closed. */
export type ErrorResponse<A extends AnyApi> = (
  request: RequestOf<A>,
  error: KafkaError,
) => ResponseOf<A> | null

/** One API with its types forgotten, for the dispatch. */
export interface Route {
  readonly api: AnyApi
  /** Lowest version that ApiVersions names. */
  readonly advertisedMin: number
  /** What its order matters for is done before the handler waits: the next such request need not wait for the answer. */
  readonly overlaps: boolean
  readonly handle: (request: unknown, context: RequestContext) => unknown
  readonly fail: (request: unknown, error: KafkaError) => unknown
}

function handle<A extends AnyApi>(
  api: A,
  handler: Handler<A>,
  errorResponse: ErrorResponse<A>,
  options: { readonly advertisedMin?: number; readonly overlaps?: boolean } = {},
): Route {
  return {
    api,
    advertisedMin: options.advertisedMin ?? api.versions.min,
    overlaps: options.overlaps ?? false,
    handle: (request, context) => handler(request as RequestOf<A>, context),
    fail: (request, error) => errorResponse(request as RequestOf<A>, error),
  }
}

const routes: readonly Route[] = [
  // Versions 0 to 2 are not served, but a client library that does not see version 0 stops compressing (KAFKA-18659).
  handle(Produce, produce, fail.produce, { advertisedMin: 0, overlaps: true }),
  handle(Fetch, fetch, fail.fetch),
  handle(ListOffsets, listOffsets, fail.listOffsets),
  handle(Metadata, metadata, fail.metadata),
  handle(ApiVersions, apiVersions(servedApis), fail.apiVersions),
  handle(CreateTopics, createTopics, fail.createTopics),
  handle(DeleteTopics, deleteTopics, fail.deleteTopics),
  handle(DeleteRecords, deleteRecords, fail.deleteRecords),
  handle(InitProducerId, initProducerId, fail.initProducerId),
  handle(FindCoordinator, findCoordinator, fail.findCoordinator),
  handle(JoinGroup, joinGroup, fail.joinGroup),
  handle(SyncGroup, syncGroup, fail.syncGroup),
  handle(Heartbeat, heartbeat, fail.heartbeat),
  handle(LeaveGroup, leaveGroup, fail.leaveGroup),
  handle(OffsetCommit, offsetCommit, fail.offsetCommit),
  handle(OffsetFetch, offsetFetch, fail.offsetFetch),
  handle(OffsetForLeaderEpoch, offsetForLeaderEpoch, fail.offsetForLeaderEpoch),
  handle(DescribeConfigs, describeConfigs, fail.describeConfigs),
  handle(AlterConfigs, alterConfigs, fail.alterConfigs),
  handle(IncrementalAlterConfigs, incrementalAlterConfigs, fail.incrementalAlterConfigs),
  handle(ListConfigResources, listConfigResources, fail.listConfigResources),
  handle(CreatePartitions, createPartitions, fail.createPartitions),
  handle(DescribeClientQuotas, describeClientQuotas, fail.describeClientQuotas),
  handle(AlterClientQuotas, alterClientQuotas, fail.alterClientQuotas),
  handle(DescribeCluster, describeCluster, fail.describeCluster),
  handle(AlterReplicaLogDirs, alterReplicaLogDirs, fail.alterReplicaLogDirs),
  handle(DescribeLogDirs, describeLogDirs, fail.describeLogDirs),
  handle(DescribeProducers, describeProducers, fail.describeProducers),
  handle(DescribeTopicPartitions, describeTopicPartitions, fail.describeTopicPartitions),
]

/** By API key. */
export const ROUTES: ReadonlyMap<number, Route> = new Map(routes.map((route) => [route.api.key, route]))

/** What ApiVersions tells. */
export interface ServedApi {
  readonly key: number
  readonly name: string
  readonly minVersion: number
  readonly maxVersion: number
}

/** Every API with the versions that clients are told of, by key. */
export function servedApis(): ServedApi[] {
  return routes
    .map(({ api, advertisedMin }) => ({
      key: api.key,
      name: api.name,
      minVersion: advertisedMin,
      maxVersion: api.versions.max,
    }))
    .toSorted((a, b) => a.key - b.key)
}
