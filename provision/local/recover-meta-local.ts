/**
 * `recover-meta --node N` on this machine: a broker that does not start because its meta.properties names another
 * cluster than the metadata. The same judgement as for hosts (runbooks/meta-verdict.ts): compares first, repairs only
 * where the file is what is wrong, keeps what was there, and proves the broker after it.
 */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { copyFile, readFile, rename, writeFile } from 'node:fs/promises'
import path from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'

import { ClusterMetadata } from '../../broker/metadata/cluster-metadata.ts'
import type { MetadataImage } from '../../broker/metadata/image.ts'
import { openStore } from '../../broker/metadata/open-store.ts'
import { systemClock } from '../../broker/runtime/clock.ts'
import { silentLogger } from '../../broker/runtime/logger.ts'
import { META_PROPERTIES } from '../../broker/storage/meta-properties.ts'
import type { LogDirectories } from '../on-host/log-directories.ts'
import { ProvisionError } from '../provision-error.ts'
import { evidenceOf } from '../runbooks/evidence.ts'
import { judge, refusal } from '../runbooks/meta-verdict.ts'
import type { Verdict } from '../runbooks/meta-verdict.ts'
import { runningBroker } from './broker-process.ts'
import { withFolderLock } from './folder-lock.ts'
import { readLocalCluster } from './local-cluster.ts'
import type { LocalBroker, LocalCluster } from './local-cluster.ts'
import { provisionLocal } from './provision-local.ts'
import type { ProvisionLocalOptions } from './provision-local.ts'

const LOG_DIRECTORIES_PROGRAM = path.join(import.meta.dirname, '../on-host/log-directories.ts')
const OPEN_TIMEOUT_MS = 5000

export interface RecoverMetaLocalResult {
  readonly node: number
  readonly verdict: Verdict
  /** meta.properties as they were. */
  readonly backups: readonly string[]
  readonly bootstrap: readonly string[]
}

/** Throws ProvisionError when nothing may be changed, or when the broker does not come back. */
export async function recoverMetaLocal(
  options: ProvisionLocalOptions,
  id: number,
): Promise<RecoverMetaLocalResult> {
  const repaired = await withFolderLock(options.folder, async () => {
    const { cluster, broker } = await findBroker(options.folder, id)
    const verdict = await options.progress.step('compare', async (result) => {
      const found = judge(await gather(cluster, broker))
      result(found.because)
      return found
    })
    if (verdict.action === 'refuse') throw new ProvisionError(refusal(id, verdict))
    const directories = verdict.action === 'repair' ? verdict.directories : []
    const backups = await Promise.all(directories.map(commentClusterIdOut))
    for (const backup of backups)
      options.progress.line(`  cluster.id commented out; the file as it was: ${backup}`)
    return { verdict, backups }
  })
  const { bootstrap } = await provisionLocal(options)
  return { node: id, ...repaired, bootstrap }
}

async function findBroker(
  folder: string,
  id: number,
): Promise<{ cluster: LocalCluster; broker: LocalBroker }> {
  const cluster = await readLocalCluster(folder)
  if (cluster === undefined) throw new ProvisionError(`there is no cluster in ${path.resolve(folder)}`)
  const broker = cluster.brokers.find((candidate) => candidate.id === id)
  if (broker === undefined) {
    const ids = cluster.brokers.map((candidate) => candidate.id).join(', ')
    throw new ProvisionError(`there is no broker ${id}; the brokers of this cluster are ${ids}`)
  }
  const running = await runningBroker(cluster.files(broker))
  if (running === undefined) return { cluster, broker }
  throw new ProvisionError(
    `broker ${id} runs (pid ${running.pid}), so its meta.properties is not what is wrong`,
  )
}

async function gather(cluster: LocalCluster, broker: LocalBroker): Promise<Parameters<typeof judge>[0]> {
  const others = new Map<number, LogDirectories>()
  for (const peer of cluster.brokers.filter(({ id }) => id !== broker.id)) {
    others.set(peer.id, await readLogDirectories(cluster, peer))
  }
  const own = await readLogDirectories(cluster, broker)
  return evidenceOf(broker.id, own, others, { members: [], image: await readImage(cluster) })
}

async function readLogDirectories(cluster: LocalCluster, broker: LocalBroker): Promise<LogDirectories> {
  const { properties } = cluster.files(broker)
  if (!existsSync(properties)) return { nodeId: undefined, quorumConnect: undefined, directories: [] }
  const { stdout } = await promisify(execFile)(process.execPath, [LOG_DIRECTORIES_PROGRAM, properties])
  return JSON.parse(stdout) as LogDirectories
}

/** The metadata as they are on disk. Opening a file that is not there would make it, so it is not opened. */
async function readImage(cluster: LocalCluster): Promise<MetadataImage | undefined> {
  if (!existsSync(cluster.metadataFile)) return undefined
  const store = openStore(`embedded:${cluster.metadataFile}`, { clock: systemClock, logger: silentLogger })
  const metadata = new ClusterMetadata({ store, clock: systemClock, logger: silentLogger })
  try {
    await metadata.open(OPEN_TIMEOUT_MS)
    return metadata.image
  } finally {
    await metadata.close()
  }
}

/** Returns the path of the file as it was. */
async function commentClusterIdOut(directory: string): Promise<string> {
  const file = path.join(directory, META_PROPERTIES)
  const backup = `${file}.${new Date(systemClock.now()).toISOString().replaceAll(/[:.]/g, '-')}.bak`
  await copyFile(file, backup)
  const text = await readFile(file, 'utf8')
  await writeFile(`${file}.new`, text.replaceAll(/^[ \t]*cluster\.id[ \t]*[=:].*$/gm, '#$&'))
  await rename(`${file}.new`, file)
  return backup
}
