/**
 * ApiVersions: which APIs in which versions, derived from the registry.
 * v3 adds the client's name and version (KIP-511) and features (KIP-584): none is finalized here, so that clients
 * keep to the group and transaction protocols that need none.
 */
import { ApiVersions } from '../protocol/apis/api-versions.ts'
import { errorCode, KafkaError } from '../protocol/errors.ts'
import type { ResponseOf } from '../protocol/schema.ts'
import type { Handler } from './context.ts'
import type { ServedApi } from './registry.ts'

const FIRST_VERSION_WITH_SOFTWARE = 3
const SOFTWARE = /^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$/

export function apiVersions(served: () => readonly ServedApi[]): Handler<typeof ApiVersions> {
  return (request, context) => {
    if (context.apiVersion >= FIRST_VERSION_WITH_SOFTWARE) {
      checkSoftware('clientSoftwareName', request.clientSoftwareName)
      checkSoftware('clientSoftwareVersion', request.clientSoftwareVersion)
    }
    return {
      errorCode: 0,
      apiKeys: served().map(({ key, minVersion, maxVersion }) => ({ apiKey: key, minVersion, maxVersion })),
    }
  }
}

/** The answer, in version 0, to an ApiVersions that is too new: its own range, so that the client asks again. */
export function unsupportedVersion(): ResponseOf<typeof ApiVersions> {
  const { key, versions } = ApiVersions
  return {
    errorCode: errorCode('UNSUPPORTED_VERSION'),
    apiKeys: [{ apiKey: key, minVersion: versions.min, maxVersion: versions.max }],
  }
}

function checkSoftware(field: string, value: string): void {
  if (SOFTWARE.test(value)) return
  throw new KafkaError('INVALID_REQUEST', `${field} is "${value}": letters, digits, dots and dashes only`)
}
