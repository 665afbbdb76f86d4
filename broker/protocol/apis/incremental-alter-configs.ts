/** IncrementalAlterConfigs: changes single settings of topics and brokers (KIP-339). */
import { defineApi, t } from '../schema.ts'

export const IncrementalAlterConfigs = defineApi({
  key: 44,
  name: 'IncrementalAlterConfigs',
  versions: '0-1',
  flexible: '1+',
  request: {
    resources: t.array({
      resourceType: t.int8,
      resourceName: t.string,
      configs: t.array({
        name: t.string,
        configOperation: t.int8,
        value: t.string.nullable(),
      }),
    }),
    validateOnly: t.boolean,
  },
  response: {
    throttleTimeMs: t.int32,
    responses: t.array({
      errorCode: t.int16,
      errorMessage: t.string.nullable(),
      resourceType: t.int8,
      resourceName: t.string,
    }),
  },
})
