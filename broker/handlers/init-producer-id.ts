/**
 * InitProducerId: a producer id for an idempotent producer, from any broker.
 * Transactional ids are refused with UNSUPPORTED_VERSION, which clients report at once instead of retrying
 * (docs/decisions/0030-transactional-producers-fail-at-once.md).
 */
import type { InitProducerId } from '../protocol/apis/init-producer-id.ts'
import { KafkaError } from '../protocol/errors.ts'
import type { Handler } from './context.ts'
import { quorumErrors } from './quorum-errors.ts'

export const initProducerId: Handler<typeof InitProducerId> = async (request, context) => {
  const { transactionalId, producerId, producerEpoch } = request
  if (transactionalId === '') throw new KafkaError('INVALID_REQUEST', 'the transactional id is empty')
  if (transactionalId !== null) {
    throw new KafkaError('UNSUPPORTED_VERSION', 'this broker does not serve transactions')
  }
  if ((producerId === -1) !== (producerEpoch === -1)) {
    throw new KafkaError('INVALID_REQUEST', `producer id ${producerId} with producer epoch ${producerEpoch}`)
  }
  const id = await quorumErrors(() => context.producerIds.next())
  return { throttleTimeMs: 0, errorCode: 0, producerId: id, producerEpoch: 0 }
}
