/**
 * A three-broker cluster on this machine. Looks first and does only what is missing: settings files, brokers that do
 * not run. What was started is proved by a record through every broker, or stopped again.
 */
import { createConnection } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

import { explain } from '../../tools/client-errors.ts'
import { probeCluster } from '../../tools/cluster-probe.ts'
import { readClusterState } from '../../tools/cluster-state.ts'
import type { Progress } from '../progress.ts'
import { ProvisionError } from '../provision-error.ts'
import { boundOutput, lastWords, runningBroker, startBroker, stopBroker } from './broker-process.ts'
import type { StartedBroker } from './broker-process.ts'
import { checkSettings, ensureSettings } from './broker-settings.ts'
import { withFolderLock } from './folder-lock.ts'
import { CLUSTER_NAME, LocalCluster, readLocalCluster } from './local-cluster.ts'
import type { LocalBroker } from './local-cluster.ts'
import { preflight } from './preflight.ts'
import { isRunning } from './process-identity.ts'

export const DEFAULT_PORT = 9092
export const DEFAULT_FOLDER = '.brokerkit/local'

const START_TIMEOUT_MS = 20_000
const PROBE_TIMEOUT_MS = 30_000
const STATE_TIMEOUT_MS = 3000
const SYNC_TIMEOUT_MS = 15_000
const UNDO_TIMEOUT_MS = 5000
const POLL_MS = 20
const SYNC_POLL_MS = 100

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
      changes.push(...(await startAndProve(cluster, stopped, options)))
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
  const written: number[] = []
  for (const broker of cluster.brokers) {
    if (await writing(cluster, () => ensureSettings(cluster, broker))) written.push(broker.id)
    boundOutput(cluster.files(broker))
  }
  result(
    written.length === 0
      ? 'as they were'
      : `wrote server.properties of ${brokerNames(written)} in ${cluster.folder}`,
  )
  return written.length === 0 ? [] : [`wrote server.properties of ${brokerNames(written)}`]
}

/** A full or read-only disk is the operator's to mend, and is said without a stack. */
async function writing<T>(cluster: LocalCluster, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof ProvisionError || (error as NodeJS.ErrnoException).code === undefined) throw error
    throw new ProvisionError(`cannot write into ${cluster.folder}: ${(error as Error).message}`)
  }
}

async function startAndProve(
  cluster: LocalCluster,
  brokers: readonly LocalBroker[],
  options: ProvisionLocalOptions,
): Promise<string[]> {
  const started = new Map<LocalBroker, StartedBroker>()
  try {
    await options.progress.step('start', async (result) => {
      for (const broker of brokers) {
        options.cancel.throwIfAborted()
        started.set(broker, await writing(cluster, () => startBroker(cluster.files(broker))))
      }
      await Promise.all(
        brokers.map((broker) => waitUntilListening(cluster, broker, started.get(broker)!, options.cancel)),
      )
      const pidList = [...started.values()].map(({ process }) => process.pid)
      result(
        `${brokerNames(brokers.map(({ id }) => id))} (${pidList.length === 1 ? 'pid' : 'pids'} ${pidList.join(', ')})`,
      )
    })
    await options.progress.step('records', (result) => prove(cluster, started, options, result))
    await options.progress.step('replicas', (result) => waitUntilInSync(cluster, options.cancel, result))
  } catch (error) {
    await undo(cluster, started)
    options.cancel.throwIfAborted()
    throw error
  }
  return [`started ${brokerNames(brokers.map(({ id }) => id))}`]
}

async function waitUntilListening(
  cluster: LocalCluster,
  broker: LocalBroker,
  started: StartedBroker,
  cancel: AbortSignal,
): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MS
  while (!(await accepts(broker.port))) {
    await assertAlive(cluster, broker, started)
    if (performance.now() > deadline) {
      throw new ProvisionError(
        `broker ${broker.id} does not listen on port ${broker.port} after ${START_TIMEOUT_MS / 1000} s: ` +
          `see ${cluster.files(broker).output}`,
      )
    }
    await sleep(POLL_MS, undefined, { signal: cancel })
  }
  await assertAlive(cluster, broker, started)
}

