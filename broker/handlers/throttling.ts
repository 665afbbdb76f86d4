/** What a client's quotas make of one request: for how long the client has to keep quiet after it. */
import { Produce } from '../protocol/apis/produce.ts'
import type { RequestContext } from './context.ts'
import type { Route } from './registry.ts'

export interface RequestCost {
  readonly sizeBytes: number
  /** Time in which nobody else was served. */
  readonly busyMs: number
}

/**
 * Counts the request and gives the time in ms: the longest that any quota asks for. `response` may ask for some itself.
 * What brokers ask of each other is free.
 */
export function quietTime(
  route: Route,
  request: unknown,
  response: unknown,
  cost: RequestCost,
  { quotas, clientId }: RequestContext,
): number {
  if (!quotas.active || isFromBroker(request)) return 0
  const asked = (response as { readonly throttleTimeMs?: number } | null)?.throttleTimeMs ?? 0
  const isProduce = route.api.key === Produce.key
  const produced = isProduce ? quotas.produced(clientId, cost.sizeBytes) : 0
  return Math.max(asked, produced, quotas.busy(clientId, cost.busyMs))
}

/** The fetches and lookups of followers say so. */
function isFromBroker(request: unknown): boolean {
  const { replicaId = -1, replicaState } = request as {
    readonly replicaId?: number
    readonly replicaState?: { readonly replicaId: number }
  }
  return replicaId >= 0 || (replicaState !== undefined && replicaState.replicaId >= 0)
}
