/**
 * The services of a cluster: started where they do not run, restarted where they run something else than planned,
 * and waited for. Restarts go node by node, each only once the cluster is whole without it needing another.
 */
import type { Clock } from '../../broker/runtime/clock.ts'
import { brokerProblems, quorumProblems, viewCluster, type ClusterView } from '../cluster-view.ts'
import { lookAt, parseLook } from '../commands/files.ts'
import * as commands from '../commands/units.ts'
import type { UnitState } from '../commands/units.ts'
import {
  BROKER_UNIT,
  OUTPUT_FILES,
  QUORUM_FOLDER,
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
/** A stop may take the units' TimeoutStopSec. */
const RESTART_TIMEOUT_MS = 120_000

/** What was done to a unit of a node. */
export interface Deed {
  readonly node: number
  readonly unit: Unit
  readonly what: 'started' | 'restarted'
}

/**
 * Starts a unit on every host where it does not run, and restarts it where it runs something else than planned and
 * does not serve anyhow. All at once: a quorum needs a majority to come up.
 */
export async function startWhereDown(
  hosts: readonly PlannedHost[],
  unit: Unit,
  serves: (view: ClusterView, node: number) => boolean,
): Promise<Deed[]> {
  const view = await viewCluster(hosts[0]!, nodesOf(hosts))
  const deeds = await Promise.all(
    hosts.map(async (node): Promise<Deed[]> => {
      const { id } = node.inventory
      const { active, digest } = await unitState(node, unit)
      const runs = active === 'active'
      if (runs && (digest === node.plan.digests[unit] || serves(view, id))) return []
      await node.host.run(commands.restartUnit(unit), { timeoutMs: RESTART_TIMEOUT_MS })
      return [{ node: id, unit, what: runs ? 'restarted' : 'started' }]
    }),
  )
  return deeds.flat()
}

/**
 * A member that has voted and lost its data must not come back empty: it could vote again, for something else, and
 * undo what a majority has decided. Brokers start when all members are there, so with a cluster id all have been.
 */
export async function refuseLostMembers(hosts: readonly PlannedHost[]): Promise<void> {
  const { image } = await viewCluster(hosts[0]!, nodesOf(hosts))
  if (image?.clusterId === undefined) return
  for (const { host } of hosts) {
    const { stdout } = await host.run(lookAt(`${QUORUM_FOLDER}/member`))
    if (parseLook(stdout) !== undefined) continue
    throw new ProvisionError(
      `${host.name}: the data of its quorum member (${QUORUM_FOLDER}) are gone, and the other members go on without it. ` +
        `It must not start empty under its old name. Put the folder back, from its disk or a copy of it.`,
    )
  }
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

export async function restart({ host }: Node, unit: Unit): Promise<void> {
  await host.run(commands.restartUnit(unit), { timeoutMs: RESTART_TIMEOUT_MS })
}

/** Waits until every member of the quorum is healthy. */
export function awaitQuorum(hosts: readonly PlannedHost[], clock: Clock): Promise<ClusterView> {
  return awaitWhole(hosts, QUORUM_UNIT, quorumProblems, clock)
}

/** Waits until every broker is registered and every replica in sync. */
export function awaitBrokers(hosts: readonly PlannedHost[], clock: Clock): Promise<ClusterView> {
  return awaitWhole(hosts, BROKER_UNIT, (view) => brokerProblems(view, nodesOf(hosts)), clock)
}

async function awaitWhole(
  hosts: readonly PlannedHost[],
  unit: Unit,
  problemsOf: (view: ClusterView) => string[],
  clock: Clock,
): Promise<ClusterView> {
  const nodes = nodesOf(hosts)
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

function nodesOf(hosts: readonly PlannedHost[]): PlannedNode[] {
  return hosts.map(({ plan }) => plan.node)
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
