/** A cluster as its quorum sees it, read on one of its nodes; and what is wrong with it, in words. */
import { readFile } from 'node:fs/promises'
import path from 'node:path'

import { ImageFold } from '../broker/metadata/image-fold.ts'
import type { MetadataImage } from '../broker/metadata/image.ts'
import { silentLogger } from '../broker/runtime/logger.ts'
import { runProgram } from './commands/on-host.ts'
import type { QuorumView } from './on-host/quorum-view.ts'
import { HOME, USER, hostAndPort, type PlannedNode } from './plan.ts'
import type { Node } from './steps/step.ts'

export interface ClusterView {
  readonly members: readonly MemberView[]
  /** Undefined when no member of the quorum answers. */
  readonly image: MetadataImage | undefined
}

export interface MemberView {
  readonly node: number
  readonly healthy: boolean
  /** What the member said, or why it could not be asked. */
  readonly detail: string
}

const PROGRAM = path.join(import.meta.dirname, 'on-host/quorum-view.ts')

/** Asks all members, from `node`. The host must have a release. */
export async function viewCluster({ host }: Node, nodes: readonly PlannedNode[]): Promise<ClusterView> {
  const urls = nodes.map(({ address }) => `http://${hostAndPort(address, 2379)}`)
  const { stdout } = await host.run(runProgram(HOME, USER, ...urls), { stdin: await readFile(PROGRAM) })
  return parseView(JSON.parse(stdout) as QuorumView, nodes)
}

/** The members come in the order of the nodes. */
export function parseView({ members, tree }: QuorumView, nodes: readonly PlannedNode[]): ClusterView {
  return {
    members: nodes.map(({ id }, index) => ({
      node: id,
      healthy: members[index]?.healthy === true,
      detail: members[index]?.detail ?? 'was not asked',
    })),
    image: tree === undefined ? undefined : imageOf(tree),
  }
}

/** What keeps the quorum from being whole. */
export function quorumProblems({ members }: ClusterView): string[] {
  return members
    .filter(({ healthy }) => !healthy)
    .map(
      ({ node, detail }) =>
        `the quorum's member on node ${node} is not healthy${detail === '' ? '' : `: ${detail}`}`,
    )
}

/** What keeps the brokers from being whole: one that is not registered, a replica that is not in sync. */
export function brokerProblems({ image }: ClusterView, nodes: readonly PlannedNode[]): string[] {
  if (image === undefined) return ['the quorum does not answer']
  const absent = nodes
    .filter(({ id }) => !image.brokers.has(id))
    .map(({ id }) => `broker ${id} is not registered in the quorum`)
  return [...absent, ...replicaProblems(image)]
}

/** One line for each topic that has replicas out of sync. */
function replicaProblems(image: MetadataImage): string[] {
  return [...image.topics.values()].flatMap(({ name, partitions }) => {
    const behind = partitions.filter(
      ({ isr, replicas, leader }) => leader < 0 || isr.length < replicas.length,
    )
    const [first] = behind
    if (first === undefined) return []
    const state =
      first.leader < 0
        ? 'has no leader'
        : `has ${first.isr.join(', ')} in sync of ${first.replicas.join(', ')}`
    const others = behind.length === 1 ? '' : ` (and ${behind.length - 1} other partitions of the topic)`
    return [`${name}-${first.index} ${state}${others}`]
  })
}

function imageOf(tree: NonNullable<QuorumView['tree']>): MetadataImage {
  const fold = new ImageFold(silentLogger)
  fold.apply({
    revision: tree.revision,
    reset: true,
    changes: tree.entries.map((entry) => ({ key: entry.key, entry })),
  })
  return fold.image
}
