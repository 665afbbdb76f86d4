/**
 * Which side is wrong when a broker refuses its meta.properties? A pure decision, from what the quorum, the peers and
 * the node's own log directories say, to what may be done.
 *
 * A topic's id is the strongest witness: it is random, made once, and is written both in the quorum and beside the
 * records. Directories whose topic ids the quorum knows belong to its cluster, whatever meta.properties says;
 * directories whose ids it does not know do not. The peers' meta.properties tell a node that strayed from a quorum
 * that was replaced.
 */

export interface DirectoryEvidence {
  readonly path: string
  /** cluster.id of its meta.properties; undefined without the file, or without the line. */
  readonly clusterId: string | undefined
  /** node.id or broker.id of its meta.properties. */
  readonly nodeId: number | undefined
  readonly hasMetaProperties: boolean
  /** The topic ids beside the records, one for each partition; undefined for a partition without one. */
  readonly topicIds: readonly (string | undefined)[]
}

export interface Evidence {
  readonly node: number
  /** node.id of its server.properties. */
  readonly configuredNodeId: number | undefined
  /** Undefined when no majority answers. `clusterId` is undefined in a quorum that no broker has used yet. */
  readonly quorum:
    | { readonly clusterId: string | undefined; readonly topicIds: ReadonlySet<string> }
    | undefined
  readonly directories: readonly DirectoryEvidence[]
  /** cluster.id in the log directories of each other node that could be asked; undefined for one without. */
  readonly peers: readonly { readonly node: number; readonly clusterId: string | undefined }[]
}

export type WrongSide = 'meta.properties' | 'node.id' | 'data' | 'quorum' | 'unknown'

export type Verdict =
  /** The files agree with the quorum. */
  | { readonly action: 'none'; readonly because: string }
  /** The cluster.id lines of these files are wrong and may be commented out: the broker writes the right one. */
  | {
      readonly action: 'repair'
      readonly wrong: 'meta.properties'
      readonly directories: readonly string[]
      readonly because: string
    }
  | {
      readonly action: 'refuse'
      readonly wrong: WrongSide
      readonly because: string
      readonly advice: string
    }

export function judge(evidence: Evidence): Verdict {
  return judgeQuorum(evidence) ?? judgeNodeId(evidence) ?? judgeCluster(evidence)
}

function judgeQuorum({ quorum }: Evidence): Verdict | undefined {
  if (quorum?.clusterId !== undefined) return undefined
  return {
    action: 'refuse',
    wrong: 'unknown',
    because:
      quorum === undefined
        ? 'no majority of the quorum answers, so there is nothing to compare with'
        : 'the quorum has no cluster id: it is new or has lost its data',
    advice:
      quorum === undefined
        ? 'Bring the quorum up first (systemctl status quorum on each node), then run this again.'
        : 'If this cluster had records, restore the quorum from a backup of /home/kafka/quorum before any broker starts.',
  }
}

function judgeNodeId({ node, configuredNodeId, directories }: Evidence): Verdict | undefined {
  if (configuredNodeId !== undefined && configuredNodeId !== node) {
    return {
      action: 'refuse',
      wrong: 'node.id',
      because: `server.properties of node ${node} says node.id=${configuredNodeId}`,
      advice: 'Run npm run provision, which writes the right server.properties, then run this again.',
    }
  }
  const other = directories.find(({ nodeId }) => nodeId !== undefined && nodeId !== node)
  if (other === undefined) return undefined
  return {
    action: 'refuse',
    wrong: 'node.id',
    because: `${other.path}/meta.properties is of node ${other.nodeId}: these are the records of another node`,
    advice: `Give node ${node} its own disk back, or let node ${other.nodeId} have this one. Nothing was changed.`,
  }
}

