/** InitProducerId: a producer id for idempotent and transactional producers. v3 bumps the epoch (KIP-360). */
import { defineApi, t } from '../schema.ts'

export const InitProducerId = defineApi({
  key: 22,
  name: 'InitProducerId',
  versions: '0-5',
  flexible: '2+',
  request: {
    transactionalId: t.string.nullable(),
    transactionTimeoutMs: t.int32,
    producerId: t.int64.versions('3+').default(-1),
    producerEpoch: t.int16.versions('3+').default(-1),
  },
  response: {
    throttleTimeMs: t.int32,
    errorCode: t.int16,
    producerId: t.int64.default(-1),
    producerEpoch: t.int16,
  },
})
