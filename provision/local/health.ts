/** Whether the local cluster does its work, as a client sees it. */
import { setTimeout as sleep } from 'node:timers/promises'

import { explain } from '../../tools/client-errors.ts'
import { probeCluster } from '../../tools/cluster-probe.ts'
import { readClusterState } from '../../tools/cluster-state.ts'
import { ProvisionError } from '../provision-error.ts'
import { brokerNames } from './local-cluster.ts'
import type { LocalCluster } from './local-cluster.ts'

const PROBE_TIMEOUT_MS = 30_000
const STATE_TIMEOUT_MS = 3000
const SYNC_TIMEOUT_MS = 15_000
const SYNC_POLL_MS = 100

/** A record through each broker. Throws ProvisionError with what a client met, or the reason of `cancel`. */
export async function prove(
  cluster: LocalCluster,
  cancel: AbortSignal,
  result: (text: string) => void,
): Promise<void> {
  try {
    const probe = await probeCluster({
      bootstrap: cluster.bootstrap,
      expectedBrokers: cluster.brokers.length,
      timeoutMs: PROBE_TIMEOUT_MS,
      cancel,
    })
    result(
      `written and read through ${brokerNames(probe.brokers)} ` +
        `(a topic of replication factor ${probe.replicationFactor})`,
    )
  } catch (error) {
    cancel.throwIfAborted()
    throw new ProvisionError(
      `the brokers run, but ${explain(error)}. Their output is in ${cluster.folder}/broker*/broker.log`,
    )
  }
}

/** A broker that comes back copies what it has missed. How long that takes is a matter of the data, so no failure. */
export async function waitUntilInSync(
  cluster: LocalCluster,
  cancel: AbortSignal,
  result: (text: string) => void,
): Promise<void> {
  const deadline = performance.now() + SYNC_TIMEOUT_MS
  for (;;) {
    const state = await readClusterState(cluster.bootstrap, STATE_TIMEOUT_MS).catch(() => undefined)
    const behind = new Set([...(state?.offline ?? []), ...(state?.underReplicated ?? [])]).size
    if (state?.partitions === 0) return result('none yet')
    if (state !== undefined && behind === 0) return result(`${state.partitions} partitions, all in sync`)
    if (performance.now() > deadline) return result(`${behind} partitions are still catching up`)
    await sleep(SYNC_POLL_MS, undefined, { signal: cancel })
  }
}

/** Reads only: with nothing changed there is nothing to prove, and no record is written. */
export async function checkHealth(cluster: LocalCluster, result: (text: string) => void): Promise<void> {
  const state = await readClusterState(cluster.bootstrap, STATE_TIMEOUT_MS).catch((error: unknown) => {
    throw new ProvisionError(`the brokers run, but do not serve: ${explain(error)}`)
  })
  const absent = cluster.brokers.filter(({ id }) => !state.brokers.some((broker) => broker.id === id))
  if (absent.length > 0) {
    throw new ProvisionError(
      `${brokerNames(absent)} runs, but is not part of the cluster: ` +
        absent.map((broker) => `see ${cluster.files(broker).output}`).join(', '),
    )
  }
  result(
    `${state.brokers.length} brokers serve ${state.partitions} partitions, ${state.underReplicated.length} behind`,
  )
}
