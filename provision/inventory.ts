/**
 * The hosts that provisioning goes to: from an inventory file (JSON), from the addresses in cluster.yaml, or from
 * the outputs of the AWS stack. All three have the same form, checked here:
 *
 *     { "cluster": "demo", "nodes": [{ "id": 1, "name": "demo-1", "sshHost": "203.0.113.5", "sshPort": 22,
 *       "sshUser": "ubuntu", "address": "10.20.0.10", "hostKeys": ["ssh-ed25519 AAAA…"], "rack": "us-east-1a",
 *       "dataDevice": "/dev/disk/by-id/…" }] }
 */
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { Ajv } from 'ajv'
import type { ClusterFile } from './cluster-file.ts'

export interface Inventory {
  readonly cluster: string
  readonly nodes: readonly InventoryNode[]
}

export interface InventoryNode {
  readonly id: number
  readonly name: string
  readonly sshHost: string
  readonly sshPort: number
  readonly sshUser: string
  /** By which clients and the other nodes reach this one; the broker advertises it. */
  readonly address: string
  /** The host keys that the node may show ("ssh-ed25519 AAAA…"); none: a known_hosts file decides. */
  readonly hostKeys: readonly string[]
  readonly rack?: string
  /** A block device of its own for the data. */
  readonly dataDevice?: string
}

/** The Terraform output that holds an inventory. */
export const INVENTORY_OUTPUT = 'inventory'

const text = { type: 'string', minLength: 1 } as const
const validate = new Ajv({ allErrors: true }).compile<Inventory>({
  type: 'object',
  required: ['cluster', 'nodes'],
  additionalProperties: false,
  properties: {
    cluster: { type: 'string', pattern: '^[a-z][a-z0-9-]{0,30}$' },
    nodes: {
      type: 'array',
      minItems: 1,
      items: {
        type: 'object',
        required: ['id', 'name', 'sshHost', 'sshPort', 'sshUser', 'address', 'hostKeys'],
        additionalProperties: false,
        properties: {
          id: { type: 'integer', minimum: 0 },
          name: text,
          sshHost: text,
          sshPort: { type: 'integer', minimum: 1, maximum: 65535 },
          sshUser: text,
          address: text,
          hostKeys: { type: 'array', items: text },
          rack: text,
          dataDevice: text,
        },
      },
    },
  },
})

/** Reads an inventory file, or a file of stack outputs. */
export async function readInventory(file: string): Promise<Inventory> {
  const json = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new Error(`the inventory ${file} cannot be read: ${(error as Error).message}`)
  })
  const value = parseJson(json, file)
  return isObject(value) && 'nodes' in value ? checked(value, file) : inventoryFromOutputs(value, file)
}

/** The hosts of a cluster file whose nodes all have addresses; undefined where a stack makes the machines. */
export function inventoryFromClusterFile(file: ClusterFile): Inventory | undefined {
  if (file.nodes.some(({ address }) => address === undefined)) return undefined
  return {
    cluster: file.name,
    nodes: file.nodes.map(({ id, address, sshAddress, hostKeys, ...rest }) => ({
      ...rest,
      id,
      name: `${file.name}-${id}`,
      sshHost: sshAddress ?? address!,
      sshPort: file.ssh.port,
      sshUser: file.ssh.user,
      address: address!,
      hostKeys: hostKeys ?? [],
    })),
  }
}

/**
 * The inventory in a stack's outputs: as `cdktf deploy --outputs-file` writes them (by stack), as
 * `terraform output -json` prints them, or as a Terraform state file keeps them. `source` names them in errors.
 */
export function inventoryFromOutputs(outputs: unknown, source: string): Inventory {
  const candidates = isObject(outputs) ? [outputs, outputs['outputs'], ...Object.values(outputs)] : []
  for (const candidate of candidates) {
    if (!isObject(candidate) || !(INVENTORY_OUTPUT in candidate)) continue
    const output = candidate[INVENTORY_OUTPUT]
    return checked(isObject(output) && 'value' in output ? output['value'] : output, source)
  }
  throw new Error(`${source} has no output "${INVENTORY_OUTPUT}"; has the stack been deployed?`)
}

/** Where a cluster's own files are on the control machine: Terraform's state, host keys, locks. Beside cluster.yaml. */
export function clusterFolder(file: Pick<ClusterFile, 'path' | 'name'>): string {
  return path.join(path.dirname(file.path), '.brokerkit', file.name)
}

/** Terraform's state of a cluster made by the AWS stack. */
export function stateFile(file: Pick<ClusterFile, 'path' | 'name'>): string {
  return path.join(clusterFolder(file), 'terraform.tfstate')
}

/** The hosts of a cluster file: those it names, or those that its stack made. */
export async function inventoryOf(file: ClusterFile): Promise<Inventory> {
  const named = inventoryFromClusterFile(file)
  if (named !== undefined) return named
  const state = stateFile(file)
  const json = await readFile(state, 'utf8').catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    throw new Error(
      `${path.basename(file.path)} names no addresses, and there is no ${state}: make the machines first with npm run deploy`,
    )
  })
  return inventoryFromOutputs(parseJson(json, state), state)
}

function checked(value: unknown, source: string): Inventory {
  const given = withoutNulls(value)
  if (validate(given)) return uniqueIds(given, source)
  const problems = (validate.errors ?? []).map(
    ({ instancePath, message, params }) =>
      `${instancePath === '' ? 'the inventory' : instancePath.slice(1).replaceAll('/', '.')} ${message}` +
      ('additionalProperty' in params ? ` ("${String(params['additionalProperty'])}")` : ''),
  )
  throw new Error(`${source} is not an inventory: ${problems.join('; ')}`)
}

function uniqueIds(inventory: Inventory, source: string): Inventory {
  const ids = inventory.nodes.map(({ id }) => id)
  const twice = ids.find((id, index) => ids.indexOf(id) !== index)
  if (twice !== undefined)
    throw new Error(`${source}: node id ${twice} is used twice; node ids must be unique`)
  return inventory
}

/** Terraform says null where a field is absent. */
function withoutNulls(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (_, field: unknown) => field ?? undefined) ?? 'null')
}

function parseJson(json: string, file: string): unknown {
  try {
    return JSON.parse(json) as unknown
  } catch (error) {
    throw new Error(`${file} is not JSON: ${(error as Error).message}`, { cause: error })
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
