/** What a client's quotas make of one request: for how long the client has to keep quiet after it. */
import { Produce } from '../protocol/apis/produce.ts'
import type { RequestContext } from './context.ts'
import type { Route } from './registry.ts'

/**
 * Counts the request, which has kept everybody else waiting for `busyMs`. While its client is beyond a quota, its connection
 * is muted, and the response (which may ask for some time itself) tells the longest that any quota asks for. What brokers
 * ask of each other is free.
 */
export function throttled(
  route: Route,
  request: unknown,
  response: unknown,
  sizeBytes: number,
  busyMs: number,
  { quotas, clientId, mute }: RequestContext,
): unknown {
  if (!quotas.active || isFromBroker(request)) return response
  const asked = (response as { readonly throttleTimeMs?: number } | null)?.throttleTimeMs ?? 0
  const isProduce = route.api.key === Produce.key
  const produced = isProduce ? quotas.produced(clientId, sizeBytes) : 0
  const throttleTimeMs = Math.max(asked, produced, quotas.busy(clientId, busyMs))
  if (throttleTimeMs > 0) mute(throttleTimeMs)
  return response === null ? null : { ...response, throttleTimeMs }
}

/** The fetches and lookups of followers say so. */
function isFromBroker(request: unknown): boolean {
  const { replicaId = -1, replicaState } = request as {
    readonly replicaId?: number
    readonly replicaState?: { readonly replicaId: number }
  }
  return replicaId >= 0 || (replicaState !== undefined && replicaState.replicaId >= 0)
}
