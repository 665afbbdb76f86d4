/**
 * The replicas of this broker that it cannot serve because their log directory failed, until it is started again.
 *
 * Of a directory that fails while the broker runs it is known what it held. Of one that could not be opened at the
 * start it is not: whatever the quorum had assigned to this broker by then, and no other directory holds, counts as
 * lost with it. Making such a partition anew elsewhere would give two directories that claim it once the disk is back,
 * and an empty replica that might lead.
 */
import type { MetadataImage } from '../metadata/image.ts'
import type { OfflineReplicas } from '../metadata/offline-replicas.ts'
import type { LogManager } from '../storage/log-manager.ts'

export interface LostReplicasOptions {
  readonly brokerId: number
  readonly logs: LogManager
  /** Called with all of them after each change. */
  readonly changed: (replicas: OfflineReplicas) => void
}

export class LostReplicas {
  readonly #o: LostReplicasOptions
  readonly #byTopicId = new Map<string, Set<number>>()

  constructor(options: LostReplicasOptions) {
    this.#o = options
  }

  /** Before the broker registers: what the directories that could not be opened must hold. */
  lookFor(image: MetadataImage): OfflineReplicas {
    if (this.#o.logs.offlineAtStart.length > 0) {
      for (const { id, name, partitions } of image.topics.values()) {
        for (const { index, replicas } of partitions) {
          const isHere = this.#o.logs.get(name, index)?.topicId === id
          if (replicas.includes(this.#o.brokerId) && !isHere) this.#note(id, index)
        }
      }
    }
    return this.all
  }

  add(replicas: Iterable<{ readonly topicId: string; readonly partition: number }>): void {
    for (const { topicId, partition } of replicas) this.#note(topicId, partition)
    this.#o.changed(this.all)
  }

  #note(topicId: string, index: number): void {
    const indexes = this.#byTopicId.get(topicId) ?? new Set()
    this.#byTopicId.set(topicId, indexes.add(index))
  }

  has(topicId: string | undefined, index: number): boolean {
    return topicId !== undefined && this.#byTopicId.get(topicId)?.has(index) === true
  }

  /** Topics that are gone are of no interest any more. */
  forgetMissing(image: MetadataImage): void {
    const gone = [...this.#byTopicId.keys()].filter((topicId) => !image.topicNames.has(topicId))
    if (gone.length === 0) return
    for (const topicId of gone) this.#byTopicId.delete(topicId)
    this.#o.changed(this.all)
  }

  /** A copy, which does not change. */
  get all(): OfflineReplicas {
    return new Map([...this.#byTopicId].map(([topicId, indexes]) => [topicId, new Set(indexes)]))
  }
}
