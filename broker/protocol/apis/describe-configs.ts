/** DescribeConfigs: the settings of topics and brokers with their sources; v3 adds types and documentation (KIP-569). */
import { defineApi, t } from '../schema.ts'

export const DescribeConfigs = defineApi({
  key: 32,
  name: 'DescribeConfigs',
  versions: '1-4',
  flexible: '4+',
  request: {
    resources: t.array({
      resourceType: t.int8,
      resourceName: t.string,
      configurationKeys: t.array(t.string).nullable(),
    }),
    includeSynonyms: t.boolean.default(false),
    includeDocumentation: t.boolean.versions('3+').default(false),
  },
  response: {
    throttleTimeMs: t.int32,
    results: t.array({
      errorCode: t.int16,
      errorMessage: t.string.nullable(),
      resourceType: t.int8,
      resourceName: t.string,
      configs: t.array({
        name: t.string,
        value: t.string.nullable(),
        readOnly: t.boolean,
        configSource: t.int8.default(-1),
        isSensitive: t.boolean,
        synonyms: t.array({
          name: t.string,
          value: t.string.nullable(),
          source: t.int8,
        }),
        configType: t.int8.versions('3+').default(0),
        documentation: t.string.nullable().versions('3+'),
      }),
    }),
  },
})
