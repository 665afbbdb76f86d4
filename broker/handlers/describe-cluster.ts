/** DescribeCluster: cluster id, controller and brokers (KIP-700). v1 may ask for controllers, which are no endpoints here. */
import type { DescribeCluster } from '../protocol/apis/describe-cluster.ts'
import { KafkaError } from '../protocol/errors.ts'
import { CLUSTER_OPERATIONS, NOT_ASKED } from './authorized-operations.ts'
import { brokersOf, controllerOf } from './cluster-view.ts'
import type { Handler } from './context.ts'

const BROKERS = 1
const CONTROLLERS = 2

export const describeCluster: Handler<typeof DescribeCluster> = (request, context) => {
  checkEndpointType(request.endpointType)
  const { image } = context.metadata
  const brokers = brokersOf(image.brokers.values(), context.listener)
  return {
    throttleTimeMs: 0,
    errorCode: 0,
    endpointType: BROKERS,
    clusterId: context.clusterId,
    controllerId: controllerOf(image, brokers),
    brokers: brokers.map(({ id, host, port, rack }) => ({ brokerId: id, host, port, rack, isFenced: false })),
    clusterAuthorizedOperations: request.includeClusterAuthorizedOperations ? CLUSTER_OPERATIONS : NOT_ASKED,
  }
}

function checkEndpointType(endpointType: number): void {
  if (endpointType === BROKERS) return
  if (endpointType === CONTROLLERS) {
    throw new KafkaError(
      'MISMATCHED_ENDPOINT_TYPE',
      'this is a broker, and controllers have no endpoints of their own',
    )
  }
  throw new KafkaError('UNSUPPORTED_ENDPOINT_TYPE', `endpoint type ${endpointType}: 1 is the only one`)
}
