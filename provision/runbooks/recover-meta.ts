/**
 * `recover-meta --node N`: the broker that does not start because its meta.properties names another cluster than the
 * quorum. Compares first; repairs only where the file is what is wrong; never deletes anything; verifies.
 * For people: docs/runbooks/meta-properties.md.
 */
import { systemClock } from '../../broker/runtime/clock.ts'
import { brokerProblems, viewCluster } from '../cluster-view.ts'
import { commentClusterIdOut } from '../commands/meta-properties.ts'
import { connectWherePossible, disconnect, whileLocked, type HostsTarget } from '../fleet.ts'
import type { LogDirectories } from '../on-host/log-directories.ts'
import { BROKER_UNIT } from '../plan.ts'
import type { Progress } from '../progress.ts'
import { ProvisionError } from '../provision-error.ts'
import { restart } from '../steps/services.ts'
import type { Node } from '../steps/step.ts'
import { unitState } from '../steps/units.ts'
import { evidenceOf, readLogDirectories } from './evidence.ts'
import { judge, refusal, type Verdict } from './meta-verdict.ts'

export interface RecoverMetaResult {
  readonly node: number
  readonly verdict: Verdict
  /** meta.properties as they were. */
  readonly backups: readonly string[]
  readonly restarted: boolean
}

const RECOVERY_TIMEOUT_MS = 120_000
const POLL_MS = 500

/** Throws ProvisionError when nothing may be changed, or when the broker does not come back. */
export async function recoverMeta(
  target: HostsTarget,
  id: number,
  { progress }: { readonly progress: Progress },
): Promise<RecoverMetaResult> {
  const { reached, failures } = await progress.step('connect', () => connectWherePossible(target))
  try {
    const node = reached.find(({ inventory }) => inventory.id === id)
    if (node === undefined) throw new ProvisionError(unreachable(id, target, failures))
    return await whileLocked([node], 'recover-meta', () => recover(node, reached, target, progress))
  } finally {
    disconnect(reached)
  }
}

async function recover(
  node: Node,
  reached: readonly Node[],
  target: HostsTarget,
  progress: Progress,
): Promise<RecoverMetaResult> {
  const { id } = node.inventory
  const verdict = await progress.step('compare', async (result) => {
    const found = await compare(node, reached, target)
    result(found.because)
    return found
  })
  if (verdict.action === 'refuse') throw new ProvisionError(refusal(id, verdict))
  if (verdict.action === 'none')
    return { node: id, verdict, backups: [], restarted: await startAgain(node, target, progress) }
  const backups = await progress.step('repair', async (result) => {
    const made = await repair(node, verdict.directories)
    result(`cluster.id commented out; the file as it was: ${made.join(', ')}`)
    return made
  })
  await restartAndVerify(node, target, progress)
  return { node: id, verdict, backups, restarted: true }
}

async function compare(node: Node, reached: readonly Node[], target: HostsTarget): Promise<Verdict> {
  const view = await viewCluster(node, target.inventory.nodes)
  const others = new Map<number, LogDirectories>()
  for (const peer of reached.filter((peer) => peer !== node)) {
    // A peer that cannot say is no witness, for or against.
    const directories = await readLogDirectories(peer).catch(() => undefined)
    if (directories !== undefined) others.set(peer.inventory.id, directories)
  }
  return judge(evidenceOf(node.inventory.id, await readLogDirectories(node), others, view))
}

async function repair({ host }: Node, directories: readonly string[]): Promise<string[]> {
  const timestamp = new Date(systemClock.now()).toISOString().replaceAll(/[:.]/g, '-')
  const backups: string[] = []
  for (const directory of directories) {
    backups.push((await host.run(commentClusterIdOut(directory, timestamp))).stdout.trim())
  }
  return backups
}

/** Nothing is wrong with the files. A unit that has given up meanwhile is started; one that runs is left alone. */
async function startAgain(node: Node, target: HostsTarget, progress: Progress): Promise<boolean> {
  const { active } = await unitState(node, BROKER_UNIT)
  if (active === 'active') return false
  await restartAndVerify(node, target, progress)
  return true
}

async function restartAndVerify(node: Node, target: HostsTarget, progress: Progress): Promise<void> {
  await progress.step('restart', () => restart(node, BROKER_UNIT))
  await progress.step('verify', async (result) => {
    await awaitRecovery(node, target)
    result(`${BROKER_UNIT} is active, broker ${node.inventory.id} registered, its replicas in sync`)
  })
}

/** Waits for this node only: what else may be wrong with the cluster is not this runbook's business. */
async function awaitRecovery(node: Node, { inventory }: HostsTarget): Promise<void> {
  const { id } = node.inventory
  const deadline = systemClock.monotonicMs() + RECOVERY_TIMEOUT_MS
  for (;;) {
    const { active } = await unitState(node, BROKER_UNIT)
    const view = await viewCluster(node, inventory.nodes)
    const behind = [...(view.image?.topics.values() ?? [])].flatMap(({ name, partitions }) =>
      partitions
        .filter(({ replicas, isr }) => replicas.includes(id) && !isr.includes(id))
        .map(({ index }) => `${name}-${index}`),
    )
    if (active === 'active' && view.image?.brokers.has(id) === true && behind.length === 0) return
    if (active === 'failed' || systemClock.monotonicMs() > deadline) {
      const problems = [
        `${BROKER_UNIT} is ${active}`,
        ...brokerProblems(view, [node.inventory]),
        ...(behind.length === 0 ? [] : [`not in sync: ${behind.slice(0, 5).join(', ')}`]),
      ]
      throw new ProvisionError(
        `node ${id} has not come back: ${problems.join('; ')}. Its own words: tail /home/kafka/kafka/kafka.log`,
      )
    }
    await systemClock.sleep(POLL_MS)
  }
}

function unreachable(id: number, { inventory }: HostsTarget, failures: readonly string[]): string {
  if (inventory.nodes.every((node) => node.id !== id)) {
    return `there is no node ${id}; the nodes of ${inventory.cluster} are ${inventory.nodes.map((node) => node.id).join(', ')}`
  }
  return failures.join('\n')
}
