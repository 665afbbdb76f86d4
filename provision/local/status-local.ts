/** What of the local cluster runs and serves. Changes nothing and needs no lock. */
import { explain } from '../../tools/client-errors.ts'
import { readClusterState } from '../../tools/cluster-state.ts'
import type { ClusterState } from '../../tools/cluster-state.ts'
import { formatTable } from '../table.ts'
import { runningBroker } from './broker-process.ts'
import { CLUSTER_NAME, readLocalCluster } from './local-cluster.ts'

const STATE_TIMEOUT_MS = 3000

/** serving: its process runs and the cluster counts it in. running: only the process is there. */
export type BrokerRunState = 'serving' | 'running' | 'stopped'

export interface LocalBrokerStatus {
  readonly id: number
  readonly port: number
  readonly state: BrokerRunState
  readonly pid: number | null
  /** Of the partitions; null when no broker answers. */
  readonly leads: number | null
  readonly replicas: number | null
  readonly inSync: number | null
}

export interface LocalStatus {
  readonly cluster: string
  readonly folder: string
  /** Every broker serves, and every partition has a leader and all its replicas in sync. */
  readonly healthy: boolean
  readonly clusterId: string | null
  readonly bootstrap: readonly string[]
  readonly brokers: readonly LocalBrokerStatus[]
  readonly underReplicated: readonly string[]
  readonly offline: readonly string[]
  /** Why the cluster could not be asked, when brokers run and none answers. */
  readonly problem: string | null
}

/** Undefined where there is no cluster. Throws ProvisionError when the folder's state is spoilt. */
export async function localStatus(folder: string): Promise<LocalStatus | undefined> {
  const cluster = await readLocalCluster(folder)
  if (cluster === undefined) return undefined
  const processes = await Promise.all(
    cluster.brokers.map(async (broker) => ({
      ...broker,
      process: await runningBroker(cluster.files(broker)),
    })),
  )
  const running = processes.filter(({ process }) => process !== undefined)
  let state: ClusterState | undefined
  let problem: string | null = null
  if (running.length > 0) {
    try {
      state = await readClusterState(
        running.map(({ port }) => `127.0.0.1:${port}`),
        STATE_TIMEOUT_MS,
      )
    } catch (error) {
      problem = explain(error)
    }
  }
  const brokers = processes.map(({ id, port, process }): LocalBrokerStatus => {
    const counted = state?.brokers.find((broker) => broker.id === id)
    const { leads = null, replicas = null, inSync = null } = counted ?? {}
    const runState = process === undefined ? 'stopped' : counted === undefined ? 'running' : 'serving'
    return { id, port, state: runState, pid: process?.pid ?? null, leads, replicas, inSync }
  })
  const underReplicated = state?.underReplicated ?? []
  const offline = state?.offline ?? []
  return {
    cluster: CLUSTER_NAME,
    folder: cluster.folder,
    healthy:
      brokers.every((broker) => broker.state === 'serving') && underReplicated.length + offline.length === 0,
    clusterId: state?.clusterId ?? null,
    bootstrap: cluster.bootstrap,
    brokers,
    underReplicated,
    offline,
    problem,
  }
}

/** The status as a table and, below it, what is not well. */
export function formatLocalStatus(status: LocalStatus): string {
  const serving = status.brokers.filter(({ state }) => state === 'serving').length
  const rows = [
    ['broker', 'state', 'port', 'pid', 'leads', 'in sync'],
    ...status.brokers.map(({ id, state, port, pid, leads, replicas, inSync }) => [
      String(id),
      state,
      String(port),
      String(pid ?? '-'),
      String(leads ?? '-'),
      inSync === null ? '-' : `${inSync} of ${replicas}`,
    ]),
  ]
  const lines = [
    `cluster ${status.clusterId ?? '(not answering)'} in ${status.folder}: ${serving} of ${status.brokers.length} brokers serve`,
    '',
    formatTable(rows),
  ]
  const findings = [
    ...describePartitions('without a leader', status.offline),
    ...describePartitions('with a replica behind', status.underReplicated),
    ...(status.problem === null ? [] : [status.problem]),
  ]
  return [...lines, ...(findings.length === 0 ? [] : ['', ...findings])].join('\n')
}

function describePartitions(what: string, names: readonly string[]): string[] {
  if (names.length === 0) return []
  const shown = names.slice(0, 5).join(', ')
  return [`${names.length} partitions ${what}: ${shown}${names.length > 5 ? ', …' : ''}`]
}
