/** Produce and InitProducerId. */
import { InitProducerId } from '../../../broker/protocol/apis/init-producer-id.ts'
import { Produce } from '../../../broker/protocol/apis/produce.ts'
import { crc32c } from '../../../broker/protocol/crc32c.ts'
import { encodeBatch } from '../../../broker/protocol/record-codec.ts'
import { batchOfTexts } from '../../support/records.ts'
import { type Area, ask, eventually, type Step, unanswered } from '../case.ts'
import type { Scene } from '../scene.ts'

const T0 = 1_700_000_000_000
const UNKNOWN_ID = 'ABEiM0RVZneImaq7zN3u_w'

const one = batchOfTexts(['a'], { timestamp: T0 })

interface Options {
  readonly topic?: string
  readonly index?: number
  readonly acks?: number
  readonly version?: number
  readonly transactionalId?: string | null
}

function send(records: Buffer | ((scene: Scene) => Buffer), options: Options = {}): Step {
  const { topic = 'log', index = 0, acks = -1, version = 9, transactionalId = null } = options
  return ask(Produce, version, (scene) => ({
    transactionalId,
    acks,
    timeoutMs: 5000,
    topicData: [
      {
        name: topic,
        partitionData: [{ index, records: typeof records === 'function' ? records(scene) : records }],
      },
    ],
  }))
}

/** The batch with a byte changed; its checksum is that of the change unless told otherwise. */
function changed(position: number, value: number, options: { keepChecksum?: boolean } = {}): Buffer {
  const batch = Buffer.from(one)
  batch.writeUInt8(value, position)
  if (options.keepChecksum !== true) batch.writeUInt32BE(crc32c(batch.subarray(21)), 17)
  return batch
}

/** A batch with a field of its header set. */
function withField(write: (batch: Buffer) => void): Buffer {
  const batch = Buffer.from(one)
  write(batch)
  batch.writeUInt32BE(crc32c(batch.subarray(21)), 17)
  return batch
}

function sequenced(baseSequence: number, options: { epoch?: number; count?: number } = {}) {
  const { epoch = 0, count = 1 } = options
  return (scene: Scene): Buffer =>
    batchOfTexts(
      Array.from({ length: count }, (_, index) => `v${index}`),
      { timestamp: T0, producerId: scene.producerId, producerEpoch: epoch, baseSequence },
    )
}

const newProducer = eventually(ask(InitProducerId, 4, { transactionalId: null, transactionTimeoutMs: 1000 }))