async function assertAlive(
  cluster: LocalCluster,
  broker: LocalBroker,
  started: StartedBroker,
): Promise<void> {
  if (isRunning(started.process)) return
  const files = cluster.files(broker)
  const words = (await lastWords(files, started.outputStart)).replaceAll(/^/gm, '  ')
  throw new ProvisionError(`broker ${broker.id} did not start:\n${words}\nIts output is in ${files.output}`)
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host: '127.0.0.1' })
    socket.setTimeout(1000, () => socket.destroy())
    socket.once('connect', () => {
      resolve(true)
      socket.destroy()
    })
    socket.on('error', () => {})
    socket.once('close', () => resolve(false))
  })
}

async function prove(
  cluster: LocalCluster,
  started: ReadonlyMap<LocalBroker, StartedBroker>,
  options: ProvisionLocalOptions,
  result: (text: string) => void,
): Promise<void> {
  try {
    const probe = await probeCluster({
      bootstrap: cluster.bootstrap,
      expectedBrokers: cluster.brokers.length,
      timeoutMs: PROBE_TIMEOUT_MS,
      cancel: options.cancel,
    })
    result(
      `written and read through ${brokerNames(probe.brokers.map(({ id }) => id))} ` +
        `(a topic of replication factor ${probe.replicationFactor})`,
    )
  } catch (error) {
    for (const [broker, { process, outputStart }] of started) {
      await assertAlive(cluster, broker, { process, outputStart })
    }
    options.cancel.throwIfAborted()
    throw new ProvisionError(
      `the brokers run, but ${explain(error)}. Their output is in ${cluster.folder}/broker*/broker.log`,
    )
  }
}

/** A broker that comes back copies what it has missed. How long that takes is a matter of the data, so no failure. */
async function waitUntilInSync(
  cluster: LocalCluster,
  cancel: AbortSignal,
  result: (text: string) => void,
): Promise<void> {
  const deadline = performance.now() + SYNC_TIMEOUT_MS
  for (;;) {
    const { partitions, offline, underReplicated } = await readClusterState(
      cluster.bootstrap,
      STATE_TIMEOUT_MS,
    )
    const behind = new Set([...offline, ...underReplicated]).size
    if (behind === 0) return result(partitions === 0 ? 'none yet' : `${partitions} partitions, all in sync`)
    if (performance.now() > deadline)
      return result(`${behind} of ${partitions} partitions are still catching up`)
    await sleep(SYNC_POLL_MS, undefined, { signal: cancel })
  }
}

async function undo(cluster: LocalCluster, started: ReadonlyMap<LocalBroker, StartedBroker>): Promise<void> {
  await Promise.all(
    [...started].map(([broker, { process }]) => stopBroker(cluster.files(broker), process, UNDO_TIMEOUT_MS)),
  )
}

/** Reads only: with nothing changed there is nothing to prove, and no record is written. */
async function checkHealth(cluster: LocalCluster, result: (text: string) => void): Promise<void> {
  const state = await readClusterState(cluster.bootstrap, STATE_TIMEOUT_MS).catch((error: unknown) => {
    throw new ProvisionError(`the brokers run, but do not serve: ${explain(error)}`)
  })
  const absent = cluster.brokers.filter(({ id }) => !state.brokers.some((broker) => broker.id === id))
  if (absent.length > 0) {
    throw new ProvisionError(
      `${brokerNames(absent.map(({ id }) => id))} runs, but is not part of the cluster: ` +
        absent.map((broker) => `see ${cluster.files(broker).output}`).join(', '),
    )
  }
  result(
    `${state.brokers.length} brokers serve ${state.partitions} partitions, ${state.underReplicated.length} behind`,
  )
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

function brokerNames(ids: readonly number[]): string {
  return `${ids.length === 1 ? 'broker' : 'brokers'} ${ids.join(', ')}`
}
