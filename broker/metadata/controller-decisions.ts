/**
 * What the controller does about the partitions, as a pure function of the image.
 *
 * A member of the ISR is *current* when its broker is alive and had registered before the ISR was last certain
 * (`isrRevision`: when it was written by or with a leader); one that registered later is another life of that broker, which may have lost what the former had not flushed. It is
 * *complete* when its broker vouches for that not having happened since then.
 *
 *   leader current                        stays; members that are not current leave the ISR (same leader epoch)
 *   leader not current, or shutting down  the first current member in assignment order leads, at leader epoch + 1
 *   no current member                     the first complete one leads, or, once all members are back and none of them
 *                                         is complete, the first of them: nobody knows more than they do
 *   no such member                        leader -1, ISR kept: a member that returns leads. Only where the topic says
 *                                         unclean.leader.election.enable=true does any live replica lead: records may be lost
 *
 * A replica whose log directory failed counts as one whose broker is gone. The ISR never becomes empty.
 */
import type { BrokerRegistration, MetadataImage, PartitionImage, TopicImage } from './image.ts'
import type { PartitionState } from './keys.ts'
import { hasReplica } from './offline-replicas.ts'

export interface Decision {
  readonly topic: string
  readonly expected: PartitionImage
  readonly next: PartitionState
}

export interface DecisionOptions {
  /** The broker's `unclean.leader.election.enable`, for topics that do not set their own. */
  readonly uncleanElection: boolean
}

/** The changes that the partitions of `topics` (all unless given) need, for the brokers that are alive in the image. */
export function decide(
  image: MetadataImage,
  options: DecisionOptions,
  topics?: Iterable<string>,
): Decision[] {
  return [...(topics ?? image.topics.keys())].flatMap((name) => {
    const topic = image.topics.get(name)
    if (topic === undefined) return []
    const unclean = allowsUncleanElection(topic, options)
    return topic.partitions.flatMap((expected) =>
      decision(name, expected, nextState(expected, brokersWithReplica(image, topic.id, expected), unclean)),
    )
  })
}

/** The partitions that their preferred replica, the first of the assignment, can lead again. */
export function decidePreferred(image: MetadataImage): Decision[] {
  return [...image.topics.values()].flatMap(({ name, id, partitions }) =>
    partitions.flatMap((expected) => {
      const preferred = expected.replicas[0]!
      const broker = brokersWithReplica(image, id, expected)(preferred)
      const ready = expected.isr.includes(preferred) && isCurrent(broker, expected) && !broker?.shuttingDown
      return decision(name, expected, ready ? withLeader(expected, preferred, expected.isr) : expected)
    }),
  )
}

/** The broker with this id, if it is alive and has its replica of the partition. */
type BrokerWithReplica = (id: number) => BrokerRegistration | undefined

function brokersWithReplica(
  image: MetadataImage,
  topicId: string,
  { index }: PartitionImage,
): BrokerWithReplica {
  return (id) => {
    const broker = image.brokers.get(id)
    return hasReplica(broker, topicId, index) ? broker : undefined
  }
}

function nextState(partition: PartitionImage, broker: BrokerWithReplica, unclean: boolean): PartitionState {
  const { replicas, isr, leader, stateRevision, isrRevision } = partition
  const alive = replicas.filter((id) => broker(id) !== undefined)
  const staying = alive.filter((id) => !broker(id)?.shuttingDown)
  // Its topic was created with more partitions than fit into one transaction.
  if (stateRevision === 0)
    return staying.length > 0 ? { leader: staying[0]!, leaderEpoch: 0, isr: staying } : partition

  const current = isr.filter((id) => isCurrent(broker(id), partition))
  const candidates = current.filter((id) => staying.includes(id))
  if (candidates.length > 0) {
    return withLeader(
      partition,
      candidates.includes(leader) ? leader : firstOf(replicas, candidates),
      candidates,
    )
  }
  // Whoever is on its way out leads on until it has gone, rather than nobody.
  if (current.length > 0)
    return withLeader(partition, current.includes(leader) ? leader : firstOf(replicas, current), current)

  const back = isr.filter((id) => alive.includes(id))
  const complete = back.filter((id) => broker(id)!.completeSince <= isrRevision)
  const returned = complete.length > 0 || back.length < isr.length ? complete : back
  const preferably = returned.filter((id) => staying.includes(id))
  const members = preferably.length > 0 ? preferably : returned
  if (members.length > 0)
    return {
      ...withLeader(partition, -1, members),
      leader: firstOf(replicas, members),
      leaderEpoch: partition.leaderEpoch + 1,
    }
  if (unclean && staying.length > 0) return withLeader(partition, staying[0]!, [staying[0]!])
  return { ...withLeader(partition, -1, isr), isrRevision: partition.isrRevision }
}

function isCurrent(broker: BrokerRegistration | undefined, partition: PartitionImage): boolean {
  return broker !== undefined && broker.epoch <= partition.isrRevision
}

function firstOf(replicas: readonly number[], candidates: readonly number[]): number {
  return replicas.find((id) => candidates.includes(id)) ?? candidates[0]!
}

function withLeader(partition: PartitionImage, leader: number, isr: readonly number[]): PartitionState {
  return { leader, isr, leaderEpoch: partition.leaderEpoch + (leader === partition.leader ? 0 : 1) }
}

function decision(topic: string, expected: PartitionImage, next: PartitionState): Decision[] {
  const same =
    next.leader === expected.leader &&
    next.leaderEpoch === expected.leaderEpoch &&
    next.isr.length === expected.isr.length
  return same ? [] : [{ topic, expected, next }]
}

function allowsUncleanElection(topic: TopicImage, { uncleanElection }: DecisionOptions): boolean {
  const own = topic.configs.get('unclean.leader.election.enable')
  return own === undefined ? uncleanElection : own === 'true'
}
