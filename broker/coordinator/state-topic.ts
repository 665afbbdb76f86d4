/**
 * State that is kept in an internal topic: each partition is a log of keys and values, of which the last value of a
 * key counts and a null value removes it. The leader of a partition owns its state: it reads the log from the start
 * when it begins to lead, serves the state from memory, and appends every change with acks=all before anyone hears
 * of it.
 *
 * An owner is made anew for every epoch of leadership. Between two epochs another broker may have written, so
 * nothing in memory outlives one.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import { type ErrorName, KafkaError } from '../protocol/errors.ts'
import { splitBatches } from '../protocol/record-batch.ts'
import { type DecodedRecord, encodeBatch } from '../protocol/record-codec.ts'
import type { AppendOptions, Partition } from '../replication/partition.ts'
import type { LeadershipChange } from '../replication/replica-manager.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/logger.ts'
import type { AppendInfo } from '../storage/append-info.ts'
import type { PartitionLog } from '../storage/partition-log.ts'
import { OpenTransactions } from './open-transactions.ts'

export interface StateRecord {
  readonly key: Buffer
  readonly value: Buffer | null
}

/** The state of one partition, while this broker leads it. */
export interface StateOwner {
  /** One record of the log, in order, before `start`. */
  replay(record: StateRecord, offset: number): void
  /** Everything has been replayed: it serves from now on. */
  start(): void
  /** This broker leads no more: whoever waits is sent elsewhere, and nothing is appended. */
  stop(): void
}

/** Appends records to the owner's partition; resolves with the first one's offset once the whole ISR has them. */
export type AppendState = (records: readonly StateRecord[]) => Promise<number>

/** What state topics need of a partition. */
export interface StatePartition extends Pick<Partition, 'index' | 'leaderEpoch' | 'isLeader'> {
  readonly log: Pick<PartitionLog, 'logStartOffset' | 'logEndOffset' | 'read'>
  append(records: Buffer, options: AppendOptions): Promise<Pick<AppendInfo, 'baseOffset'>>
}

/** What state topics need of the replica manager. */
export interface StateReplicas {
  partition(topic: string, index: number): StatePartition | undefined
  onLeadership(listener: (change: LeadershipChange) => void): () => void
}

export interface StateTopicOptions<Owner> {
  readonly topic: string
  readonly replicas: StateReplicas
  readonly createOwner: (index: number, append: AppendState) => Owner
  /** Whether the metadata says that this broker leads a partition, although it may not have taken it over yet. */
  readonly isLeaderOf: (index: number) => boolean
  /** How long an append may wait for the in-sync replicas. */
  readonly appendTimeoutMs: number
  readonly clock: Clock
  readonly logger: Logger
}

/** Reads in pieces of this size, and lets others run in between. */
const LOAD_CHUNK_BYTES = 1024 * 1024
/** A partition that cannot be loaded is tried again after this. */
const LOAD_RETRY_MS = 5000

interface Tenure<Owner> {
  readonly owner: Owner
  readonly leaderEpoch: number
  loaded: boolean
  ended: boolean
}

/** What a client is told when an append fails: where it is worth trying again, or looking for another coordinator. */
const appendErrors: Partial<Record<ErrorName, ErrorName>> = {
  UNKNOWN_TOPIC_OR_PARTITION: 'COORDINATOR_NOT_AVAILABLE',
  NOT_ENOUGH_REPLICAS: 'COORDINATOR_NOT_AVAILABLE',
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: 'COORDINATOR_NOT_AVAILABLE',
  REQUEST_TIMED_OUT: 'COORDINATOR_NOT_AVAILABLE',
  NOT_LEADER_OR_FOLLOWER: 'NOT_COORDINATOR',
  FENCED_LEADER_EPOCH: 'NOT_COORDINATOR',
  KAFKA_STORAGE_ERROR: 'NOT_COORDINATOR',
}

export class StateTopic<Owner extends StateOwner> {
  readonly #options: StateTopicOptions<Owner>
  /** By partition index. */
  readonly #tenures = new Map<number, Tenure<Owner>>()
  /** Those who wait for a partition to be read; at most one for each connection. */
  readonly #waiting = new Set<() => void>()
  #unsubscribe: () => void = () => {}

  constructor(options: StateTopicOptions<Owner>) {
    this.#options = options
  }

