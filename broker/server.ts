/**
 * One broker: builds every part in order, closes them in reverse. The only file that knows all parts.
 *
 * Start: metadata (it knows the cluster id) -> logs (they must belong to that cluster) -> sockets (so that the
 * addresses are known) -> registration (which waits until an earlier life of this broker is over, so that no
 * leadership of that life is taken up again) -> replicas, groups -> controller.
 *
 * Stop: leaderships are handed over while everything still runs; then clients are let go, parts close, logs are
 * flushed and marked clean. Each step has a bound, whatever the quorum does.
 */
import type { Config } from './config/config.ts'
import { GroupCoordinator } from './coordinator/group-coordinator.ts'
import { watchParts } from './broker-metrics.ts'
import { createDispatch, overlaps } from './dispatch.ts'
import type { BrokerParts } from './handlers/context.ts'
import { DepartedBrokers } from './handlers/departed-brokers.ts'
import { FetchSessions } from './handlers/fetch-sessions.ts'
import { ProducerIds } from './handlers/producer-ids.ts'
import { Quotas } from './handlers/quotas.ts'
import { TopicCreator } from './handlers/topic-creator.ts'
import { ClusterMetadata } from './metadata/cluster-metadata.ts'
import { Controller } from './metadata/controller.ts'
import { followDynamicSettings } from './metadata/follow-settings.ts'
import type { BrokerRegistration, Endpoint, MetadataImage } from './metadata/image.ts'
import { openStore } from './metadata/open-store.ts'
import { countLed } from './metadata/led-partitions.ts'
import type { Registration } from './metadata/registration.ts'
import type { MetadataStore } from './metadata/store.ts'
import { connectionLimits, requestMemoryBytes } from './network/connection-limits.ts'
import { Connections } from './network/connections.ts'
import { Listener } from './network/listener.ts'
import { MetricsListener } from './network/metrics-listener.ts'
import { type Network, tcp } from './network/network.ts'
import { Peer } from './network/peer.ts'
import { RequestMemory } from './network/request-memory.ts'
import { ReplicaManager } from './replication/replica-manager.ts'
import { BufferPool } from './runtime/buffer-pool.ts'
import { Closers } from './runtime/closers.ts'
import type { Clock } from './runtime/clock.ts'
import type { Logger } from './runtime/logger.ts'
import { Metrics } from './runtime/metrics.ts'
import { watchProcess } from './runtime/process-metrics.ts'
import { startCleaning } from './storage/cleaner/start-cleaning.ts'
import type { DirectoryLock } from './storage/directory-lock.ts'
import type { MeasureSpace } from './storage/disk-space.ts'
import type { Files } from './storage/files.ts'
import { LogManager } from './storage/log-manager.ts'

const QUORUM_WAIT_LOGGED_EVERY_MS = 5_000
/** A quorum that has not answered for this long is not waited for by a broker that stops. */
const QUORUM_SILENT_MS = 2_000
const SILENCE_CHECK_MS = 100
/** How long requests in process may take to finish when the broker stops. */
const IN_FLIGHT_GRACE_MS = 1_000

/** Of the memory for answers. */
const MAX_UNUSED_BUFFER_BYTES = 32 * 1024 * 1024

export interface Surroundings {
  readonly network: Network
  readonly store: MetadataStore
  readonly files: Files
  readonly lock: (directory: string) => DirectoryLock
  readonly measure: MeasureSpace
  /** Of the machine's present boot. */
  readonly bootId: string
}

export interface BrokerServerOptions {
  readonly config: Config
  readonly clock: Clock
  readonly logger: Logger
  /** [0, 1) */
  readonly random: () => number
  /** The broker can serve no longer: it is to be stopped. */
  readonly onFailure: (error: Error) => void
  /** What a simulation puts in the place of the machine; the machine's own unless given. */
  readonly surroundings?: Surroundings
}

