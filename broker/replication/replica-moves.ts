/**
 * Moves replicas between the log directories of this broker (KIP-113): copies the log while it is written and read,
 * and lets the copy take its place once it has everything. The copy follows the log as a follower does its leader, by
 * leader epochs, so that a log that is cut meanwhile, or begins later, is no matter.
 *
 * Moves take turns, one piece each. A move ends when its copy is gone (its directory failed, or another target was
 * given) or when the partition is; after a restart, copies that are found are gone on with.
 */
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/logger.ts'
import { KafkaError } from '../protocol/errors.ts'
import { SerialQueue } from '../runtime/queue.ts'
import { canHaveFuture } from '../storage/file-names.ts'
import type { LogMoves } from '../storage/log-moves.ts'
import type { PartitionLog } from '../storage/partition-log.ts'
import type { Partition } from './partition.ts'

const PIECE_BYTES = 1024 * 1024
/** A copy that cannot be written, or cannot take over, is tried again after this. */
const RETRY_MS = 1000
const MAX_QUEUED_ORDERS = 10_000

export interface ReplicaMovesOptions {
  readonly logs: LogMoves
  readonly partition: (topic: string, index: number) => Partition | undefined
  /** Whether the cluster has the partition. */
  readonly isKnown: (topic: string, index: number) => boolean
  /** Throws KAFKA_STORAGE_ERROR for a replica whose log directory is offline. */
  readonly mustBeServed: (topic: string, index: number) => void
  /** Runs `action` while no role of the partition changes. */
  readonly undisturbed: (topic: string, index: number, action: () => Promise<void>) => Promise<void>
  readonly clock: Clock
  readonly logger: Logger
}

export class ReplicaMoves {
  readonly #o: ReplicaMovesOptions
  readonly #orders = new SerialQueue(MAX_QUEUED_ORDERS)
  readonly #closing = new AbortController()
  /** Those that are under way, the next one first. */
  readonly #partitions = new Set<Partition>()
  #running: Promise<void> | undefined

  constructor(options: ReplicaMovesOptions) {
    this.#o = options
  }

