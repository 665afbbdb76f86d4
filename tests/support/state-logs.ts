/**
 * The partitions of an internal topic in memory, shared by any number of brokers of which one leads them at a time:
 * just enough of a replica manager for the coordinators. What is appended is there for good at once, unless `fail`
 * says otherwise.
 */
import type { StatePartition, StateReplicas } from '../../broker/coordinator/state-topic.ts'
import { type ErrorName, KafkaError } from '../../broker/protocol/errors.ts'
import { splitBatches, stampBatch } from '../../broker/protocol/record-batch.ts'
import { decodeRecords, type DecodedRecord } from '../../broker/protocol/record-codec.ts'
import type { LeadershipChange } from '../../broker/replication/replica-manager.ts'

/** One partition's batches, with offsets assigned. */
class StateLog {
  readonly batches: Buffer[] = []
  endOffset = 0

  append(records: Buffer, leaderEpoch: number): number {
    const baseOffset = this.endOffset
    stampBatch(records, 0, baseOffset, leaderEpoch)
    this.batches.push(records)
    this.endOffset = splitBatches(records)[0]!.lastOffset + 1
    return baseOffset
  }

  read(offset: number): Buffer {
    return Buffer.concat(this.batches.filter((batch) => splitBatches(batch)[0]!.lastOffset >= offset))
  }
}

export class StateLogs {
  readonly topic: string
  readonly #logs: StateLog[]
  #epoch = 0
  /** The error of every append, until it is undefined again. */
  fail: ErrorName | undefined

  constructor(topic: string, partitions: number) {
    this.topic = topic
    this.#logs = Array.from({ length: partitions }, () => new StateLog())
  }

  /** Every record of the topic, in the order of its partition. */
  records(): DecodedRecord[] {
    return this.#logs.flatMap(({ batches }) =>
      batches.flatMap((batch) => decodeRecords(splitBatches(batch)[0]!)),
    )
  }

  /** A broker's view, which leads nothing yet. */
  broker(): BrokerView {
    return new BrokerView(this)
  }

  nextEpoch(): number {
    this.#epoch += 1
    return this.#epoch
  }

  partition(index: number, leaderEpoch: number, isLeader: () => boolean): StatePartition {
    const log = this.#logs[index]!
    return {
      index,
      leaderEpoch,
      get isLeader() {
        return isLeader()
      },
      log: {
        logStartOffset: 0,
        get logEndOffset() {
          return log.endOffset
        },
        read: (offset: number) => {
          const records = log.read(offset)
          return { records, sizeBytes: records.length }
        },
      },
      append: async (records) => {
        if (!isLeader()) throw new KafkaError('NOT_LEADER_OR_FOLLOWER')
        if (this.fail !== undefined) throw new KafkaError(this.fail)
        return { baseOffset: log.append(records, leaderEpoch) }
      },
    }
  }

  get partitionCount(): number {
    return this.#logs.length
  }
}

export class BrokerView implements StateReplicas {
  readonly #logs: StateLogs
  readonly #listeners = new Set<(change: LeadershipChange) => void>()
  #epoch = -1
  #leads = false

  constructor(logs: StateLogs) {
    this.#logs = logs
  }

  partition(topic: string, index: number): StatePartition | undefined {
    if (topic !== this.#logs.topic || this.#epoch === -1) return undefined
    const epoch = this.#epoch
    return this.#logs.partition(index, epoch, () => this.#leads && this.#epoch === epoch)
  }

  onLeadership(listener: (change: LeadershipChange) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Leads every partition from now on, or none. */
  setLeader(leads: boolean): void {
    this.#epoch = this.#logs.nextEpoch()
    this.#leads = leads
    const role = leads ? 'leader' : 'follower'
    for (let index = 0; index < this.#logs.partitionCount; index++) {
      for (const listener of this.#listeners) {
        listener({ topic: this.#logs.topic, index, role, leaderEpoch: this.#epoch })
      }
    }
  }
}