export class BrokerServer {
  readonly #options: BrokerServerOptions
  readonly #logger: Logger
  readonly #closers: Closers
  readonly #connections: Connections
  readonly #memory: RequestMemory
  readonly #buffers = new BufferPool(MAX_UNUSED_BUFFER_BYTES)
  #quotas: Quotas | undefined
  readonly metrics = new Metrics()
  #listeners: readonly Listener[] = []
  #endpoints: readonly Endpoint[] = []
  #stopping: Promise<void> | undefined

  constructor(options: BrokerServerOptions) {
    this.#options = options
    this.#logger = options.logger.child({ brokerId: options.config.brokerId })
    this.#closers = new Closers(options.clock, this.#logger)
    this.#connections = new Connections(
      {
        ...connectionLimits(options.config),
        rateOfAddress: (address) => this.#quotas?.connectionRate(address) ?? Infinity,
      },
      options.clock,
    )
    this.#memory = new RequestMemory(requestMemoryBytes(options.config), options.clock)
  }

  get #network(): Network {
    return this.#options.surroundings?.network ?? tcp
  }

  /** Where the broker is reached, once it has started. */
  get endpoints(): readonly Endpoint[] {
    return this.#endpoints
  }

  /** Serves when it resolves. Rejects with an error that says what is wrong; whatever had been started is closed. */
  async start(): Promise<void> {
    try {
      await this.#start()
    } catch (error) {
      await this.stop()
      throw error
    }
  }

  /** Stops what has been started, in reverse; the second call waits for the first. Never rejects. */
  stop(): Promise<void> {
    this.#stopping ??= this.#closers.closeAll()
    return this.#stopping
  }

  async #start(): Promise<void> {
    const { config } = this.#options
    const startedMs = this.#options.clock.monotonicMs()
    const { metadata, clusterId } = await this.#openMetadata()
    const logs = await this.#openLogs(metadata, clusterId)
    const parts = this.#buildParts(metadata, clusterId, logs)
    await this.#serveMetrics(parts, logs)
    await this.#openListeners(parts)
    const registration = await this.#register(metadata, parts.replicas, logs)
    parts.replicas.start()
    this.#closers.push('replicas', () => parts.replicas.close())
    const stopCleaning = startCleaning({
      ...this.#options,
      logger: this.#logger,
      logs: () => logs.logs(),
      isMoving: ({ topic, partition }) => logs.moves.future(topic, partition) !== undefined,
      metrics: this.metrics,
    })
    this.#closers.push('cleaning', stopCleaning)
    parts.groups.start()
    this.#closers.push('groups', () => parts.groups.close())
    const { brokerId } = config
    const controller = new Controller({ ...this.#options, logger: this.#logger, brokerId, metadata })
    controller.start()
    this.#closers.push('controller', () => controller.close())
    // Clients are let go before the parts that serve them close.
    this.#closers.push('connections', () => this.#closeConnections())
    this.#closers.push('leaderships', () => this.#handOver(metadata, registration))
    const listeners = this.#endpoints.map(({ listener, host, port }) => `${listener}://${host}:${port}`)
    const startMs = Math.round(this.#options.clock.monotonicMs() - startedMs)
    this.#logger.info({ clusterId, listeners, startMs }, 'broker started')
  }

  async #openMetadata(): Promise<{ metadata: ClusterMetadata; clusterId: string }> {
    const { config, clock } = this.#options
    const quorum = config.get('quorum.connect')
    const timeoutMs = config.get('quorum.connect.timeout.ms')
    const store =
      this.#options.surroundings?.store ?? openStore(quorum ?? '', { clock, logger: this.#logger })
    const metadata = new ClusterMetadata({ store, clock, logger: this.#logger })
    this.#closers.push('metadata', () => metadata.close())
    const startedMs = clock.monotonicMs()
    let cancel = (): void => {}
    const logWait = (): void => {
      const waitedMs = Math.round(clock.monotonicMs() - startedMs)
      this.#logger.warn({ quorum, waitedMs, timeoutMs }, 'waiting for the metadata quorum')
      cancel = clock.after(QUORUM_WAIT_LOGGED_EVERY_MS, logWait)
    }
    cancel = clock.after(QUORUM_WAIT_LOGGED_EVERY_MS, logWait)
    try {
      await metadata.open(timeoutMs)
      // Before anybody else looks at the image: whoever reads a setting then reads the one of the moment.
      followDynamicSettings(metadata, config, this.#logger)
      return { metadata, clusterId: await metadata.ensureClusterId(timeoutMs) }
    } finally {
      cancel()
    }
  }

  async #openLogs(metadata: ClusterMetadata, clusterId: string): Promise<LogManager> {
    const { config, clock, random, surroundings } = this.#options
    this.#checkNotStopped()
    const logs = await LogManager.open({
      dirs: [...config.logDirs],
      config,
      clusterId,
      nodeId: config.brokerId,
      clock,
      random,
      logger: this.#logger,
      overridesOf: (topic) => metadata.image.topics.get(topic)?.configs ?? new Map(),
      knowsTopic: (topicId) => metadata.image.topicNames.has(topicId),
      soleReplicas: () => soleReplicas(metadata.image, config.brokerId),
      ...(surroundings && {
        files: surroundings.files,
        lock: surroundings.lock,
        measure: surroundings.measure,
        bootId: surroundings.bootId,
      }),
    })
    logs.onOffline(({ directory, remaining }) => {
      if (remaining > 0) return
      this.#options.onFailure(new Error(`no log directory is left: the last one, ${directory}, went offline`))
    })
    this.#closers.push('logs', () => logs.close())
    return logs
  }

  #buildParts(metadata: ClusterMetadata, clusterId: string, logs: LogManager): BrokerParts {
    const { config, clock, random } = this.#options
    const { brokerId } = config
    const logger = this.#logger
    const replicas = new ReplicaManager({
      brokerId,
      brokerEpoch: () => metadata.registration?.epoch ?? -1,
      config,
      logs,
      metadata,
      peers: (broker) => this.#peer(broker),
      network: this.#network,
      clock,
      logger,
    })
    const topics = new TopicCreator({ config, metadata, logger, random })
    const quotas = new Quotas({ config, metadata, clock })
    this.#quotas = quotas
    const groups = new GroupCoordinator({
      config,
      replicas,
      metadata,
      clock,
      logger,
      createTopic: (spec) => topics.create(spec),
    })
    return {
      brokerId,
      clusterId,
      config,
      clock,
      logger,
      metadata,
      departed: new DepartedBrokers(metadata, clock),
      replicas,
      groups,
      topics,
      producerIds: new ProducerIds(metadata),
      quotas,
      fetchSessions: new FetchSessions({ config, clock, random }),
    }
  }

  #peer(broker: BrokerRegistration): Peer {
    const { config, clock } = this.#options
    const name = config.interBrokerListener
    const endpoint = broker.endpoints.find(({ listener }) => listener === name)
    if (endpoint === undefined) {
      throw new Error(
        `broker ${broker.id} has no listener ${name}, which inter.broker.listener.name asks for`,
      )
    }
    const clientId = `broker-${config.brokerId}`
    const maxFrameBytes = config.get('socket.request.max.bytes')
    const { host, port } = endpoint
    return new Peer({ host, port, clientId, maxFrameBytes, clock, network: this.#network })
  }

  async #openListeners(parts: BrokerParts): Promise<void> {
    const { config, clock } = this.#options
    this.#checkNotStopped()
    const serve = createDispatch(parts, this.metrics)
    const listeners = config.listeners.map(
      (listener) =>
        new Listener({
          network: this.#network,
          config: listener,
          serve,
          overlaps,
          connections: this.#connections,
          memory: this.#memory,
          buffers: this.#buffers,
          backlog: config.get('socket.listen.backlog.size'),
          maxFrameBytes: config.get('socket.request.max.bytes'),
          maxIdleMs: config.get('connections.max.idle.ms'),
          clock,
          logger: this.#logger.child({ part: 'network' }),
        }),
    )
    this.#listeners = listeners
    this.#closers.push('sockets', () => this.#closeConnections())
    for (const listener of listeners) await listener.open()
    this.#endpoints = config.listeners.map((listener, index) => ({
      listener: listener.name,
      securityProtocol: listener.securityProtocol,
      host: listener.advertisedHost,
      port: listener.advertisedPort ?? listeners[index]!.port,
    }))
  }

  async #closeConnections(): Promise<void> {
    for (const listener of this.#listeners) listener.close()
    await this.#connections.closeAll(IN_FLIGHT_GRACE_MS)
  }

  async #register(
    metadata: ClusterMetadata,
    replicas: ReplicaManager,
    logs: LogManager,
  ): Promise<Registration> {
    const { config } = this.#options
    this.#checkNotStopped()
    const identity = {
      id: config.brokerId,
      endpoints: this.#endpoints,
      rack: config.get('broker.rack'),
      offlineReplicas: replicas.offlineReplicas(),
      completeSince: logs.completeSince(),
    }
    const registration = await metadata.register(identity, config.get('quorum.session.timeout.ms'))
    this.#closers.push('registration', () => registration.close())
    this.#checkNotStopped()
    await logs.confirmComplete(registration.epoch)
    return registration
  }

  /** Waits, for a bounded time, until other brokers lead what they can lead. */
  async #handOver(metadata: ClusterMetadata, registration: Registration): Promise<void> {
    const { config, clock } = this.#options
    const timeoutMs = config.get('controlled.shutdown.timeout.ms')
    if (!config.get('controlled.shutdown.enable') || timeoutMs === 0) return
    const silent = new AbortController()
    let cancel = (): void => {}
    const watchQuorum = (): void => {
      if (metadata.silentMs() > QUORUM_SILENT_MS) silent.abort()
      else cancel = clock.after(SILENCE_CHECK_MS, watchQuorum)
    }
    watchQuorum()
    const isDone = (image: MetadataImage): boolean => leadershipsToHandOver(image, config.brokerId) === 0
    const requested = registration.requestShutdown()
    const done = await metadata.waitFor(isDone, timeoutMs, silent.signal)
    const giveUp = clock.after(QUORUM_SILENT_MS, () => silent.abort())
    await Promise.race([requested, aborted(silent.signal)])
    giveUp()
    cancel()
    if (done) return
    const left = leadershipsToHandOver(metadata.image, config.brokerId)
    this.#logger.warn(
      { left, quorumSilentMs: metadata.silentMs() },
      'stopping with leaderships that nobody has taken',
    )
  }

  /** Serves the metrics, where that is asked for. */
  async #serveMetrics(parts: BrokerParts, logs: LogManager): Promise<void> {
    const { metricsAddress } = this.#options.config
    watchParts(this.metrics, {
      ...parts,
      logs,
      connections: this.#connections,
      memory: this.#memory,
    })
    if (metricsAddress === undefined) return
    this.#closers.push('process metrics', watchProcess(this.metrics))
    const listener = new MetricsListener(metricsAddress, this.metrics, this.#logger)
    await listener.open()
    this.#closers.push('metrics listener', () => listener.close())
    this.#logger.info({ url: listener.url }, 'serving metrics')
  }

  #checkNotStopped(): void {
    if (this.#stopping !== undefined) throw new Error('stopped while it was starting')
  }
}

/** Partitions of which no other replica is in sync. */
function soleReplicas(image: MetadataImage, brokerId: number): { topic: string; partition: number }[] {
  return [...image.topics.values()].flatMap(({ name, partitions }) =>
    partitions
      .filter(({ isr }) => isr.length === 1 && isr[0] === brokerId)
      .map(({ index }) => ({ topic: name, partition: index })),
  )
}

/** Partitions led here that another replica could lead: in sync, alive, and not stopping itself. */
function leadershipsToHandOver(image: MetadataImage, brokerId: number): number {
  const canLead = (id: number): boolean => id !== brokerId && image.brokers.get(id)?.shuttingDown === false
  return countLed(image, brokerId, ({ isr }) => isr.some(canLead))
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
