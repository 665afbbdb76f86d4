/** DescribeClientQuotas: the quotas of users, clients and addresses (KIP-546). */
import { defineApi, t } from '../schema.ts'

export const DescribeClientQuotas = defineApi({
  key: 48,
  name: 'DescribeClientQuotas',
  versions: '0-1',
  flexible: '1+',
  request: {
    components: t.array({
      entityType: t.string,
      matchType: t.int8,
      match: t.string.nullable(),
    }),
    strict: t.boolean,
  },
  response: {
    throttleTimeMs: t.int32,
    errorCode: t.int16,
    errorMessage: t.string.nullable(),
    entries: t
      .array({
        entity: t.array({
          entityType: t.string,
          entityName: t.string.nullable(),
        }),
        values: t.array({
          key: t.string,
          value: t.float64,
        }),
      })
      .nullable(),
  },
})
