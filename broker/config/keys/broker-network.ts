/** Listeners, connections, and what requests may take up. */
import { INT_MAX, type KeyRow, MiB } from '../key-row.ts'

export const NETWORK_KEYS = {
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
  'queued.max.request.bytes': {
    type: 'long',
    default: -1,
    doc: 'Bytes of all requests that have been received, in whole or in part, and not answered. Beyond it, connections with half a request wait in line. -1 stands for 256 MiB; it is never less than socket.request.max.bytes.',
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
    dynamic: 'cluster',
    doc: 'Connections that this broker serves at the same time; those beyond are closed at once.',
  },
  'max.connections.per.ip': {
    type: 'int',
    default: INT_MAX,
    min: 0,
    dynamic: 'cluster',
    doc: 'Connections that one address may have at the same time; those beyond are closed at once.',
  },
  'max.connections.per.ip.overrides': {
    type: 'string',
    default: '',
    dynamic: 'cluster',
    doc: 'Addresses with a limit of their own in place of max.connections.per.ip, as address:number, comma-separated.',
  },
  'max.connection.creation.rate': {
    type: 'int',
    default: INT_MAX,
    min: 0,
    dynamic: 'cluster',
    doc: 'New connections that this broker accepts per second; more of them wait.',
  },
  'max.request.partition.size.limit': {
    type: 'int',
    default: 2_000,
    min: 1,
    doc: 'Partitions that one answer to DescribeTopicPartitions holds at most.',
  },
  'metrics.listener': {
    type: 'string',
    default: null,
    doc: 'Where the metrics are served to Prometheus, over HTTP under /metrics: http://host:port. Not at all unless given, and to nobody but whom that address reaches.',
  },
} as const satisfies Readonly<Record<string, KeyRow>>
