/** DescribeCluster: cluster id, controller and brokers (KIP-700). */
import { defineApi, t } from '../schema.ts'

export const DescribeCluster = defineApi({
  key: 60,
  name: 'DescribeCluster',
  versions: '0-2',
  flexible: '0+',
  request: {
    includeClusterAuthorizedOperations: t.boolean,
    endpointType: t.int8.versions('1+').default(1),
    includeFencedBrokers: t.boolean.versions('2+'),
  },
  response: {
    throttleTimeMs: t.int32,
    errorCode: t.int16,
    errorMessage: t.string.nullable().default(null),
    endpointType: t.int8.versions('1+').default(1),
    clusterId: t.string,
    controllerId: t.int32.default(-1),
    brokers: t.array({
      brokerId: t.int32,
      host: t.string,
      port: t.int32,
      rack: t.string.nullable().default(null),
      isFenced: t.boolean.versions('2+'),
    }),
    clusterAuthorizedOperations: t.int32.default(-2147483648),
  },
})