  /**
   * Begins to move a replica to the log directory `path`, instead of wherever it was being moved; the present one ends
   * a move. One that is not here yet is made there later. Rejects with INVALID_TOPIC_EXCEPTION, LOG_DIR_NOT_FOUND,
   * KAFKA_STORAGE_ERROR, REPLICA_NOT_AVAILABLE or UNKNOWN_TOPIC_OR_PARTITION.
   */
  order(topic: string, index: number, path: string): Promise<void> {
    return this.#orders.run(async () => {
      if (!canHaveFuture(topic, index)) {
        throw new KafkaError(
          'INVALID_TOPIC_EXCEPTION',
          `the name of ${topic} is too long for the name of a copy`,
        )
      }
      const { logs } = this.#o
      const target = logs.target(path)
      this.#o.mustBeServed(topic, index)
      const future = logs.future(topic, index)
      if (future?.directory === target) return
      if (future !== undefined) await logs.dropFuture(topic, index)
      const partition = this.#o.partition(topic, index)
      if (partition === undefined) {
        if (!this.#o.isKnown(topic, index)) {
          throw new KafkaError('UNKNOWN_TOPIC_OR_PARTITION', `the cluster has no partition ${topic}-${index}`)
        }
        logs.prefer(topic, index, path)
        throw new KafkaError('REPLICA_NOT_AVAILABLE', `${topic}-${index} has no replica here yet`)
      }
      if (logs.isIn(partition.log, path)) return
      await logs.createFuture(partition.log, target)
      this.#o.logger.info({ topic, partition: index, target: path }, 'begins to move the replica')
      this.#begin(partition)
    })
  }

  /** Goes on with a copy that was found at the start. */
  resume(partition: Partition): void {
    const found = this.#o.logs.future(partition.topic, partition.index)
    if (found === undefined) return
    const { topic, index } = partition
    this.#o.logger.info(
      { topic, partition: index, target: found.directory.path },
      'goes on moving the replica',
    )
    this.#begin(partition)
  }

  /** Stops copying; the copies stay for the next start. */
  async close(): Promise<void> {
    this.#closing.abort()
    await this.#orders.close()
    await this.#running
  }

  #begin(partition: Partition): void {
    this.#partitions.add(partition)
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
      for (const waiting of this.#partitions) if (!this.#closing.signal.aborted) this.#begin(waiting)
    })
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing
    while (this.#partitions.size > 0 && !signal.aborted) {
      const failures = await this.#round()
      if (failures > 0 && failures === this.#partitions.size) {
        await this.#o.clock.sleep(RETRY_MS, signal).catch(() => {})
      }
    }
  }

  /** One piece of each move; returns how many could not be advanced. */
  async #round(): Promise<number> {
    let failures = 0
    for (const partition of this.#partitions) {
      if (this.#closing.signal.aborted) break
      const { topic, index } = partition
      try {
        if (await this.#advance(partition)) this.#partitions.delete(partition)
      } catch (error) {
        failures += 1
        this.#o.logger.warn({ topic, partition: index, error }, 'cannot go on moving the replica yet')
      }
    }
    return failures
  }

  /** Copies one piece, and lets the copy take over when that was the last; true when the move is over. */
  async #advance(partition: Partition): Promise<boolean> {
    const { topic, index } = partition
    const future = this.#futureOf(partition)
    if (future === undefined) {
      this.#o.logger.info({ topic, partition: index }, 'no longer moves the replica')
      return true
    }
    if (!(await copyPiece(partition.log, future))) return false
    // What is to be flushed while writes wait is little then.
    await future.flush()
    await this.#o.undisturbed(topic, index, () => this.#takeOver(partition))
    return this.#futureOf(partition) === undefined
  }

  /** The copy, if the partition is still served here. */
  #futureOf(partition: Partition): PartitionLog | undefined {
    const { topic, index } = partition
    return this.#o.partition(topic, index) === partition ? this.#o.logs.future(topic, index)?.log : undefined
  }

  async #takeOver(partition: Partition): Promise<void> {
    const { topic, index } = partition
    let discard = (): Promise<void> => Promise.resolve()
    await this.#orders.run(async () => {
      const future = this.#futureOf(partition)
      if (future === undefined) return
      await partition.replaceLog(async () => {
        while (!(await copyPiece(partition.log, future))) continue
        const promoted = await this.#o.logs.promote(partition.log)
        discard = promoted.discard
        return promoted.log
      })
      this.#o.logger.info(
        { topic, partition: index, directory: partition.log.directory },
        'moved the replica',
      )
    })
    await discard()
  }
}

/** Copies what comes next; true when the copy has everything that the log has. */
async function copyPiece(log: PartitionLog, copy: PartitionLog): Promise<boolean> {
  if (await align(log, copy)) return false
  if (copy.logEndOffset === log.logEndOffset) return true
  const { logEndOffset: upTo } = log
  const read = log.read(copy.logEndOffset, PIECE_BYTES, { upTo, minOneBatch: true })
  const records = Buffer.isBuffer(read.records) ? read.records : Buffer.concat(read.records)
  await copy.appendAsFollower(records)
  if (log.logStartOffset > copy.logStartOffset) await copy.raiseLogStartOffset(log.logStartOffset)
  return copy.logEndOffset === log.logEndOffset
}

/** Cuts off what the log does not have (any more); true when there was anything. */
async function align(log: PartitionLog, copy: PartitionLog): Promise<boolean> {
  if (copy.logEndOffset < log.logStartOffset) {
    await copy.truncateFullyAndStartAt(log.logStartOffset)
    return true
  }
  const start = Math.min(log.logStartOffset, copy.logEndOffset)
  if (start > copy.logStartOffset) await copy.raiseLogStartOffset(start)
  const epoch = copy.latestEpoch
  const end = epoch < 0 ? { epoch, endOffset: log.logEndOffset } : log.endOffsetForEpoch(epoch)
  if (end.epoch === epoch && end.endOffset >= copy.logEndOffset) return false
  if (end.epoch < 0) {
    await copy.truncateFullyAndStartAt(log.logStartOffset)
    return true
  }
  const offset = Math.min(end.endOffset, copy.endOffsetForEpoch(end.epoch).endOffset)
  await copy.truncateTo(offset)
  return true
}
