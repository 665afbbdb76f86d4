/** ApiVersions: which APIs and versions this broker serves. The answer has header v0 in every version (KIP-511). */
import { defineApi, t } from '../schema.ts'

export const ApiVersions = defineApi({
  key: 18,
  name: 'ApiVersions',
  versions: '0-4',
  flexible: '3+',
  request: {
    clientSoftwareName: t.string.versions('3+'),
    clientSoftwareVersion: t.string.versions('3+'),
  },
  response: {
    errorCode: t.int16,
    apiKeys: t.array({
      apiKey: t.int16,
      minVersion: t.int16,
      maxVersion: t.int16,
    }),
    throttleTimeMs: t.int32.versions('1+'),
    supportedFeatures: t
      .array({
        name: t.string,
        minVersion: t.int16,
        maxVersion: t.int16,
      })
      .versions('3+')
      .tagged(0),
    finalizedFeaturesEpoch: t.int64.versions('3+').default(-1).tagged(1),
    finalizedFeatures: t
      .array({
        name: t.string,
        maxVersionLevel: t.int16,
        minVersionLevel: t.int16,
      })
      .versions('3+')
      .tagged(2),
    zkMigrationReady: t.boolean.versions('3+').default(false).tagged(3),
  },
})
