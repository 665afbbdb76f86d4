/** The hosts of one cluster for the time of one command: connected, locked where the command changes something. */
import os from 'node:os'
import path from 'node:path'
import { readFile } from 'node:fs/promises'

import { stringify } from 'yaml'

import { parseClusterFile, type ClusterFile } from './cluster-file.ts'
import { connect, type Credentials, type Host } from './host.ts'
import type { Inventory, InventoryNode } from './inventory.ts'
import { knownKeys, type KnownKeys } from './known-hosts.ts'
import type { ClusterSettings } from './plan.ts'
import { ProvisionError } from './provision-error.ts'
import { takeLock } from './steps/lock.ts'
import type { Node } from './steps/step.ts'

export interface HostsTarget {
  readonly inventory: Inventory
  /** Without one, a cluster file's defaults are taken. */
  readonly clusterFile?: ClusterFile
}

/** Settings, with the defaults where no cluster file was given. */
export function settingsOf({ inventory, clusterFile }: HostsTarget): ClusterFile {
  if (clusterFile === undefined) return defaultsFor(inventory)
  if (clusterFile.name === inventory.cluster) return clusterFile
  throw new ProvisionError(
    `the inventory is of the cluster ${inventory.cluster}, but ${path.basename(clusterFile.path)} describes ` +
      `${clusterFile.name}: they do not belong together`,
  )
}

export function clusterSettings({ inventory }: HostsTarget, file: ClusterFile): ClusterSettings {
  return {
    cluster: inventory.cluster,
    nodes: inventory.nodes,
    brokerSettings: file.broker.settings,
    memory: { brokerMiB: file.broker.memoryMiB, quorumMiB: file.quorum.memoryMiB },
  }
}

/** Connects to every host; when one cannot be reached, to none, and the message names all that cannot. */
export async function connectAll(target: HostsTarget): Promise<Node[]> {
  const { reached, failures } = await connectWherePossible(target)
  if (failures.length === 0) return reached
  disconnect(reached)
  throw new ProvisionError(failures.join('\n'))
}

/** Connects to the hosts that can be reached, and says why the others cannot. */
export async function connectWherePossible(
  target: HostsTarget,
): Promise<{ reached: Node[]; failures: string[] }> {
  const file = settingsOf(target)
  const attempts = await Promise.allSettled(target.inventory.nodes.map((node) => connectTo(node, file)))
  return {
    reached: attempts.flatMap((attempt) => (attempt.status === 'fulfilled' ? [attempt.value] : [])),
    failures: attempts.flatMap((attempt) =>
      attempt.status === 'rejected' ? [messageOf(attempt.reason)] : [],
    ),
  }
}

export function disconnect(nodes: readonly Node[]): void {
  for (const { host } of nodes) host.close()
}

/** Does `work` while holding the locks of all these hosts. */
export async function whileLocked<T>(
  nodes: readonly Node[],
  what: string,
  work: () => Promise<T>,
): Promise<T> {
  const unlocks: (() => Promise<void>)[] = []
  const owner = `${what} by ${os.userInfo().username}@${os.hostname()} since ${new Date().toISOString()}`
  try {
    for (const node of nodes) unlocks.push(await takeLock(node, owner))
    return await work()
  } finally {
    await Promise.all(unlocks.map((unlock) => unlock()))
  }
}

async function connectTo(inventory: InventoryNode, file: ClusterFile): Promise<Node> {
  const { id, name, sshHost, sshPort, sshUser } = inventory
  const address = { name: `node ${id} (${name})`, host: sshHost, port: sshPort, user: sshUser }
  const host: Host = await connect(address, credentials(file), await keysOf(inventory, file))
  return { inventory, host }
}

function credentials({ ssh }: ClusterFile): Credentials {
  const agentSocket = process.env['SSH_AUTH_SOCK']
  return {
    ...(ssh.identityFile === undefined ? {} : { identityFile: ssh.identityFile }),
    ...(agentSocket === undefined ? {} : { agentSocket }),
  }
}

/** The inventory's keys; where it has none, those of known_hosts. */
async function keysOf(
  { hostKeys, sshHost, sshPort }: InventoryNode,
  { ssh }: ClusterFile,
): Promise<KnownKeys> {
  if (hostKeys.length > 0) return { accepted: hostKeys, revoked: [] }
  const text = await readFile(ssh.knownHosts, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return ''
    throw new ProvisionError(`${ssh.knownHosts} cannot be read: ${error.message}`)
  })
  return knownKeys(text, sshHost, sshPort)
}

function defaultsFor({ cluster, nodes }: Inventory): ClusterFile {
  const text = stringify({ name: cluster, nodes: nodes.map(({ id, address }) => ({ id, address })) })
  return parseClusterFile(text, path.resolve('cluster.yaml'))
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
