/**
 * The parts behind the handlers of one broker, real but for the network and the groups: metadata in a file, logs in a
 * temporary directory, and a handler's context to call it with.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type Config, loadConfig } from '../../broker/config/config.ts'
import type { GroupCoordinator } from '../../broker/coordinator/group-coordinator.ts'
import type { RequestContext } from '../../broker/handlers/context.ts'
import type { DepartedBrokers } from '../../broker/handlers/departed-brokers.ts'
import { FetchSessions } from '../../broker/handlers/fetch-sessions.ts'
import type { ProducerIds } from '../../broker/handlers/producer-ids.ts'
import { Quotas } from '../../broker/handlers/quotas.ts'
import { TopicCreator } from '../../broker/handlers/topic-creator.ts'
import { ClusterMetadata } from '../../broker/metadata/cluster-metadata.ts'
import { followDynamicSettings } from '../../broker/metadata/follow-settings.ts'
import { Controller } from '../../broker/metadata/controller.ts'
import type { TopicImage } from '../../broker/metadata/image.ts'
import { openStore } from '../../broker/metadata/open-store.ts'
import type { Partition } from '../../broker/replication/partition.ts'
import { ReplicaManager } from '../../broker/replication/replica-manager.ts'
import { systemClock } from '../../broker/runtime/clock.ts'
import { silentLogger } from '../../broker/runtime/logger.ts'
import type { Files } from '../../broker/storage/files.ts'
import { LogManager } from '../../broker/storage/log-manager.ts'
import { waitUntil } from './wait-until.ts'

const BROKER_ID = 1
/** Of the log directories, whatever the metadata says: a quorum that has lost everything can be played. */
const CLUSTER_ID = 'Y2x1c3Rlcm9mdGhlc2V0cw'

export interface PartsOptions {
  readonly settings?: Readonly<Record<string, string>>
  /** Of an earlier life; a new one, removed by `close`, unless given. */
  readonly directory?: string
  /** Name of the metadata file in the directory. */
  readonly metadataFile?: string
  /** Elects leaders: without it nobody leads what was led before a restart. */
  readonly withController?: boolean
  /** Of the logs; the real ones unless given. */
  readonly files?: Files
}

export interface OneBrokerParts {
  readonly config: Config
  readonly logs: LogManager
  readonly metadata: ClusterMetadata
  readonly replicas: ReplicaManager
  readonly fetchSessions: FetchSessions
  /** Creates a topic of one replica and waits until it is led here. */
  createTopic(name: string, partitions?: number, configs?: Record<string, string>): Promise<TopicImage>
  partition(topic: string, index?: number): Partition
  context(apiVersion: number, more?: Partial<RequestContext>): RequestContext
  close(): Promise<void>
}

export async function openParts(options: PartsOptions = {}): Promise<OneBrokerParts> {
  const directory = options.directory ?? (await mkdtemp(path.join(tmpdir(), 'one-broker-')))
  const quorum = `embedded:${path.join(directory, options.metadataFile ?? 'metadata.db')}`
  const logDir = path.join(directory, 'logs')
  const config = loadConfig({
    'node.id': String(BROKER_ID),
    'log.dirs': logDir,
    // Whatever is free where the tests run is enough.
    'disk.reserve.percent': '0',
    'disk.reserve.min.bytes': '0',
    'quorum.connect': quorum,
    ...options.settings,
  })
  const common = { clock: systemClock, logger: silentLogger }
  const metadata = new ClusterMetadata({ store: openStore(quorum, common), ...common })
  await metadata.open(5000)
  followDynamicSettings(metadata, config, silentLogger)
  const endpoint = { listener: 'PLAINTEXT', securityProtocol: 'PLAINTEXT', host: '127.0.0.1', port: 9092 }
  const logs = await LogManager.open({
    dirs: [...config.logDirs],
    config,
    clusterId: CLUSTER_ID,
    nodeId: BROKER_ID,
    ...(options.files === undefined ? {} : { files: options.files }),
    ...common,
  })
  const replicas = new ReplicaManager({
    brokerId: BROKER_ID,
    brokerEpoch: () => metadata.registration?.epoch ?? -1,
    config,
    logs,
    metadata,
    peers: () => {
      throw new Error('there is no other broker here')
    },
    ...common,
  })
  const offlineReplicas = replicas.offlineReplicas()
  const identity = { id: BROKER_ID, endpoints: [endpoint], rack: null, offlineReplicas }
  const registration = await metadata.register(identity, 6000)
  replicas.start()
  const controller = new Controller({ brokerId: BROKER_ID, metadata, config, ...common })
  if (options.withController === true) controller.start()
  const topics = new TopicCreator({ config, metadata, logger: silentLogger, random: () => 0 })
  const fetchSessions = new FetchSessions({ config, clock: systemClock, random: Math.random })
  const quotas = new Quotas({ config, metadata, clock: systemClock })
  const gone = new AbortController()

  return {
    config,
    logs,
    metadata,
    replicas,
    fetchSessions,
    async createTopic(name, partitions = 1, configs = {}) {
      const topic = await metadata.createTopic({
        name,
        assignment: Array.from({ length: partitions }, () => [BROKER_ID]),
        configs: new Map(Object.entries(configs)),
      })
      await waitUntil(
        () => topic.partitions.every(({ index }) => replicas.partition(name, index)?.isLeader === true),
        `${name} is led`,
      )
      return topic
    },
    partition(topic, index = 0) {
      return replicas.leader(topic, index)
    },
    context(apiVersion, more = {}) {
      return {
        brokerId: BROKER_ID,
        clusterId: CLUSTER_ID,
        config,
        metadata,
        replicas,
        topics,
        quotas,
        fetchSessions,
        // The handlers under test have nothing to do with these.
        departed: {} as DepartedBrokers,
        groups: {} as GroupCoordinator,
        producerIds: {} as ProducerIds,
        apiVersion,
        clientId: 'test',
        clientHost: '127.0.0.1',
        listener: 'PLAINTEXT',
        signal: gone.signal,
        mute: () => {},
        lend: (sizeBytes) => Buffer.alloc(sizeBytes),
        answerRoom: () => Infinity,
        ...common,
        ...more,
      }
    },
    async close() {
      gone.abort()
      await controller.close()
      await replicas.close()
      await logs.close()
      await registration.close()
      await metadata.close()
      if (options.directory === undefined) await rm(directory, { recursive: true, force: true })
    },
  }
}