const cases: Area['cases'] = {
  'a batch': send(one),
  'a batch to a second partition': send(one, { index: 1 }),
  'version 3': send(one, { version: 3 }),
  'version 5': send(one, { version: 5 }),
  'version 7': send(one, { version: 7 }),
  'version 8': send(one, { version: 8 }),
  'version 12': send(one, { version: 12 }),
  'a batch by topic id': ask(Produce, 13, (scene) => ({
    acks: -1,
    timeoutMs: 5000,
    topicData: [{ topicId: scene.topicId('log'), partitionData: [{ index: 0, records: one }] }],
  })),
  'an unknown topic id': ask(Produce, 13, {
    acks: -1,
    timeoutMs: 5000,
    topicData: [{ topicId: UNKNOWN_ID, partitionData: [{ index: 0, records: one }] }],
  }),
  'an unknown topic': send(one, { topic: 'nowhere' }),
  'an unknown topic in version 12': send(one, { topic: 'nowhere', version: 12 }),
  'a topic name that is not valid': send(one, { topic: 'a b' }),
  'an empty topic name': send(one, { topic: '' }),
  'an unknown partition': send(one, { index: 9 }),
  'a negative partition': send(one, { index: -1 }),
  'good and bad partitions': ask(Produce, 9, {
    acks: -1,
    timeoutMs: 5000,
    topicData: [
      {
        name: 'log',
        partitionData: [
          { index: 0, records: one },
          { index: 9, records: one },
        ],
      },
      { name: 'nowhere', partitionData: [{ index: 0, records: one }] },
    ],
  }),
  'no topics': ask(Produce, 9, { acks: -1, timeoutMs: 5000, topicData: [] }),
  'no partitions': ask(Produce, 9, {
    acks: -1,
    timeoutMs: 5000,
    topicData: [{ name: 'log', partitionData: [] }],
  }),
  'acks of 2': send(one, { acks: 2 }),
  'acks of -2': send(one, { acks: -2 }),
  'acks of 0': unanswered(send(one, { acks: 0 })),
  'acks of 0 to an unknown topic': unanswered(send(one, { acks: 0, topic: 'nowhere' })),
  'acks of 1': send(one, { acks: 1 }),
  'empty records': send(Buffer.alloc(0)),
  'a batch without records': send(encodeBatch([{ timestamp: T0, key: null, value: null }]).subarray(0, 61)),
  'ten bytes': send(Buffer.alloc(10)),
  'a batch that is cut': send(one.subarray(0, -1)),
  'a batch with bytes after it': send(Buffer.concat([one, Buffer.from([1, 2, 3])])),
  'two batches': send(Buffer.concat([one, one])),
  'a wrong checksum': send(changed(one.length - 2, 0x7a, { keepChecksum: true })),
  'magic 0': send(changed(16, 0)),
  'magic 1': send(changed(16, 1)),
  'magic 3': send(changed(16, 3)),
  'an unknown codec': send(changed(22, 7)),
  'a codec that the bytes are not in': send(changed(22, 1)),
  'a control batch': send(changed(22, 0x20)),
  'append time chosen by the client': send(changed(22, 0x08), { topic: 'refused' }),
  'a count that is too large': send(withField((batch) => batch.writeInt32BE(5, 57))),
  'a count of zero': send(withField((batch) => batch.writeInt32BE(0, 57))),
  'a negative count': send(withField((batch) => batch.writeInt32BE(-1, 57))),
  'a last offset that is too large': send(withField((batch) => batch.writeInt32BE(5, 23))),
  'a negative last offset': send(withField((batch) => batch.writeInt32BE(-1, 23))),
  'a length that is too small': send(withField((batch) => batch.writeInt32BE(10, 8))),
  'a negative length': send(withField((batch) => batch.writeInt32BE(-10, 8))),
  'a base offset': send(withField((batch) => batch.writeInt32BE(77, 4))),
  'a leader epoch': send(withField((batch) => batch.writeInt32BE(77, 12))),
  'a batch that is too large': send(batchOfTexts(['x'.repeat(2000)], { timestamp: T0 }), { topic: 'small' }),
  'a record without key in a compacted topic': send(one, { topic: 'compacted' }),
  'a record with key in a compacted topic': send(
    encodeBatch([{ timestamp: T0, key: Buffer.from('k'), value: null }]),
    { topic: 'compacted' },
  ),
  'a timestamp that is too old': send(one, { topic: 'recent' }),
  'a timestamp in the future': send(batchOfTexts(['a'], { timestamp: Date.now() + 86_400_000 }), {
    topic: 'recent',
  }),
  'a timestamp of -1': send(batchOfTexts(['a'], { timestamp: -1 })),
  'append time set by the topic': send(one, { topic: 'append-time' }),
  gzip: send(batchOfTexts(['a', 'b'], { timestamp: T0, codec: 'gzip' })),
  zstd: send(batchOfTexts(['a', 'b'], { timestamp: T0, codec: 'zstd' })),
  'zstd in version 3': send(batchOfTexts(['a', 'b'], { timestamp: T0, codec: 'zstd' }), { version: 3 }),
  'an internal topic': send(one, { topic: '__consumer_offsets' }),
  'a producer id': newProducer,
  'a producer id for an id and no epoch': ask(InitProducerId, 4, {
    transactionalId: null,
    transactionTimeoutMs: 1000,
    producerId: 5,
    producerEpoch: -1,
  }),
  'a producer id for an epoch and no id': ask(InitProducerId, 4, {
    transactionalId: null,
    transactionTimeoutMs: 1000,
    producerId: -1,
    producerEpoch: 5,
  }),
  'an empty transactional id': ask(InitProducerId, 4, { transactionalId: '', transactionTimeoutMs: 1000 }),
  'sequences in order': [
    newProducer,
    send(sequenced(0)),
    send(sequenced(1, { count: 3 })),
    send(sequenced(4)),
  ],
  'a sequence that does not begin at 0': [newProducer, send(sequenced(5))],
  'a gap between sequences': [newProducer, send(sequenced(0)), send(sequenced(5))],
  'a sequence that comes again': [newProducer, send(sequenced(0)), send(sequenced(0))],
  'the first of two that comes again': [
    newProducer,
    send(sequenced(0)),
    send(sequenced(1)),
    send(sequenced(0)),
  ],
  'a sequence below the last five': [
    newProducer,
    ...[0, 1, 2, 3, 4, 5, 6].map((sequence) => send(sequenced(sequence))),
    send(sequenced(0)),
  ],
  'a sequence that overlaps': [
    newProducer,
    send(sequenced(0, { count: 3 })),
    send(sequenced(1, { count: 3 })),
  ],
  'an older epoch': [newProducer, send(sequenced(0, { epoch: 3 })), send(sequenced(0, { epoch: 2 }))],
  'a newer epoch': [newProducer, send(sequenced(0)), send(sequenced(0, { epoch: 1 }))],
  'a newer epoch that does not begin at 0': [
    newProducer,
    send(sequenced(0)),
    send(sequenced(1, { epoch: 1 })),
  ],
  'a sequence without an epoch': [newProducer, send(sequenced(0, { epoch: -1 }))],
  'an epoch without a sequence': [newProducer, send(sequenced(-1))],
}

export const produce: Area = {
  name: 'produce',
  topics: {
    log: { partitions: 2 },
    // Of which more than one broker may take what the other refuses.
    refused: {},
    small: { configs: { 'max.message.bytes': '1000' } },
    compacted: { configs: { 'cleanup.policy': 'compact' } },
    recent: {
      configs: { 'message.timestamp.before.max.ms': '60000', 'message.timestamp.after.max.ms': '60000' },
    },
    'append-time': { configs: { 'message.timestamp.type': 'LogAppendTime' } },
  },
  cases,
}
