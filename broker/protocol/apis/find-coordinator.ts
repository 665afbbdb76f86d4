/** FindCoordinator: the broker that coordinates a group (key type 0) or transactional id (1). v4 asks for several keys (KIP-699). */
import { defineApi, t } from '../schema.ts'

export const FindCoordinator = defineApi({
  key: 10,
  name: 'FindCoordinator',
  versions: '0-6',
  flexible: '3+',
  request: {
    key: t.string.versions('0-3'),
    keyType: t.int8.versions('1+').default(0),
    coordinatorKeys: t.array(t.string).versions('4+'),
  },
  response: {
    throttleTimeMs: t.int32.versions('1+'),
    errorCode: t.int16.versions('0-3'),
    errorMessage: t.string.nullable().versions('1-3'),
    nodeId: t.int32.versions('0-3'),
    host: t.string.versions('0-3'),
    port: t.int32.versions('0-3'),
    coordinators: t
      .array({
        key: t.string,
        nodeId: t.int32,
        host: t.string,
        port: t.int32,
        errorCode: t.int16,
        errorMessage: t.string.nullable(),
      })
      .versions('4+'),
  },
})
