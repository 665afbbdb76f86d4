/**
 * Keys that Apache Kafka has, now or in an older release, and that change nothing here: accepted with the reason, so that
 * a server.properties that was written for Kafka starts this broker as it is. An entry that ends in a dot stands for
 * every key that begins with it.
 */

interface KeysWithoutEffect {
  readonly why: string
  readonly keys: readonly string[]
}

const TABLE: readonly KeysWithoutEffect[] = [
  {
    why: 'there is no ZooKeeper: quorum.connect names the metadata quorum, in the same syntax',
    keys: ['zookeeper.connect'],
  },
  {
    why: 'there is no ZooKeeper: quorum.connect.timeout.ms and quorum.session.timeout.ms are what waits for the metadata quorum',
    keys: ['zookeeper.'],
  },
  {
    why: 'every node is a broker, and any of them may be the controller',
    keys: ['process.roles', 'broker.id.generation.enable', 'reserved.broker.max.id'],
  },
  {
    why: 'the metadata quorum is etcd, which quorum.connect names; there is no KRaft',
    keys: [
      'controller.quorum.',
      'controller.performance.',
      'controller.socket.timeout.ms',
      'metadata.',
      'internal.metadata.',
      'initial.broker.registration.timeout.ms',
      'server.max.startup.time.ms',
    ],
  },
  {
    why: 'brokers reach the metadata quorum by quorum.connect, without a listener of their own',
    keys: ['controller.listener.names', 'early.start.listeners', 'control.plane.listener.name'],
  },
  {
    why: 'a broker is known for as long as its session with the metadata quorum: see quorum.session.timeout.ms',
    keys: ['broker.heartbeat.interval.ms', 'broker.session.timeout.ms'],
  },
  {
    why: 'requests are served by one thread, which also compacts, recovers and expires',
    keys: [
      'num.network.threads',
      'num.io.threads',
      'background.threads',
      'log.cleaner.threads',
      'group.coordinator.threads',
      'group.coordinator.background.threads',
    ],
  },
  {
    why: 'log directories are recovered side by side without threads',
    keys: ['num.recovery.threads.per.data.dir'],
  },
  {
    why: 'a broker follows each leader over one connection',
    keys: ['num.replica.fetchers'],
  },
  {
    why: 'copying between log directories takes no threads',
    keys: ['num.replica.alter.log.dirs.threads'],
  },
  {
    why: 'leadership always goes back to the first replica once that is in sync',
    keys: ['auto.leader.rebalance.enable', 'leader.imbalance.per.broker.percentage'],
  },
  {
    why: 'the controller looks every five minutes',
    keys: ['leader.imbalance.check.interval.seconds'],
  },
  {
    why: 'the controller elects when brokers come and go, without looking in between',
    keys: ['unclean.leader.election.interval.ms'],
  },
  {
    why: "the operating system's own socket buffers are used",
    keys: ['socket.send.buffer.bytes', 'socket.receive.buffer.bytes', 'replica.socket.receive.buffer.bytes'],
  },
  {
    why: 'each connection has one request in process; queued.max.request.bytes bounds them all',
    keys: ['queued.max.requests'],
  },
  {
    why: 'connections between brokers have fixed time limits',
    keys: [
      'replica.socket.timeout.ms',
      'request.timeout.ms',
      'socket.connection.setup.timeout.ms',
      'socket.connection.setup.timeout.max.ms',
    ],
  },
  {
    why: 'a request that waits is forgotten as soon as it is answered',
    keys: [
      'fetch.purgatory.purge.interval.requests',
      'producer.purgatory.purge.interval.requests',
      'delete.records.purgatory.purge.interval.requests',
    ],
  },
  {
    why: 'classes of Java cannot be loaded here',
    keys: [
      'alter.config.policy.class.name',
      'create.topic.policy.class.name',
      'client.quota.callback.',
      'config.providers',
      'config.providers.',
      'principal.builder.class',
      'replica.selector.class',
      'security.providers',
    ],
  },
  {
    why: 'metrics are served to Prometheus at metrics.listener',
    keys: [
      'kafka.metrics.',
      'metric.reporters',
      'metrics.num.samples',
      'metrics.recording.level',
      'metrics.sample.window.ms',
      'metrics.jmx.',
      'auto.include.jmx.reporter',
      'telemetry.max.bytes',
    ],
  },
  {
    why: 'records are kept on local disks only',
    keys: ['remote.', 'follower.fetch.last.tiered.offset.enable'],
  },
  {
    why: 'PLAINTEXT is the protocol that is served: there is no TLS, no SASL and no authorizer yet',
    keys: [
      'ssl.',
      'sasl.',
      'delegation.token.',
      'authorizer.class.name',
      'super.users',
      'allow.everyone.if.no.acl.found',
      'connections.max.reauth.ms',
      'connection.failed.authentication.delay.ms',
      'security.inter.broker.protocol',
      'listener.name.',
      'password.encoder.',
    ],
  },
  {
    why: 'transactions are not served yet',
    keys: ['transaction.', 'transactional.id.expiration.ms', 'add.partitions.to.txn.'],
  },
  {
    why: 'groups use the classic protocol',
    keys: ['group.consumer.', 'group.coordinator.rebalance.protocols', 'group.coordinator.new.enable'],
  },
  { why: 'there are no share groups', keys: ['group.share.', 'share.'] },
  { why: 'there are no Streams groups', keys: ['group.streams.'] },
  {
    why: 'the state of groups is written as it comes, in batches of a fixed size',
    keys: [
      'group.coordinator.append.linger.ms',
      'group.coordinator.cached.buffer.max.bytes',
      'offsets.load.buffer.size',
      'offsets.topic.compression.codec',
      'offsets.commit.required.acks',
    ],
  },
  {
    why: 'committed offsets do not expire yet',
    keys: ['offsets.retention.minutes', 'offsets.retention.check.interval.ms'],
  },
  {
    why: 'the traffic of replicas is not limited',
    keys: ['replication.quota.', 'alter.log.dirs.replication.quota.'],
  },
  {
    why: 'a broker takes a failed directory offline by itself, and stops when none is left',
    keys: ['log.dir.failure.timeout.ms'],
  },
  { why: 'new partitions go to every log directory', keys: ['cordoned.log.dirs'] },
  {
    why: 'what a broker serves does not depend on a version that is set',
    keys: [
      'inter.broker.protocol.version',
      'log.message.format.version',
      'log.message.downconversion.enable',
      'unstable.api.versions.enable',
      'unstable.feature.versions.enable',
    ],
  },
  {
    why: 'log.message.timestamp.before.max.ms and log.message.timestamp.after.max.ms took its place',
    keys: ['log.message.timestamp.difference.max.ms'],
  },
  {
    why: 'default quotas are kept in the metadata: kafka-configs --entity-type clients --entity-default sets them',
    keys: ['quota.producer.default', 'quota.consumer.default'],
  },
  {
    why: 'controlled.shutdown.timeout.ms bounds the attempts',
    keys: ['controlled.shutdown.max.retries', 'controlled.shutdown.retry.backoff.ms'],
  },
]

const exact = new Map<string, string>()
const prefixes: (readonly [string, string])[] = []
for (const { why, keys } of TABLE) {
  for (const key of keys) {
    if (key.endsWith('.')) prefixes.push([key, why])
    else exact.set(key, why)
  }
}

/** Why a key of Kafka's changes nothing here; undefined for a key that is none of those. */
export function whyWithoutEffect(key: string): string | undefined {
  return exact.get(key) ?? prefixes.find(([prefix]) => key.startsWith(prefix))?.[1]
}

/** The table for its page: keys (those that end in a dot: all that begin so) with their reason. */
export const KEYS_WITHOUT_EFFECT: readonly KeysWithoutEffect[] = TABLE
