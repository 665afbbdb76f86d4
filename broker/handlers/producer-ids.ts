/** Hands out producer ids that no producer of the cluster has had: from blocks that the quorum grants this broker. */
import type { ClusterMetadata } from '../metadata/cluster-metadata.ts'
import { SerialQueue } from '../runtime/queue.ts'

/** Requests that may wait for a new block. */
const MAX_WAITING = 10_000

export class ProducerIds {
  readonly #metadata: Pick<ClusterMetadata, 'producerIdBlock'>
  readonly #queue = new SerialQueue(MAX_WAITING)
  #next = 0
  #end = 0

  constructor(metadata: Pick<ClusterMetadata, 'producerIdBlock'>) {
    this.#metadata = metadata
  }

  next(): Promise<number> {
    return this.#queue.run(async () => {
      if (this.#next === this.#end) {
        const { first, size } = await this.#metadata.producerIdBlock()
        this.#next = first
        this.#end = first + size
      }
      const id = this.#next
      this.#next += 1
      return id
    })
  }
}
