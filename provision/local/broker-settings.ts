/**
 * Each broker's server.properties: written once, then the operator's to edit. What makes the file this broker's own
 * (id, address, folders) is compared at every run, since a wrong value there mixes up brokers.
 */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'

import { formatProperties, parseProperties } from '../../broker/config/properties-file.ts'
import { ProvisionError } from '../provision-error.ts'
import type { LocalBroker, LocalCluster } from './local-cluster.ts'

/** What must be as it is for the cluster to hold together. */
export function ownSettings(cluster: LocalCluster, broker: LocalBroker): Map<string, string> {
  const address = `PLAINTEXT://127.0.0.1:${broker.port}`
  return new Map([
    ['node.id', String(broker.id)],
    ['listeners', address],
    ['advertised.listeners', address],
    ['log.dirs', cluster.files(broker).logs],
    ['quorum.connect', `embedded:${cluster.metadataFile}`],
  ])
}

/** Safe values for three brokers; a group forms at once, as there is nobody to wait for on one machine. */
const CLUSTER_SETTINGS: ReadonlyMap<string, string> = new Map([
  ['delete.topic.enable', 'true'],
  ['num.partitions', '3'],
  ['default.replication.factor', '3'],
  ['min.insync.replicas', '2'],
  ['offsets.topic.replication.factor', '3'],
  ['group.initial.rebalance.delay.ms', '0'],
])

/**
 * Writes the file where it is missing. Returns whether it did; throws ProvisionError when a file that is there says
 * something else about whose it is.
 */
export async function ensureSettings(cluster: LocalCluster, broker: LocalBroker): Promise<boolean> {
  const files = cluster.files(broker)
  const own = ownSettings(cluster, broker)
  const existing = await readSettings(files.properties)
  if (existing !== undefined) {
    assertOwn(files.properties, own, existing)
    return false
  }
  await mkdir(files.folder, { recursive: true })
  const header =
    `# Broker ${broker.id} of the local cluster. Written once; edit it and restart the broker:\n` +
    `# npm run provision -- stop, then npm run provision. The first ${own.size} lines must stay as they are.\n`
  await writeFile(`${files.properties}.new`, header + formatProperties([...own, ...CLUSTER_SETTINGS]))
  await rename(`${files.properties}.new`, files.properties)
  return true
}

/** Looks only: throws ProvisionError when an existing file is not this broker's. */
export async function checkSettings(cluster: LocalCluster, broker: LocalBroker): Promise<void> {
  const { properties } = cluster.files(broker)
  const existing = await readSettings(properties)
  if (existing !== undefined) assertOwn(properties, ownSettings(cluster, broker), existing)
}

async function readSettings(file: string): Promise<ReadonlyMap<string, string> | undefined> {
  try {
    return parseProperties(await readFile(file, 'utf8'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new ProvisionError(`cannot read ${file}: ${(error as Error).message}`)
  }
}

function assertOwn(file: string, own: ReadonlyMap<string, string>, found: ReadonlyMap<string, string>): void {
  const wrong = [...own].filter(([key, value]) => found.get(key) !== value)
  if (wrong.length === 0) return
  const differences = wrong.map(
    ([key, value]) => `  ${key}=${found.get(key) ?? '(missing)'}, should be ${value}`,
  )
  throw new ProvisionError(
    `${file} does not fit this cluster:\n${differences.join('\n')}\n` +
      'Put these lines right, or delete the file to have it written anew. Nothing was started.',
  )
}
