/**
 * A three-broker cluster on this machine. Looks first and does only what is missing: settings files, brokers that do
 * not run. What was started is proved by a record through every broker, or stopped again.
 */
import type { Progress } from '../progress.ts'
import { ProvisionError } from '../provision-error.ts'
import { bringUp } from './bring-up.ts'
import { boundOutput, runningBroker } from './broker-process.ts'
import { checkSettings, ensureSettings } from './broker-settings.ts'
import { withFolderLock } from './folder-lock.ts'
import { checkHealth } from './health.ts'
import { CLUSTER_NAME, LocalCluster, brokerNames, readLocalCluster, writing } from './local-cluster.ts'
import type { LocalBroker } from './local-cluster.ts'
import { preflight } from './preflight.ts'

export const DEFAULT_PORT = 9092
export const DEFAULT_FOLDER = '.brokerkit/local'

export interface ProvisionLocalOptions {
  readonly folder: string
  /** Of the first broker; the others take the next ones. Default: what the cluster has, or 9092. */
  readonly port?: number
  readonly progress: Progress
  /** Aborted when the operator interrupts: what was started is stopped. */
  readonly cancel: AbortSignal
}

export interface ProvisionLocalResult {
  readonly cluster: string
  readonly folder: string
  readonly bootstrap: readonly string[]
  /** What this run did, in words; empty when nothing had to be done. */
  readonly changes: readonly string[]
  readonly brokers: readonly { readonly id: number; readonly port: number; readonly pid: number }[]
}

/** Throws ProvisionError with what is wrong; then nothing runs that did not run before. */
export async function provisionLocal(options: ProvisionLocalOptions): Promise<ProvisionLocalResult> {
  return withFolderLock(options.folder, async () => {
    const existing = await readLocalCluster(options.folder)
    const cluster = existing ?? LocalCluster.planned(options.folder, options.port ?? DEFAULT_PORT)
    assertPort(cluster, options.port)
    const stopped = await options.progress.step('preflight', (result) => look(cluster, result))
    const changes = existing === undefined ? [`made ${cluster.folder}`] : []
    if (existing === undefined) await writing(cluster, () => cluster.create())
    changes.push(...(await options.progress.step('settings', (result) => settle(cluster, result))))
    if (stopped.length > 0) {
      await bringUp(cluster, stopped, options)
      changes.push(`started ${brokerNames(stopped)}`)
    } else {
      await options.progress.step('health', (result) => checkHealth(cluster, result))
    }
    return {
      cluster: CLUSTER_NAME,
      folder: cluster.folder,
      bootstrap: cluster.bootstrap,
      changes,
      brokers: await pids(cluster),
    }
  })
}

function assertPort(cluster: LocalCluster, port: number | undefined): void {
  const first = cluster.brokers[0]!.port
  if (port === undefined || port === first) return
  throw new ProvisionError(
    `the cluster in ${cluster.folder} has its first broker on port ${first}, not ${port}: leave --port out, ` +
      'or make another cluster with --folder, or destroy this one first',
  )
}

/** Returns the brokers that do not run. */
async function look(cluster: LocalCluster, result: (text: string) => void): Promise<LocalBroker[]> {
  const stopped: LocalBroker[] = []
  for (const broker of cluster.brokers) {
    await checkSettings(cluster, broker)
    if ((await runningBroker(cluster.files(broker))) === undefined) stopped.push(broker)
  }
  const { freeBytes, maxOpenFiles } = await preflight(cluster, stopped)
  const ports =
    stopped.length === 0 ? 'all brokers run' : `ports ${stopped.map(({ port }) => port).join(', ')} free`
  const files = Number.isFinite(maxOpenFiles) ? `${maxOpenFiles} open files` : 'no limit on open files'
  result(`${ports}, ${Math.floor(freeBytes / 1024 ** 3)} GiB of disk, ${files}`)
  return stopped
}

async function settle(cluster: LocalCluster, result: (text: string) => void): Promise<string[]> {
  const written: LocalBroker[] = []
  for (const broker of cluster.brokers) {
    if (await writing(cluster, () => ensureSettings(cluster, broker))) written.push(broker)
    boundOutput(cluster.files(broker))
  }
  result(
    written.length === 0
      ? 'as they were'
      : `wrote server.properties of ${brokerNames(written)} in ${cluster.folder}`,
  )
  return written.length === 0 ? [] : [`wrote server.properties of ${brokerNames(written)}`]
}

async function pids(cluster: LocalCluster): Promise<{ id: number; port: number; pid: number }[]> {
  return Promise.all(
    cluster.brokers.map(async ({ id, port }) => {
      const running = await runningBroker(cluster.files({ id, port }))
      if (running === undefined)
        throw new ProvisionError(`broker ${id} has ended: see ${cluster.files({ id, port }).output}`)
      return { id, port, pid: running.pid }
    }),
  )
}
