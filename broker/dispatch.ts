/**
 * One request's bytes -> its response's bytes.
 *
 * A request that cannot be read, or that is for an API or version that is not served, closes the connection. The
 * exception is ApiVersions, by which client and broker find a common version in the first place (KIP-511): asked in
 * a version that is too new, it answers in version 0 and names its own range only.
 */
import { ApiVersions } from './protocol/apis/api-versions.ts'
import { KafkaError } from './protocol/errors.ts'
import { finishFrame, startFrame } from './protocol/frame.ts'
import {
  decodeClientId,
  decodeRequestPrefix,
  encodeResponseHeader,
  type RequestHeader,
} from './protocol/headers.ts'
import { ByteReader, MalformedFrameError } from './protocol/reader.ts'
import { type AnyApi, type ResponseOf } from './protocol/schema.ts'
import { includesVersion } from './protocol/versions.ts'
import { unsupportedVersion } from './handlers/api-versions.ts'
import type { BrokerParts, RequestContext } from './handlers/context.ts'
import { type Route, ROUTES } from './handlers/registry.ts'
import { throttled } from './handlers/throttling.ts'
import type { Metrics, RequestOutcome } from './runtime/metrics.ts'

/** Where a request came from. */
export interface RequestOrigin {
  readonly clientHost: string
  readonly listener: string
  readonly signal: AbortSignal
  readonly lend: (sizeBytes: number) => Buffer
  readonly answerRoom: () => number
  /** Has the connection not read for this long, once what is in process is answered. */
  readonly mute: (quietMs: number) => void
}

/** The frame of the answer, null for none, 'close' for a failure that only closing the connection can tell of. */
export type Answer = Buffer[] | 'close' | null
export type Dispatch = (frame: Buffer, origin: RequestOrigin) => Promise<Answer>

/** Whether the request in `frame` may be served while others that this holds for are in process. */
export function overlaps(frame: Buffer): boolean {
  return frame.length >= 2 && ROUTES.get(frame.readInt16BE(0))?.overlaps === true
}

export function createDispatch(parts: BrokerParts, metrics: Metrics): Dispatch {
  return async (frame, origin) => {
    const reader = new ByteReader(frame)
    const prefix = decodeRequestPrefix(reader)
    const route = ROUTES.get(prefix.apiKey)
    if (route === undefined || !includesVersion(route.api.versions, prefix.apiVersion)) {
      return refuseVersion(prefix)
    }
    const { api } = route
    const startedMs = parts.clock.monotonicMs()
    const clientId = decodeClientId(reader, includesVersion(api.flexible, prefix.apiVersion)) ?? ''
    const request: unknown = api.request.decode(prefix.apiVersion, reader)
    const context: RequestContext = { ...parts, ...origin, apiVersion: prefix.apiVersion, clientId }
    const { answer, outcome } = await answerRequest(route, request, context, prefix, frame.length, startedMs)
    metrics.countRequest(api.name, outcome, parts.clock.monotonicMs() - startedMs)
    return answer
  }
}

type Prefix = Omit<RequestHeader, 'clientId'>

function refuseVersion(prefix: Prefix): Buffer[] {
  const { apiKey, apiVersion } = prefix
  if (apiKey !== ApiVersions.key) {
    throw new MalformedFrameError(`API ${apiKey} in version ${apiVersion} is not served`)
  }
  return encodeAnswer(ApiVersions, { ...prefix, apiVersion: 0 }, unsupportedVersion())
}

interface Answered {
  readonly answer: Answer
  readonly outcome: RequestOutcome
}

async function answerRequest(
  route: Route,
  request: unknown,
  context: RequestContext,
  prefix: Prefix,
  sizeBytes: number,
  startedMs: number,
): Promise<Answered> {
  let busyMs = 0
  try {
    const handled = route.handle(request, context)
    if (context.quotas.active) busyMs = context.clock.monotonicMs() - startedMs
    const response = throttled(route, request, await handled, sizeBytes, busyMs, context)
    if (response === null) return { answer: null, outcome: 'unanswered' }
    return { answer: encodeAnswer(route.api, prefix, response), outcome: 'answered' }
  } catch (error) {
    const expected = error instanceof KafkaError
    if (!expected && !context.signal.aborted) logUnexpected(error, route, context)
    const response = route.fail(request, expected ? error : new KafkaError('UNKNOWN_SERVER_ERROR'))
    if (response === null) {
      context.logger.info(
        { err: error, api: route.api.name, client: context.clientHost },
        'request failed without an answer',
      )
      return { answer: 'close', outcome: 'failed' }
    }
    const told = throttled(route, request, response, sizeBytes, busyMs, context)
    return { answer: encodeAnswer(route.api, prefix, told), outcome: expected ? 'answered' : 'failed' }
  }
}

function logUnexpected(error: unknown, route: Route, context: RequestContext): void {
  const { apiVersion, clientId, clientHost } = context
  context.logger.error(
    { err: error, api: route.api.name, apiVersion, clientId, client: clientHost },
    'request failed unexpectedly',
  )
}

function encodeAnswer(api: AnyApi, prefix: Prefix, response: unknown): Buffer[] {
  const writer = startFrame()
  encodeResponseHeader(api, prefix.apiVersion, prefix.correlationId, writer)
  api.response.encode(prefix.apiVersion, response as ResponseOf<AnyApi>, writer)
  return finishFrame(writer)
}
