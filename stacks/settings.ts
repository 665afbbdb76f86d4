/** What the stack is built from: the AWS section of cluster.yaml, with the network planned and the public key read. */
import { readFile } from 'node:fs/promises'
import { hostOf, subnetOf } from '../provision/cidr.ts'
import type { AwsSettings, ClusterFile } from '../provision/cluster-file.ts'

export interface StackSettings extends Omit<AwsSettings, 'publicKeyFile'> {
  readonly cluster: string
  readonly publicKey: string
  readonly sshUser: string
  /** Whether instance types with fewer than 8 vCPUs may be used. */
  readonly acceptFewCores: boolean
  /** The subnets, one for each availability zone in use. */
  readonly subnets: readonly string[]
  readonly nodes: readonly NodeSettings[]
}

export interface NodeSettings {
  readonly id: number
  readonly name: string
  /** An index into the subnets. */
  readonly zone: number
  readonly privateIp: string
}

export class SettingsError extends Error {
  override readonly name = 'SettingsError'
}

const ZONES = 3
/** AWS keeps the first four addresses of a subnet; the nodes begin after a round number. */
const FIRST_HOST = 10

/** The settings of a cluster file; throws SettingsError when it has no AWS section or no usable public key. */
export async function readSettings(file: ClusterFile): Promise<StackSettings> {
  if (file.aws === undefined) {
    throw new SettingsError(
      `${file.path} has no aws section, so there are no machines to make; examples/aws.yaml shows one`,
    )
  }
  const { publicKeyFile, ...aws } = file.aws
  return {
    ...aws,
    ...planNetwork(file, aws.vpcCidr),
    cluster: file.name,
    publicKey: await readPublicKey(publicKeyFile),
    sshUser: file.ssh.user,
    acceptFewCores: file.accept.includes('cores'),
  }
}

/** Spreads the nodes, in the order of their ids, over zones, and gives each a fixed address. */
function planNetwork(file: ClusterFile, vpcCidr: string): Pick<StackSettings, 'subnets' | 'nodes'> {
  const prefix = Math.min(Number(vpcCidr.split('/')[1]) + 8, 26)
  const subnets = Array.from({ length: Math.min(ZONES, file.nodes.length) }, (_, index) =>
    subnetOf(vpcCidr, prefix, index),
  )
  const nodes = file.nodes
    .map(({ id }) => id)
    .toSorted((a, b) => a - b)
    .map((id, index) => ({
      id,
      name: `${file.name}-${id}`,
      zone: index % ZONES,
      privateIp: hostOf(subnets[index % ZONES]!, FIRST_HOST + Math.floor(index / ZONES)),
    }))
  return { subnets, nodes }
}

async function readPublicKey(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new SettingsError(
      `the public key for the nodes cannot be read (${(error as Error).message}); make a pair with ` +
        `ssh-keygen -t ed25519, or name another with ssh.identityFile or aws.publicKeyFile`,
    )
  })
  const key = text.trim()
  if (key.includes('PRIVATE KEY')) throw new SettingsError(`${file} is a private key; name its .pub file`)
  if (!/^(ssh-ed25519|ssh-rsa) [A-Za-z0-9+/]+=*( [^\n]*)?$/.test(key)) {
    throw new SettingsError(`${file} is not a public key that EC2 takes: one line, ssh-ed25519 or ssh-rsa`)
  }
  return key
}
