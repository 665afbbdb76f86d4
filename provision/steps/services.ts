/**
 * The services of a cluster: started where they do not run, restarted where they run something else than planned,
 * and waited for. Restarts go node by node, each only once the cluster is whole without it needing another.
 */
import type { Clock } from '../../broker/runtime/clock.ts'
import { brokerProblems, quorumProblems, viewCluster, type ClusterView } from '../cluster-view.ts'
import * as commands from '../commands/units.ts'
import type { UnitState } from '../commands/units.ts'
import {
  BROKER_UNIT,
  OUTPUT_FILES,
  QUORUM_UNIT,
  type NodePlan,
  type PlannedNode,
  type Unit,
} from '../plan.ts'
import { ProvisionError } from '../provision-error.ts'
import { unitState } from './units.ts'
import type { Node } from './step.ts'

export interface PlannedHost extends Node {
  readonly plan: NodePlan
}

const START_TIMEOUT_MS = 90_000
const POLL_MS = 250
/** A stop may take TimeoutStopSec twice: a restart of the quorum takes the broker with it. */
const RESTART_TIMEOUT_MS = 180_000

/** Starts a unit on every host where it does not run, all at once: a quorum needs a majority to come up. */
export async function startWhereStopped(hosts: readonly PlannedHost[], unit: Unit): Promise<number[]> {
  const started = await Promise.all(
    hosts.map(async (node) => {
      const state = await unitState(node, unit)
      if (state.active === 'active') return []
      await node.host.run(commands.startUnit(unit), { timeoutMs: RESTART_TIMEOUT_MS })
      return [node.inventory.id]
    }),
  )
  return started.flat()
}

/** Stops a unit; false where it did not run. */
export async function stopWhereRunning(node: Node, unit: Unit): Promise<boolean> {
  const { active } = await unitState(node, unit)
  if (active === 'inactive' || active === 'failed') return false
  await node.host.run(commands.stopUnit(unit), { timeoutMs: RESTART_TIMEOUT_MS })
  return true
}

/** The units of a host whose process was not started with what is planned, the first to start first. */
export async function staleUnits(node: PlannedHost): Promise<Unit[]> {
  const stale: Unit[] = []
  for (const unit of [QUORUM_UNIT, BROKER_UNIT] as const) {
    const state = await unitState(node, unit)
    if (state.digest !== node.plan.digests[unit]) stale.push(unit)
  }
  return stale
}

/** Restarts what is stale on one host; the quorum's restart is also the broker's, which requires it. */
export async function restartStale(node: PlannedHost, stale: readonly Unit[]): Promise<void> {
  for (const unit of stale) {
    const state = await unitState(node, unit)
    if (state.digest === node.plan.digests[unit]) continue
    await node.host.run(commands.restartUnit(unit), { timeoutMs: RESTART_TIMEOUT_MS })
  }
}

/** Waits until every member of the quorum is healthy. */
export function awaitQuorum(hosts: readonly PlannedHost[], clock: Clock): Promise<ClusterView> {
  return awaitWhole(hosts, QUORUM_UNIT, quorumProblems, clock)
}

/** Waits until every broker is registered and every replica in sync. */
export function awaitBrokers(hosts: readonly PlannedHost[], clock: Clock): Promise<ClusterView> {
  const nodes = hosts.map(({ plan }) => plan.node)
  return awaitWhole(hosts, BROKER_UNIT, (view) => brokerProblems(view, nodes), clock)
}

async function awaitWhole(
  hosts: readonly PlannedHost[],
  unit: Unit,
  problemsOf: (view: ClusterView) => string[],
  clock: Clock,
): Promise<ClusterView> {
  const nodes: PlannedNode[] = hosts.map(({ plan }) => plan.node)
  const deadline = clock.monotonicMs() + START_TIMEOUT_MS
  for (;;) {
    const view = await viewCluster(hosts[0]!, nodes)
    const problems = problemsOf(view)
    if (problems.length === 0) return view
    const states = await Promise.all(hosts.map((node) => unitState(node, unit)))
    const failed = hosts.filter((_, index) => hasGivenUp(states[index]!))
    if (failed.length > 0 || clock.monotonicMs() > deadline) {
      const suspects = failed.length > 0 ? failed : hosts
      throw new ProvisionError([...problems, ...(await lastWords(suspects, unit))].join('\n  '))
    }
    await clock.sleep(POLL_MS)
  }
}

function hasGivenUp({ active }: UnitState): boolean {
  return active === 'failed'
}

async function lastWords(hosts: readonly PlannedHost[], unit: Unit): Promise<string[]> {
  const words = await Promise.all(
    hosts.map(async ({ host }) => {
      const { stdout } = await host.attempt(commands.lastWords(unit, OUTPUT_FILES[unit]))
      return [
        `${host.name}, ${unit}:`,
        ...stdout
          .trim()
          .split('\n')
          .map((line) => `  ${line}`),
      ]
    }),
  )
  return words.flat()
}
