/**
 * One partition on a real log in a temporary directory, with a clock and a metadata quorum that the test moves:
 * broker 1 is the partition's, brokers 2 and 3 have the other replicas.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { loadConfig } from '../../broker/config/config.ts'
import type { PartitionImage } from '../../broker/metadata/image.ts'
import { silentLogger } from '../../broker/runtime/logger.ts'
import { encodeBatch } from '../../broker/protocol/record-codec.ts'
import type { PartitionMetadata } from '../../broker/replication/leadership.ts'
import type { FetchedRecords } from '../../broker/replication/partition-read.ts'
import { Partition } from '../../broker/replication/partition.ts'
import { LogManager } from '../../broker/storage/log-manager.ts'
import { ManualClock } from './manual-clock.ts'

export const LAG_MAX_MS = 30_000
export const TOPIC_ID = 'dG9waWNvZnRoaXN0ZXN0cw'

/** A change to the ISR that the partition has proposed and the test answers. */
export interface Proposal {
  readonly expected: PartitionImage
  readonly isr: readonly number[]
  answer(committed: boolean): void
  fail(error: Error): void
}

/** What else a follower says of its log: nothing of epochs, and that it begins at 0, unless given. */
export interface FollowerFetch {
  readonly lastFetchedEpoch?: number
  readonly logStartOffset?: number
}

/** A quorum in which every broker is registered, in an epoch of ten plus its id, unless the test changes that. */
export class TestQuorum implements PartitionMetadata {
  readonly brokers = new Map([
    [1, 11],
    [2, 12],
    [3, 13],
  ])
  readonly proposals: Proposal[] = []

  epoch(brokerId: number): number | undefined {
    return this.brokers.get(brokerId)
  }

  shuttingDown(): boolean {
    return false
  }

  hasReplica(brokerId: number): boolean {
    return this.brokers.has(brokerId)
  }

  changeIsr(
    _topic: string,
    _index: number,
    expected: PartitionImage,
    isr: readonly number[],
  ): Promise<boolean> {
    return new Promise((resolve, reject) => {
      this.proposals.push({ expected, isr, answer: resolve, fail: reject })
    })
  }
}

export class ReplicationScene {
  readonly clock = new ManualClock()
  readonly quorum = new TestQuorum()
  readonly partition: Partition
  readonly #logs: LogManager
  readonly #directory: string

  constructor(logs: LogManager, directory: string, partition: (scene: ReplicationScene) => Partition) {
    this.#logs = logs
    this.#directory = directory
    this.partition = partition(this)
  }

  /** The state that the quorum decides next: broker 1 leads in epoch 5 with everybody in sync, unless said otherwise. */
  async decide(state: Partial<PartitionImage> = {}): Promise<void> {
    await this.partition.apply({
      index: 0,
      replicas: [1, 2, 3],
      leader: 1,
      leaderEpoch: 5,
      isr: [1, 2, 3],
      // Everybody registered before.
      stateRevision: (this.partition.state?.stateRevision ?? 100) + 1,
      isrRevision: 0,
      ...state,
    })
  }

  /** A fetch of broker `id` from `offset`, as it would come from the network. */
  fetchAs(id: number, offset: number, more: FollowerFetch = {}): FetchedRecords {
    const { lastFetchedEpoch = -1, logStartOffset = 0 } = more
    return this.partition.fetch({
      offset,
      lastFetchedEpoch,
      logStartOffset,
      maxBytes: 1_000_000,
      minOneBatch: true,
      replica: { id, brokerEpoch: 10 + id },
    })
  }

  async close(): Promise<void> {
    await this.partition.close()
    await this.#logs.close()
    await rm(this.#directory, { recursive: true, force: true })
  }
}

/** A partition without a role yet. `topicConfigs` as in `min.insync.replicas`. */
export async function openScene(topicConfigs: Record<string, string> = {}): Promise<ReplicationScene> {
  const directory = await mkdtemp(path.join(tmpdir(), 'replication-'))
  const config = loadConfig({
    'node.id': '1',
    'log.dirs': directory,
    'quorum.connect': 'embedded:unused',
    // Whatever is free where the tests run is enough.
    'disk.reserve.percent': '0',
    'disk.reserve.min.bytes': '0',
  })
  const clock = new ManualClock()
  const logs = await LogManager.open({
    dirs: [directory],
    config,
    clusterId: 'Y2x1c3Rlcm9mdGhlc2V0cw',
    nodeId: 1,
    clock,
    logger: silentLogger,
  })
  const topicConfig = config.topic(new Map(Object.entries(topicConfigs)))
  const log = await logs.create('events', 0, TOPIC_ID, topicConfig)
  return new ReplicationScene(
    logs,
    directory,
    (scene) =>
      new Partition({
        brokerId: 1,
        log,
        highWatermark: 0,
        topicConfig,
        lagMaxMs: LAG_MAX_MS,
        metadata: scene.quorum,
        clock: scene.clock,
        logger: silentLogger,
      }),
  )
}

/** A batch of `count` records as a client sends it, or as a leader does that has given it an offset and its epoch. */
export function batchOf(count: number, o: { baseOffset?: number; leaderEpoch?: number } = {}): Buffer {
  const records = Array.from({ length: count }, (_, index) => ({
    timestamp: 1_700_000_000_000,
    key: null,
    value: Buffer.from(`record ${index}`),
  }))
  return encodeBatch(records, o)
}

/** Lets every callback that is due run. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}
