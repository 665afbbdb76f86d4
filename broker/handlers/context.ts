/**
 * What a handler is given: the request in one shape whatever its version, and the parts of the broker.
 * A handler answers with a response, or with null where the protocol has none (Produce with acks=0).
 */
import type { Config } from '../config/config.ts'
import type { GroupCoordinator } from '../coordinator/group-coordinator.ts'
import type { ClusterMetadata } from '../metadata/cluster-metadata.ts'
import type { AnyApi, RequestOf, ResponseOf } from '../protocol/schema.ts'
import type { ReplicaManager } from '../replication/replica-manager.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/logger.ts'
import type { DepartedBrokers } from './departed-brokers.ts'
import type { FetchSessions } from './fetch-sessions.ts'
import type { ProducerIds } from './producer-ids.ts'
import type { Quotas } from './quotas.ts'
import type { TopicCreator } from './topic-creator.ts'

/** The parts of one broker, built by server.ts. */
export interface BrokerParts {
  readonly brokerId: number
  readonly clusterId: string
  readonly config: Config
  readonly clock: Clock
  readonly logger: Logger
  readonly metadata: ClusterMetadata
  readonly departed: DepartedBrokers
  readonly replicas: ReplicaManager
  readonly groups: GroupCoordinator
  readonly fetchSessions: FetchSessions
  readonly topics: TopicCreator
  readonly producerIds: ProducerIds
  readonly quotas: Quotas
}

export interface RequestContext extends BrokerParts {
  readonly apiVersion: number
  /** "" when the client gave none. */
  readonly clientId: string
  /** The client's address as the broker sees it. */
  readonly clientHost: string
  /** Name of the listener that the request came in by: answers give the addresses of the same one. */
  readonly listener: string
  /** Aborted when the connection is gone: whoever waits on its behalf may stop. */
  readonly signal: AbortSignal
  /** Has the connection not read for this long, once what is in process is answered (KIP-219). */
  readonly mute: (quietMs: number) => void
  /** Memory of this size for the answer, which is taken back when that has left. */
  readonly lend: (sizeBytes: number) => Buffer
  /** Bytes that an answer may have, as things stand with answers that clients leave unread. */
  readonly answerRoom: () => number
}

export type Handler<A extends AnyApi> = (
  request: RequestOf<A>,
  context: RequestContext,
) => Promise<ResponseOf<A> | null> | ResponseOf<A> | null
