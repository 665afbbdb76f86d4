/** What of a cluster on hosts runs, and whether it is whole. Changes nothing and takes no lock. */
import { brokerProblems, quorumProblems, viewCluster, type ClusterView } from './cluster-view.ts'
import { connectWherePossible, disconnect, type HostsTarget } from './fleet.ts'
import { BROKER_UNIT, QUORUM_UNIT, type PlannedNode, type Unit } from './plan.ts'
import { bootstrapOf } from './remote.ts'
import type { Node } from './steps/step.ts'
import { unitState } from './steps/units.ts'

export interface HostsStatus {
  readonly cluster: string
  readonly healthy: boolean
  readonly clusterId: string | null
  readonly bootstrap: readonly string[]
  readonly nodes: readonly NodeStatus[]
  /** What is wrong, in words. */
  readonly problems: readonly string[]
}

export interface NodeStatus {
  readonly id: number
  readonly name: string
  readonly address: string
  /** systemd's words: active, failed, inactive, …; "unreachable" where the host is. */
  readonly quorum: string
  readonly broker: string
  /** Whether the quorum counts the broker in. */
  readonly registered: boolean
}

export async function hostsStatus(target: HostsTarget): Promise<HostsStatus> {
  const { inventory } = target
  const { reached, failures } = await connectWherePossible(target)
  try {
    const view = await firstView(reached, inventory.nodes)
    const nodes = await Promise.all(inventory.nodes.map((node) => nodeStatus(node, reached, view)))
    const units = nodes.flatMap(({ id, quorum, broker }) => [
      ...(quorum === 'active' || quorum === 'unreachable'
        ? []
        : [`${QUORUM_UNIT} on node ${id} is ${quorum}`]),
      ...(broker === 'active' || broker === 'unreachable'
        ? []
        : [`${BROKER_UNIT} on node ${id} is ${broker}`]),
    ])
    const whole =
      view === undefined
        ? ['no host can say how the quorum is: has the cluster been provisioned?']
        : [...quorumProblems(view), ...brokerProblems(view, inventory.nodes)]
    const problems = [...failures, ...units, ...whole]
    return {
      cluster: inventory.cluster,
      healthy: problems.length === 0,
      clusterId: view?.image?.clusterId ?? null,
      bootstrap: bootstrapOf(inventory),
      nodes,
      problems,
    }
  } finally {
    disconnect(reached)
  }
}

async function nodeStatus(
  { id, name, address }: HostsTarget['inventory']['nodes'][number],
  reached: readonly Node[],
  view: ClusterView | undefined,
): Promise<NodeStatus> {
  const node = reached.find(({ inventory }) => inventory.id === id)
  const state = async (unit: Unit): Promise<string> =>
    node === undefined ? 'unreachable' : (await unitState(node, unit)).active
  const [quorum, broker] = await Promise.all([state(QUORUM_UNIT), state(BROKER_UNIT)])
  return { id, name, address, quorum, broker, registered: view?.image?.brokers.has(id) === true }
}

/** From the first host that has a release to ask with. */
async function firstView(
  reached: readonly Node[],
  nodes: readonly PlannedNode[],
): Promise<ClusterView | undefined> {
  for (const node of reached) {
    const view = await viewCluster(node, nodes).catch(() => undefined)
    if (view?.image !== undefined) return view
  }
  return undefined
}
