/** AlterConfigs: replaces all settings of topics and brokers at once; IncrementalAlterConfigs took its place (KIP-339). */
import { defineApi, t } from '../schema.ts'

export const AlterConfigs = defineApi({
  key: 33,
  name: 'AlterConfigs',
  versions: '0-2',
  flexible: '2+',
  request: {
    resources: t.array({
      resourceType: t.int8,
      resourceName: t.string,
      configs: t.array({
        name: t.string,
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