  /** Follows the leaderships of this broker; `partitionCount` of those that it may hold already. */
  start(partitionCount: number): void {
    const { topic, replicas } = this.#options
    this.#unsubscribe = replicas.onLeadership((change) => {
      if (change.topic === topic) this.#onLeadership(change)
    })
    for (let index = 0; index < partitionCount; index++) {
      const partition = replicas.partition(topic, index)
      if (partition?.isLeader === true) this.#begin(index, partition)
    }
  }

  close(): void {
    this.#unsubscribe()
    for (const index of this.#tenures.keys()) this.#end(index)
  }

  /** The state of a partition; throws NOT_COORDINATOR, or COORDINATOR_LOAD_IN_PROGRESS while it is being read. */
  owner(index: number): Owner {
    const { topic, isLeaderOf } = this.#options
    const tenure = this.#tenures.get(index)
    if (tenure?.loaded === true) return tenure.owner
    if (tenure !== undefined || isLeaderOf(index)) {
      throw new KafkaError('COORDINATOR_LOAD_IN_PROGRESS', `${topic}-${index} is being read`)
    }
    throw new KafkaError('NOT_COORDINATOR', `this broker does not lead ${topic}-${index}`)
  }

  /** Whether this broker leads the partition, and has not read all of it yet. */
  isBeingRead(index: number): boolean {
    const tenure = this.#tenures.get(index)
    return tenure === undefined ? this.#options.isLeaderOf(index) : !tenure.loaded
  }

  /** Waits until the partition has been read or has moved away, for `patienceMs` at most. */
  async untilRead(index: number, patienceMs: number): Promise<void> {
    const { clock } = this.#options
    const deadlineMs = clock.monotonicMs() + patienceMs
    while (this.isBeingRead(index) && clock.monotonicMs() < deadlineMs) {
      await this.#nextChange(deadlineMs - clock.monotonicMs())
    }
  }

  #nextChange(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        cancel()
        this.#waiting.delete(done)
        resolve()
      }
      const cancel = this.#options.clock.after(timeoutMs, done)
      this.#waiting.add(done)
    })
  }

  #changed(): void {
    for (const wake of this.#waiting) wake()
  }

  /** The owners that serve. */
  owners(): Owner[] {
    return [...this.#tenures.values()].filter(({ loaded }) => loaded).map(({ owner }) => owner)
  }

  #onLeadership({ index, role, leaderEpoch }: LeadershipChange): void {
    const { topic, replicas } = this.#options
    const partition = replicas.partition(topic, index)
    if (role !== 'leader' || partition === undefined) return this.#end(index)
    if (this.#tenures.get(index)?.leaderEpoch !== leaderEpoch) this.#begin(index, partition)
  }

  #begin(index: number, partition: StatePartition): void {
    this.#end(index)
    const { leaderEpoch } = partition
    const tenure: Tenure<Owner> = {
      owner: this.#options.createOwner(index, (records) => this.#append(tenure, partition, records)),
      leaderEpoch,
      loaded: false,
      ended: false,
    }
    this.#tenures.set(index, tenure)
    void this.#load(tenure, index, partition)
  }

  #end(index: number): void {
    const tenure = this.#tenures.get(index)
    if (tenure === undefined) return
    this.#tenures.delete(index)
    tenure.ended = true
    tenure.owner.stop()
    this.#changed()
  }

  async #load(tenure: Tenure<Owner>, index: number, partition: StatePartition): Promise<void> {
    const { topic, clock, logger } = this.#options
    const startedMs = clock.monotonicMs()
    const fields = { topic, partition: index, leaderEpoch: tenure.leaderEpoch }
    try {
      const records = await this.#replayLog(tenure, partition)
      if (tenure.ended) return
      tenure.loaded = true
      tenure.owner.start()
      this.#changed()
      const tookMs = Math.round(clock.monotonicMs() - startedMs)
      logger[records > 0 ? 'info' : 'debug']({ ...fields, records, tookMs }, 'loaded state')
    } catch (error) {
      if (tenure.ended) return
      logger.error({ ...fields, err: error, retryMs: LOAD_RETRY_MS }, 'state cannot be loaded')
      clock.after(LOAD_RETRY_MS, () => {
        if (!tenure.ended) this.#begin(index, partition)
      })
    }
  }

  /** Nobody but the owner appends, and it does so only once it is loaded: the end of the log stands still. */
  async #replayLog(tenure: Tenure<Owner>, { log }: StatePartition): Promise<number> {
    const end = log.logEndOffset
    let offset = log.logStartOffset
    const transactions = new OpenTransactions()
    let count = 0
    while (offset < end && !tenure.ended) {
      const read = log.read(offset, LOAD_CHUNK_BYTES, { upTo: end, minOneBatch: true })
      const batches = splitBatches(Buffer.isBuffer(read.records) ? read.records : Buffer.concat(read.records))
      const last = batches.at(-1)
      // Compaction may have left nothing before an end that a truncation has made.
      if (last === undefined) break
      for (const batch of batches) {
        const records = transactions.pass(batch)
        for (const record of records) replayRecord(tenure.owner, record)
        count += records.length
      }
      offset = last.lastOffset + 1
      await nextTurn()
    }
    return count
  }

  /** The record is handed to the log before this returns, so appends lie in the order of the calls. */
  async #append(
    tenure: Tenure<Owner>,
    partition: StatePartition,
    records: readonly StateRecord[],
  ): Promise<number> {
    const { clock, appendTimeoutMs, logger, topic } = this.#options
    if (tenure.ended)
      throw new KafkaError('NOT_COORDINATOR', `this broker no longer leads ${topic}-${partition.index}`)
    const timestamp = clock.now()
    const batch = encodeBatch(records.map((record) => ({ ...record, timestamp })))
    try {
      const info = await partition.append(batch, {
        acks: -1,
        timeoutMs: appendTimeoutMs,
        origin: 'coordinator',
      })
      return info.baseOffset
    } catch (error) {
      if (!(error instanceof KafkaError)) throw error
      logger.warn({ topic, partition: partition.index, error: error.message }, 'state could not be stored')
      throw new KafkaError(appendErrors[error.error] ?? error.error, error.detail)
    }
  }
}

/** A record that cannot be understood stops the load: what it says would be lost silently. */
function replayRecord(owner: StateOwner, { key, value, offset }: DecodedRecord): void {
  if (key === null) return
  try {
    owner.replay({ key, value }, offset)
  } catch (error) {
    throw new Error(`the record at offset ${offset} cannot be read: ${String(error)}`, { cause: error })
  }
}
