/** ApiVersions, and requests that no table fits: unknown keys and versions, bodies that end early or go on. */
import { ApiVersions } from '../../../broker/protocol/apis/api-versions.ts'
import { Metadata } from '../../../broker/protocol/apis/metadata.ts'
import { altered, type Area, ask, raw } from '../case.ts'

const software = { clientSoftwareName: 'differential', clientSoftwareVersion: '1.0' }
const asVersion0 = { api: ApiVersions, version: 0 }
const metadata = ask(Metadata, 9, { topics: [], allowAutoTopicCreation: false })

export const apiVersions: Area = {
  name: 'api versions',
  topics: {},
  cases: {
    'version 0': ask(ApiVersions, 0, {}),
    'version 1': ask(ApiVersions, 1, {}),
    'version 2': ask(ApiVersions, 2, {}),
    'version 3': ask(ApiVersions, 3, software),
    'version 4': ask(ApiVersions, 4, software),
    'a version to come': raw(18, 99, '000000', asVersion0),
    'the version after the newest': raw(18, 5, 'ffff0000', asVersion0),
    'a version below zero': raw(18, -1, 'ffff', asVersion0),
    'an empty software name': ask(ApiVersions, 3, { clientSoftwareName: '', clientSoftwareVersion: '1' }),
    'a software name with a space': ask(ApiVersions, 3, { ...software, clientSoftwareName: 'a b' }),
    'a software name that begins with a dash': ask(ApiVersions, 3, { ...software, clientSoftwareName: '-a' }),
    'a software version with a slash': ask(ApiVersions, 3, { ...software, clientSoftwareVersion: '1/2' }),
    'twice on one connection': [ask(ApiVersions, 3, software), ask(ApiVersions, 0, {})],
    'after other requests': [metadata, ask(ApiVersions, 3, software)],
    'a key that does not exist': raw(9999, 0, 'ffff', asVersion0),
    'a key below zero': raw(-5, 0, 'ffff', asVersion0),
    'a key that is for brokers only': raw(4, 7, 'ffff00', asVersion0),
    'Produce in version 2': raw(0, 2, 'ffff0001000003e800000000', asVersion0),
    'Fetch in version 3': raw(1, 3, 'ffffffffffff', asVersion0),
    'Metadata in a version to come': raw(3, 90, 'ffff00', asVersion0),
    'a header without a client id': raw(3, 1, '', asVersion0),
    'a client id longer than the frame': raw(3, 1, '7fff', asVersion0),
    'a client id with a negative length': raw(3, 1, 'fff0', asVersion0),
    'a request that ends early': altered(metadata, 'cut', (frame) => frame.subarray(0, -2)),
    'a request that goes on': altered(metadata, 'with a byte more', (frame) =>
      Buffer.concat([frame, Buffer.alloc(1)]),
    ),
    'an unknown tagged field in the header': raw(3, 9, 'ffff010502616201000000', {
      api: Metadata,
      version: 9,
    }),
    'an unknown tagged field in the body': raw(3, 9, 'ffff00010000000109026162', {
      api: Metadata,
      version: 9,
    }),
    'a tagged field longer than the frame': raw(3, 9, 'ffff00010000000109ffffff0761', asVersion0),
    'an array of two billion elements': raw(3, 1, 'ffff7fffffff', asVersion0),
    'an array with a negative length': raw(3, 1, 'fffffffffff0', { api: Metadata, version: 1 }),
    'an array with a negative length where null may not be': raw(3, 0, 'fffffffffff0', asVersion0),
    'a null where none may be': raw(3, 0, 'ffffffffffff', asVersion0),
  },
}
