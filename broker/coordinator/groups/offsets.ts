/**
 * The offsets that one group has committed, by topic and partition. Only what the log holds for good is in here;
 * of two commits the one that lies later in the log wins, in whatever order their stores were reported.
 */
import { ZERO_UUID } from '../../protocol/schema.ts'

export interface CommittedOffset {
  /** The next record to read. */
  readonly offset: number
  /** Of the last record that was read; -1 when the client did not say. */
  readonly leaderEpoch: number
  /** Whatever the client wants to remember with it. */
  readonly metadata: string
  readonly commitTimestampMs: number
  /** When it may be forgotten, where the client said so (OffsetCommit v2-4); -1: the broker's retention. */
  readonly expireTimestampMs: number
  /** ZERO_UUID where it is not known. */
  readonly topicId: string
  /** Where the commit lies in `__consumer_offsets`. */
  readonly logOffset: number
}

export class CommittedOffsets {
  readonly #topics = new Map<string, Map<number, CommittedOffset>>()

  get isEmpty(): boolean {
    return this.#topics.size === 0
  }

  /**
   * The committed offset, or undefined. One that was committed to another topic of this name, since deleted, does not
   * count; `topicId` is the present one's, undefined where it is not known.
   */
  get(topic: string, partition: number, topicId: string | undefined): CommittedOffset | undefined {
    const committed = this.#topics.get(topic)?.get(partition)
    if (committed === undefined || topicId === undefined || committed.topicId === ZERO_UUID) return committed
    return committed.topicId === topicId ? committed : undefined
  }

  set(topic: string, partition: number, committed: CommittedOffset): void {
    const partitions = this.#topics.get(topic) ?? new Map<number, CommittedOffset>()
    const present = partitions.get(partition)
    if (present !== undefined && present.logOffset > committed.logOffset) return
    partitions.set(partition, committed)
    this.#topics.set(topic, partitions)
  }

  /** Forgets a commit because of a tombstone at `logOffset`. */
  delete(topic: string, partition: number, logOffset: number): void {
    const partitions = this.#topics.get(topic)
    const present = partitions?.get(partition)
    if (partitions === undefined || present === undefined || present.logOffset > logOffset) return
    partitions.delete(partition)
    if (partitions.size === 0) this.#topics.delete(topic)
  }

  topics(): string[] {
    return [...this.#topics.keys()]
  }

  /** Indexes of the partitions of a topic that have a commit. */
  partitions(topic: string): number[] {
    return [...(this.#topics.get(topic)?.keys() ?? [])]
  }
}
