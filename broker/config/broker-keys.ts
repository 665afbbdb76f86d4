/** Every key of server.properties that the broker acts on, with Apache Kafka's names and, unless a line says why not, its defaults. */
import { type KeyRow, LONG_MAX, type ValueOf } from './key-row.ts'

const KiB = 1024
const MiB = 1024 * KiB
const GiB = 1024 * MiB
const INT_MAX = 2 ** 31 - 1

export const BROKER_KEYS = {
  // Who this broker is, and where it finds the others.
  'node.id': {
    type: 'int',
    default: null,
    min: 0,
    required: true,
    doc: 'Id of this broker, unique in the cluster. It is also written into meta.properties of every log directory.',
  },
  'broker.id': {
    type: 'int',
    default: -1,
    doc: 'Older name of node.id. If both are given they must agree.',
  },
  'broker.rack': {
    type: 'string',
    default: null,
    doc: 'Rack or availability zone of this broker; replicas of a partition are spread over racks.',
  },
  'quorum.connect': {
    type: 'string',
    default: null,
    required: true,
    doc: 'The metadata quorum: host:port,host:port/chroot of the etcd members, or embedded:/path/to/metadata.db for brokers that share one machine.',
  },
  'quorum.connect.timeout.ms': {
    type: 'int',
    default: 30_000,
    min: 1,
    doc: 'How long a starting broker waits for the metadata quorum before it gives up.',
  },
  'quorum.session.timeout.ms': {
    type: 'int',
    default: 6_000,
    min: 1_000,
    doc: 'A broker from which the metadata quorum has heard nothing for this long is taken for dead.',
  },

  // Network.
  listeners: {
    type: 'list',
    default: ['PLAINTEXT://:9092'],
    doc: 'What to listen on: NAME://host:port, comma-separated. An empty host means every address of the machine; port 0 means any free port.',
  },
  'advertised.listeners': {
    type: 'list',
    default: null,
    doc: 'What clients and brokers are told to connect to, where that differs from listeners: a name or address that they can reach.',
  },
  'listener.security.protocol.map': {
    type: 'list',
    default: ['PLAINTEXT:PLAINTEXT'],
    doc: 'Security protocol of each listener, as NAME:PROTOCOL. PLAINTEXT is the protocol that is served.',
  },
  'inter.broker.listener.name': {
    type: 'string',
    default: null,
    doc: 'Listener that brokers use among themselves; by default the first one.',
  },
  'socket.request.max.bytes': {
    type: 'int',
    default: 100 * MiB,
    min: 1,
    doc: 'A larger request closes its connection.',
  },
  // Apache Kafka's 50 is too few for one thread: clients that reconnect together are put off for a second each.
  'socket.listen.backlog.size': {
    type: 'int',
    default: 511,
    min: 1,
    doc: 'Connections that the system may hold ready before they are accepted.',
  },
  'connections.max.idle.ms': {
    type: 'long',
    default: 600_000,
    doc: 'A connection without a request for this long is closed; -1 keeps it open.',
  },
  'max.connections': {
    type: 'int',
    default: INT_MAX,
    min: 0,
    doc: 'Connections that this broker serves at the same time; those beyond are closed at once.',
  },

  // Topics.
  'auto.create.topics.enable': {
    type: 'boolean',
    default: true,
    doc: 'Create a topic when a client that allows it asks for one that does not exist.',
  },
  'delete.topic.enable': {
    type: 'boolean',
    default: true,
    doc: 'Whether topics can be deleted.',
  },
  'num.partitions': {
    type: 'int',
    default: 1,
    min: 1,
    doc: 'Partitions of a topic that is created without saying how many.',
  },
  'default.replication.factor': {
    type: 'int',
    default: 1,
    min: 1,
    doc: 'Replicas of a topic that is created without saying how many.',
  },
  'min.insync.replicas': {
    type: 'int',
    default: 1,
    min: 1,
    doc: 'Replicas that must be in sync for a record with acks=all to be accepted.',
  },
  'unclean.leader.election.enable': {
    type: 'boolean',
    default: false,
    doc: 'Let a replica that is not in sync become leader when no other is left: records may be lost.',
  },

  // Logs.
  'log.dir': {
    type: 'string',
    default: '/tmp/kafka-logs',
    doc: 'The directory of the partitions when log.dirs is not given.',
  },
  'log.dirs': {
    type: 'list',
    default: null,
    doc: 'Directories of the partitions, comma-separated; by default the one in log.dir.',
  },
  'message.max.bytes': {
    type: 'int',
    default: MiB + 12,
    min: 0,
    doc: 'Largest record batch, after compression, that is accepted.',
  },
  'compression.type': {
    type: 'string',
    default: 'producer',
    values: ['uncompressed', 'zstd', 'lz4', 'snappy', 'gzip', 'producer'],
    withoutEffect: 'records are kept as the producer has compressed them',
    doc: 'Compression of the records on disk; "producer" keeps what the producer chose.',
  },
  'log.segment.bytes': {
    type: 'int',
    default: GiB,
    min: MiB,
    doc: 'Roll to a new segment file once the active one reaches this size.',
  },
  'log.roll.ms': {
    type: 'long',
    default: null,
    min: 1,
    doc: 'Roll to a new segment file once the active one is this old; by default log.roll.hours.',
  },
  'log.roll.hours': {
    type: 'int',
    default: 168,
    min: 1,
    doc: 'Roll to a new segment file once the active one is this old.',
  },
  'log.index.interval.bytes': {
    type: 'int',
    default: 4 * KiB,
    min: 0,
    doc: 'Bytes of records between two entries of the offset index.',
  },
  'log.index.size.max.bytes': {
    type: 'int',
    default: 10 * MiB,
    min: 4,
    doc: 'Largest size of an index file.',
  },
  'log.cleanup.policy': {
    type: 'list',
    default: ['delete'],
    values: ['delete', 'compact'],
    withoutEffect: 'old records are kept, and none are compacted away',
    doc: 'What happens to old records: delete them, or keep the last one of each key.',
  },
  'log.retention.ms': {
    type: 'long',
    default: null,
    min: -1,
    withoutEffect: 'old records are kept',
    doc: 'How long records are kept; -1 for ever; by default log.retention.minutes, then log.retention.hours.',
  },
  'log.retention.minutes': {
    type: 'int',
    default: null,
    min: -1,
    withoutEffect: 'old records are kept',
    doc: 'How long records are kept; by default log.retention.hours.',
  },
  'log.retention.hours': {
    type: 'int',
    default: 168,
    min: -1,
    withoutEffect: 'old records are kept',
    doc: 'How long records are kept; -1 for ever.',
  },
  'log.retention.bytes': {
    type: 'long',
    default: -1,
    min: -1,
    withoutEffect: 'old records are kept',
    doc: 'Largest size of a partition before its oldest segments are deleted; -1 for no limit.',
  },
  'log.segment.delete.delay.ms': {
    type: 'long',
    default: 60_000,
    min: 0,
    doc: 'How long the files of a deleted partition or segment stay on disk.',
  },
  'log.message.timestamp.type': {
    type: 'string',
    default: 'CreateTime',
    values: ['CreateTime', 'LogAppendTime'],
    doc: "Whether a record carries the producer's time or the time of its append.",
  },
  'log.message.timestamp.before.max.ms': {
    type: 'long',
    default: LONG_MAX,
    min: 0,
    doc: 'How far in the past the timestamp of a new record may lie.',
  },
  'log.message.timestamp.after.max.ms': {
    type: 'long',
    default: 3_600_000,
    min: 0,
    doc: 'How far in the future the timestamp of a new record may lie.',
  },
  'log.flush.interval.messages': {
    type: 'long',
    default: LONG_MAX,
    min: 1,
    doc: 'Force a partition to disk after this many records.',
  },
  'log.flush.interval.ms': {
    type: 'long',
    default: null,
    min: 0,
    doc: 'Force a partition to disk when its records are this old; by default replication is trusted instead.',
  },
  'log.flush.offset.checkpoint.interval.ms': {
    type: 'int',
    default: 60_000,
    min: 0,
    doc: 'How often the offsets up to which logs are on disk are written down, where recovery begins.',
  },
  'producer.id.expiration.ms': {
    type: 'int',
    default: 86_400_000,
    min: 1,
    doc: 'How long a partition remembers the sequence numbers of a producer that has gone silent.',
  },

  // Replication.
  'replica.lag.time.max.ms': {
    type: 'long',
    default: 30_000,
    min: 1,
    doc: 'A follower that has not caught up for this long leaves the in-sync replicas.',
  },
  'replica.fetch.wait.max.ms': {
    type: 'int',
    default: 500,
    min: 0,
    doc: 'Longest time that a leader holds a fetch of a follower while there is nothing new.',
  },
  'replica.fetch.min.bytes': {
    type: 'int',
    default: 1,
    min: 0,
    doc: 'Bytes that a follower waits for, up to replica.fetch.wait.max.ms.',
  },
  'replica.fetch.max.bytes': {
    type: 'int',
    default: MiB,
    min: 0,
    doc: 'Bytes per partition that a follower asks for at a time.',
  },
  'replica.fetch.response.max.bytes': {
    type: 'int',
    default: 10 * MiB,
    min: 0,
    doc: 'Bytes over all partitions that a follower asks for at a time.',
  },
  'replica.fetch.backoff.ms': {
    type: 'int',
    default: 1_000,
    min: 0,
    doc: 'How long a follower waits after a failed fetch.',
  },
  'replica.high.watermark.checkpoint.interval.ms': {
    type: 'long',
    default: 5_000,
    min: 1,
    doc: 'How often the high watermarks are written down.',
  },
  'controlled.shutdown.enable': {
    type: 'boolean',
    default: true,
    doc: 'Hand leadership over before stopping.',
  },
  'controlled.shutdown.timeout.ms': {
    type: 'int',
    default: 6_000,
    min: 0,
    max: 6_000,
    doc: 'Longest time that a stopping broker waits for others to take over its leaderships.',
  },

  // Fetches and groups.
  'fetch.max.bytes': {
    type: 'int',
    default: 55 * MiB,
    min: KiB,
    doc: 'Bytes that one answer to a fetch holds at most.',
  },
  'offsets.topic.num.partitions': {
    type: 'int',
    default: 50,
    min: 1,
    doc: 'Partitions of __consumer_offsets; must not change once the topic exists.',
  },
  'offsets.topic.replication.factor': {
    type: 'short',
    default: 3,
    min: 1,
    doc: 'Replicas of __consumer_offsets.',
  },
  'offsets.topic.segment.bytes': {
    type: 'int',
    default: 100 * MiB,
    min: MiB,
    doc: 'Segment size of __consumer_offsets.',
  },
  'offsets.commit.timeout.ms': {
    type: 'int',
    default: 5_000,
    min: 1,
    doc: 'How long an offset commit waits for the in-sync replicas.',
  },
  'offset.metadata.max.bytes': {
    type: 'int',
    default: 4 * KiB,
    min: 0,
    doc: 'Largest text that a client may attach to a committed offset.',
  },
  'group.initial.rebalance.delay.ms': {
    type: 'int',
    default: 3_000,
    min: 0,
    doc: 'How long an empty group waits for more members before its first assignment.',
  },
  'group.min.session.timeout.ms': {
    type: 'int',
    default: 6_000,
    min: 1,
    doc: 'Shortest session timeout that a member may ask for.',
  },
  'group.max.session.timeout.ms': {
    type: 'int',
    default: 1_800_000,
    min: 1,
    doc: 'Longest session timeout that a member may ask for.',
  },
  'group.max.size': {
    type: 'int',
    default: INT_MAX,
    min: 1,
    doc: 'Members that a group may have.',
  },
} as const satisfies Readonly<Record<string, KeyRow>>

