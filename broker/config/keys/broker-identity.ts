/** Who this broker is, and where it finds the others. */
import type { KeyRow } from '../key-row.ts'

export const IDENTITY_KEYS = {
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
} as const satisfies Readonly<Record<string, KeyRow>>
