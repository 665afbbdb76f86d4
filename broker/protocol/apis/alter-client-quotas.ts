/** AlterClientQuotas: sets and removes quotas of users, clients and addresses (KIP-546). */
import { defineApi, t } from '../schema.ts'

export const AlterClientQuotas = defineApi({
  key: 49,
  name: 'AlterClientQuotas',
  versions: '0-1',
  flexible: '1+',
  request: {
    entries: t.array({
      entity: t.array({
        entityType: t.string,
        entityName: t.string.nullable(),
      }),
      ops: t.array({
        key: t.string,
        value: t.float64,
        remove: t.boolean,
      }),
    }),
    validateOnly: t.boolean,
  },
  response: {
    throttleTimeMs: t.int32,
    entries: t.array({
      errorCode: t.int16,
      errorMessage: t.string.nullable(),
      entity: t.array({
        entityType: t.string,
        entityName: t.string.nullable(),
      }),
    }),
  },
})
