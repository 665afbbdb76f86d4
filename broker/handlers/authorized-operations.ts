/**
 * The operations that a client may perform, as bits by their codes (KIP-430). Without an authorizer that is
 * everything that the kind of resource knows.
 */

const OPERATION = {
  read: 3,
  write: 4,
  create: 5,
  delete: 6,
  alter: 7,
  describe: 8,
  clusterAction: 9,
  describeConfigs: 10,
  alterConfigs: 11,
  idempotentWrite: 12,
} as const

type Operation = keyof typeof OPERATION

function bits(operations: readonly Operation[]): number {
  return operations.reduce((sum, operation) => sum | (1 << OPERATION[operation]), 0)
}

/** What an answer holds when the request has not asked. */
export const NOT_ASKED = -(2 ** 31)

export const TOPIC_OPERATIONS = bits([
  'read',
  'write',
  'create',
  'delete',
  'alter',
  'describe',
  'describeConfigs',
  'alterConfigs',
])

export const CLUSTER_OPERATIONS = bits([
  'create',
  'alter',
  'describe',
  'clusterAction',
  'describeConfigs',
  'alterConfigs',
  'idempotentWrite',
])
