/** Ends the local cluster's brokers (the data stays), and deletes the cluster with its data. */
import { readdir, rm, rmdir } from 'node:fs/promises'
import path from 'node:path'

import type { Progress } from '../progress.ts'
import { ProvisionError } from '../provision-error.ts'
import { runningBroker, stopBroker } from './broker-process.ts'
import { withFolderLock } from './folder-lock.ts'
import { readLocalCluster } from './local-cluster.ts'
import type { LocalCluster } from './local-cluster.ts'

/** A broker promises to be gone within 10 s of SIGTERM. */
const STOP_TIMEOUT_MS = 15_000

export interface StopLocalOptions {
  readonly folder: string
  readonly progress: Progress
}

export interface StopLocalResult {
  readonly folder: string
  /** The brokers that this run ended. */
  readonly stopped: readonly number[]
}

/** SIGTERM to one broker after another, so that each can hand over what it leads. Nothing to do is no error. */
export async function stopLocal(options: StopLocalOptions): Promise<StopLocalResult> {
  return withFolderLock(options.folder, async () => {
    const cluster = await readLocalCluster(options.folder)
    if (cluster === undefined) return { folder: path.resolve(options.folder), stopped: [] }
    return { folder: cluster.folder, stopped: await stopAll(cluster, options.progress) }
  })
}

async function stopAll(cluster: LocalCluster, progress: Progress): Promise<number[]> {
  const stopped: number[] = []
  for (const broker of cluster.brokers) {
    const files = cluster.files(broker)
    const running = await runningBroker(files)
    if (running === undefined) continue
    await progress.step(`broker ${broker.id}`, async (result) => {
      const ended = await stopBroker(files, running, STOP_TIMEOUT_MS)
      result(
        ended === 'stopped'
          ? 'stopped'
          : `killed, as it did not stop within ${STOP_TIMEOUT_MS / 1000} s: see ${files.output}`,
      )
    })
    stopped.push(broker.id)
  }
  return stopped
}

export interface DestroyLocalResult extends StopLocalResult {
  readonly deleted: boolean
  /** What was in the folder and is not ours; it is still there. */
  readonly left: readonly string[]
}

/** `confirm` is asked before anything is touched; when it says no, nothing is. */
export async function destroyLocal(
  options: StopLocalOptions & { readonly confirm: (cluster: LocalCluster) => Promise<boolean> },
): Promise<DestroyLocalResult> {
  return withFolderLock(options.folder, async () => {
    const cluster = await readLocalCluster(options.folder)
    if (cluster === undefined) {
      return { folder: path.resolve(options.folder), stopped: [], deleted: false, left: [] }
    }
    if (!(await options.confirm(cluster))) throw new ProvisionError('nothing was touched')
    const stopped = await stopAll(cluster, options.progress)
    const left = await options.progress.step('delete', async (result) => {
      const foreign = await deleteOwn(cluster)
      result(
        foreign.length === 0 ? cluster.folder : `${cluster.folder}, except ${foreign.join(', ')}: not ours`,
      )
      return foreign
    })
    return { folder: cluster.folder, stopped, deleted: true, left }
  })
}

/** Deletes what a cluster consists of, the marker last, so that an interrupted run can be repeated. Returns the rest. */
async function deleteOwn(cluster: LocalCluster): Promise<string[]> {
  const brokerFolders = cluster.brokers.map((broker) => path.basename(cluster.files(broker).folder))
  const metadata = path.basename(cluster.metadataFile)
  const marker = path.basename(cluster.markerFile)
  const isOwn = (name: string): boolean => brokerFolders.includes(name) || name.startsWith(metadata)
  const entries = await readdir(cluster.folder)
  for (const name of entries.filter(isOwn)) {
    await rm(path.join(cluster.folder, name), { recursive: true, force: true })
  }
  await rm(cluster.markerFile, { force: true })
  const left = entries.filter((name) => !isOwn(name) && name !== marker)
  if (left.length === 0) await rmdir(cluster.folder)
  return left
}
