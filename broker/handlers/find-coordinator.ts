/**
 * FindCoordinator: which broker keeps the state of a group (key type 0) or of a transactional id (1).
 * Asking for the first group creates `__consumer_offsets`.
 *
 * v1 adds key types and error messages. v4 asks for several keys (KIP-699). v5 and v6 are v4 for clients that
 * understand newer errors and key types (KIP-890, KIP-932).
 */
import type { FindCoordinator } from '../protocol/apis/find-coordinator.ts'
import { KafkaError } from '../protocol/errors.ts'
import type { ResponseOf } from '../protocol/schema.ts'
import type { Handler, RequestContext } from './context.ts'
import { toKafkaError } from './each-partition.ts'

const GROUP = 0
const TRANSACTION = 1
const FIRST_VERSION_WITH_BATCHES = 4

type Coordinator = NonNullable<ResponseOf<typeof FindCoordinator>['coordinators']>[number]

export const findCoordinator: Handler<typeof FindCoordinator> = async (request, context) => {
  const isBatch = context.apiVersion >= FIRST_VERSION_WITH_BATCHES
  const keys = isBatch ? request.coordinatorKeys : [request.key]
  const coordinators = await Promise.all(keys.map((key) => answerKey(key, request.keyType, context)))
  return isBatch ? { coordinators } : coordinators[0]!
}

async function answerKey(
  key: string,
  keyType: number,
  context: RequestContext,
): Promise<Coordinator & { errorCode: number }> {
  try {
    const { id, host, port } = await locate(key, keyType, context)
    return { key, nodeId: id, host, port, errorCode: 0, errorMessage: null }
  } catch (error) {
    const { code, error: name, detail } = toKafkaError(error, context.logger, { coordinatorKey: key })
    return { key, nodeId: -1, host: '', port: -1, errorCode: code, errorMessage: detail ?? name }
  }
}

async function locate(
  key: string,
  keyType: number,
  context: RequestContext,
): Promise<{ id: number; host: string; port: number }> {
  if (keyType === TRANSACTION) {
    // Not retriable: a client that retried would only report a timeout (docs/decisions/0030).
    throw new KafkaError('UNSUPPORTED_VERSION', 'this broker does not serve transactions')
  }
  if (keyType !== GROUP) {
    throw new KafkaError(
      'INVALID_REQUEST',
      `the key type ${keyType} is neither ${GROUP} (group) nor ${TRANSACTION} (transaction)`,
    )
  }
  const broker = await context.groups.coordinatorOf(key)
  const endpoint = broker.endpoints.find(({ listener }) => listener === context.listener)
  if (endpoint !== undefined) return { id: broker.id, host: endpoint.host, port: endpoint.port }
  throw new KafkaError(
    'COORDINATOR_NOT_AVAILABLE',
    `broker ${broker.id}, which coordinates the group, has no listener ${context.listener}`,
  )
}
