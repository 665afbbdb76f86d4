/** Which machines a command is for: the hosts that a file names, or this one. */
import { existsSync } from 'node:fs'
import path from 'node:path'

import { readClusterFile } from './cluster-file.ts'
import type { HostsTarget } from './fleet.ts'
import { inventoryOf, readInventory } from './inventory.ts'

export const CLUSTER_FILE = 'cluster.yaml'

export interface TargetOptions {
  readonly inventory?: string
  readonly cluster?: string
  readonly local?: true
  readonly folder?: string
  readonly port?: number
}

/** The options contradict one another. */
export class UsageError extends Error {
  override name = 'UsageError'
}

/** Undefined: this machine. `cwd` is where `cluster.yaml` is looked for. Throws UsageError, or what a file's reader throws. */
export async function resolveTarget(options: TargetOptions, cwd: string): Promise<HostsTarget | undefined> {
  assertConsistent(options)
  if (options.local === true) return undefined
  if (options.inventory !== undefined) return fromInventory(options.inventory, options.cluster)
  const implied = path.join(cwd, CLUSTER_FILE)
  const file = options.cluster ?? (existsSync(implied) ? implied : undefined)
  if (file === undefined) return undefined
  assertNoLocalOptions(options, file)
  const clusterFile = await readClusterFile(file)
  return { inventory: await inventoryOf(clusterFile), clusterFile }
}

/** The description of the cluster: the one named, or the one beside the inventory. */
async function fromInventory(inventoryFile: string, clusterOption: string | undefined): Promise<HostsTarget> {
  const beside = path.join(path.dirname(inventoryFile), CLUSTER_FILE)
  const file = clusterOption ?? (existsSync(beside) ? beside : undefined)
  const inventory = await readInventory(inventoryFile)
  return file === undefined ? { inventory } : { inventory, clusterFile: await readClusterFile(file) }
}

function assertConsistent(options: TargetOptions): void {
  const hosts = options.inventory === undefined ? options.cluster : options.inventory
  if (hosts === undefined) return
  if (options.local === true)
    throw new UsageError(`--local means this machine, and ${hosts} names hosts: choose one`)
  assertNoLocalOptions(options, hosts)
}

function assertNoLocalOptions(options: TargetOptions, file: string): void {
  if (options.folder === undefined && options.port === undefined) return
  throw new UsageError(
    `--folder and --port are for a cluster on this machine, and ${path.basename(file)} names hosts: add --local, or leave them out`,
  )
}
