/**
 * Where the leader is, told along with a refusal, so that the client need not ask for metadata first
 * (KIP-951): the tags currentLeader and nodeEndpoints of Produce (v10) and Fetch (v12, v16).
 */
import type { KafkaError } from '../protocol/errors.ts'
import type { RequestContext } from './context.ts'

export interface LeaderHint {
  readonly leaderId: number
  readonly leaderEpoch: number
}

/**
 * The leader of the partition as the metadata has it, when `error` says that the client asked the wrong one.
 */
export function leaderHint(
  error: KafkaError,
  topic: string,
  index: number,
  context: RequestContext,
): LeaderHint | undefined {
  if (error.error !== 'NOT_LEADER_OR_FOLLOWER' && error.error !== 'FENCED_LEADER_EPOCH') return undefined
  const state = context.metadata.image.topics.get(topic)?.partitions[index]
  return state && { leaderId: state.leader, leaderEpoch: state.leaderEpoch }
}

/** Addresses of the brokers with these ids, on the listener that the request came in by. */
export function leaderEndpoints(
  leaderIds: readonly number[],
  context: RequestContext,
): { nodeId: number; host: string; port: number; rack: string | null }[] {
  if (leaderIds.length === 0) return []
  return [...new Set(leaderIds)].flatMap((nodeId) => {
    const broker = context.metadata.image.brokers.get(nodeId)
    const endpoint = broker?.endpoints.find(({ listener }) => listener === context.listener)
    return broker === undefined || endpoint === undefined
      ? []
      : [{ nodeId, host: endpoint.host, port: endpoint.port, rack: broker.rack }]
  })
}