export type BrokerKey = keyof typeof BROKER_KEYS
export type BrokerValue<Key extends BrokerKey> = ValueOf<(typeof BROKER_KEYS)[Key]>

export function isBrokerKey(key: string): key is BrokerKey {
  return Object.hasOwn(BROKER_KEYS, key)
}

/**
 * Keys that Apache Kafka has and whose purpose something else serves here: accepted with this explanation, so that
 * a server.properties that was written for Kafka starts this broker as it is.
 */
export const OTHER_KEYS: Readonly<Record<string, string>> = {
  'zookeeper.connect': 'there is no ZooKeeper: quorum.connect names the metadata quorum, in the same syntax',
  'zookeeper.connection.timeout.ms': 'there is no ZooKeeper: see quorum.connect.timeout.ms',
  'zookeeper.session.timeout.ms': 'there is no ZooKeeper: see quorum.session.timeout.ms',
  'process.roles': 'every node is a broker, and any of them may be the controller',
  'controller.quorum.voters': 'quorum.connect names the metadata quorum',
  'controller.quorum.bootstrap.servers': 'quorum.connect names the metadata quorum',
  'controller.listener.names':
    'brokers reach the metadata quorum by quorum.connect, without a listener of their own',
  'num.network.threads': 'requests are served by one thread',
  'num.io.threads': 'requests are served by one thread',
  'auto.leader.rebalance.enable': 'leadership always goes back to the first replica once that is in sync',
  'leader.imbalance.check.interval.seconds': 'the controller looks every five minutes',
  'background.threads': 'requests are served by one thread',
  'num.recovery.threads.per.data.dir': 'log directories are recovered side by side without threads',
  'socket.send.buffer.bytes': "the operating system's own socket buffers are used",
  'socket.receive.buffer.bytes': "the operating system's own socket buffers are used",
}