function judgeCluster(evidence: Evidence): Verdict {
  const clusterId = evidence.quorum!.clusterId!
  const strange = evidence.directories.filter((directory) => (directory.clusterId ?? clusterId) !== clusterId)
  if (strange.length === 0) {
    return {
      action: 'none',
      because: `every meta.properties of node ${evidence.node} agrees with the quorum (${clusterId})`,
    }
  }
  return quorumIsReplaced(evidence, strange) ?? dataAreStrange(evidence, strange) ?? repair(evidence, strange)
}

/** The peers side with the node: it is the quorum that is another one than they knew. */
function quorumIsReplaced(
  { quorum, peers }: Evidence,
  strange: readonly DirectoryEvidence[],
): Verdict | undefined {
  const named = peers.filter((peer) => peer.clusterId !== undefined)
  const disagreeing = named.filter((peer) => peer.clusterId !== quorum!.clusterId)
  if (disagreeing.length === 0 || disagreeing.length * 2 < named.length) return undefined
  if (strange.some(({ topicIds }) => knownIds(topicIds, quorum!.topicIds) > 0)) return undefined
  return {
    action: 'refuse',
    wrong: 'quorum',
    because:
      `the quorum says ${quorum!.clusterId}, but node ${disagreeing.map(({ node }) => node).join(', ')} of the peers ` +
      `${disagreeing.length === 1 ? 'was' : 'were'} also part of another cluster (${disagreeing[0]!.clusterId})`,
    advice:
      'The quorum was replaced, or quorum.connect leads to a wrong one. Restore the data of the old quorum ' +
      '(/home/kafka/quorum), or correct quorum.connect. With another cluster.id the brokers would join a cluster that ' +
      'knows none of their topics, and delete the records. Nothing was changed.',
  }
}

/** There are records, and nothing shows that they are of the quorum's cluster. */
function dataAreStrange({ quorum }: Evidence, strange: readonly DirectoryEvidence[]): Verdict | undefined {
  for (const { path, clusterId, topicIds } of strange) {
    if (topicIds.length === 0 || knownIds(topicIds, quorum!.topicIds) > 0) continue
    return {
      action: 'refuse',
      wrong: 'data',
      because:
        `${path} has records of ${topicIds.length} partitions, and the quorum (${quorum!.clusterId}) knows the topic id of ` +
        `none of them: they belong to the cluster ${clusterId}`,
      advice:
        `Connect this node to the quorum of ${clusterId}; or, if these records are not needed, move ${path} away and start ` +
        'the broker with an empty folder: it fetches its partitions from the others. Nothing was changed.',
    }
  }
  return undefined
}

function repair({ quorum, peers }: Evidence, strange: readonly DirectoryEvidence[]): Verdict {
  const reasons = strange.map(({ path, clusterId, topicIds }) => {
    const known = knownIds(topicIds, quorum!.topicIds)
    const witness =
      topicIds.length === 0
        ? 'the folder has no records that could belong to another cluster'
        : `the quorum knows the topic ids of ${known} of its ${topicIds.length} partitions`
    return `${path}/meta.properties says ${clusterId}, the quorum ${quorum!.clusterId}; ${witness}`
  })
  const agreeing = peers.filter((peer) => peer.clusterId === quorum!.clusterId).map(({ node }) => node)
  const backing =
    agreeing.length === 0 ? '' : `; node ${agreeing.join(', ')} of the peers agree with the quorum`
  return {
    action: 'repair',
    wrong: 'meta.properties',
    directories: strange.map(({ path }) => path),
    because: `${reasons.join('; ')}${backing}`,
  }
}

function knownIds(topicIds: DirectoryEvidence['topicIds'], known: ReadonlySet<string>): number {
  return topicIds.filter((id) => id !== undefined && known.has(id)).length
}

/** A refusal as the operator is told it. */
export function refusal(id: number, verdict: Extract<Verdict, { action: 'refuse' }>): string {
  const side =
    verdict.wrong === 'unknown'
      ? 'It cannot be told which side is wrong'
      : `The wrong side is: ${verdict.wrong}`
  return `meta.properties of node ${id} was left as it is. ${side}: ${verdict.because}.\n${verdict.advice}`
}
