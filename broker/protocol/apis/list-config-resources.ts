/** ListConfigResources: what has settings, by type (KIP-1142); v0 knows client metrics only. */
import { defineApi, t } from '../schema.ts'

export const ListConfigResources = defineApi({
  key: 74,
  name: 'ListConfigResources',
  versions: '0-1',
  flexible: '0+',
  request: {
    resourceTypes: t.array(t.int8).versions('1+'),
  },
  response: {
    throttleTimeMs: t.int32,
    errorCode: t.int16,
    configResources: t.array({
      resourceName: t.string,
      resourceType: t.int8.versions('1+').default(16),
    }),
  },
})
