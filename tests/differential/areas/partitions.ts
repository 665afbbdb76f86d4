/** DeleteRecords, DescribeProducers and DescribeTopicPartitions. */
import { DeleteRecords } from '../../../broker/protocol/apis/delete-records.ts'
import { DescribeProducers } from '../../../broker/protocol/apis/describe-producers.ts'
import { DescribeTopicPartitions } from '../../../broker/protocol/apis/describe-topic-partitions.ts'
import { Fetch } from '../../../broker/protocol/apis/fetch.ts'
import { InitProducerId } from '../../../broker/protocol/apis/init-producer-id.ts'
import { ListOffsets } from '../../../broker/protocol/apis/list-offsets.ts'
import { Produce } from '../../../broker/protocol/apis/produce.ts'
import { encodeBatch } from '../../../broker/protocol/record-codec.ts'
import { batchOfTexts } from '../../support/records.ts'
import { type Area, ask, eventually, type Step } from '../case.ts'

const T0 = 1_700_000_000_000

function write(name: string, texts: readonly string[]): Step {
  const keyed = texts.map((text) => ({ timestamp: T0, key: Buffer.from(text), value: Buffer.from(text) }))
  return ask(Produce, 9, {
    acks: -1,
    timeoutMs: 5000,
    topicData: [{ name, partitionData: [{ index: 0, records: encodeBatch(keyed) }] }],
  })
}

function drop(offset: number, options: { topic?: string; index?: number; version?: number } = {}): Step {
  const { topic = 'dropped', index = 0, version = 2 } = options
  return ask(DeleteRecords, version, {
    topics: [{ name: topic, partitions: [{ partitionIndex: index, offset }] }],
    timeoutMs: 5000,
  })
}

const earliest = ask(ListOffsets, 7, {
  replicaId: -1,
  isolationLevel: 0,
  topics: [{ name: 'dropped', partitions: [{ partitionIndex: 0, timestamp: -2 }] }],
})

function read(fetchOffset: number): Step {
  return ask(Fetch, 12, {
    maxWaitMs: 0,
    minBytes: 1,
    topics: [{ topic: 'dropped', partitions: [{ partition: 0, fetchOffset, partitionMaxBytes: 10_000 }] }],
  })
}

function producersOf(name: string, partitionIndexes: number[]): Step {
  return ask(DescribeProducers, 0, { topics: [{ name, partitionIndexes }] })
}

interface Page {
  readonly limit?: number
  readonly cursor?: { readonly topicName: string; readonly partitionIndex: number } | null
}

function describe(names: readonly string[], { limit = 2000, cursor = null }: Page = {}): Step {
  return ask(DescribeTopicPartitions, 0, {
    topics: names.map((name) => ({ name })),
    responsePartitionLimit: limit,
    cursor,
  })
}

const twoTopics = ['wide', 'dropped']

export const partitions: Area = {
  name: 'partitions',
  topics: {
    dropped: {},
    kept: { configs: { 'cleanup.policy': 'compact' } },
    both: { configs: { 'cleanup.policy': 'compact,delete' } },
    wide: { partitions: 5 },
    written: { partitions: 2 },
  },
  prepare: [
    write('dropped', ['a', 'b', 'c', 'd']),
    write('dropped', ['e', 'f', 'g', 'h']),
    write('kept', ['a', 'b']),
    write('both', ['a', 'b']),
    eventually(ask(InitProducerId, 4, { transactionalId: null, transactionTimeoutMs: 1000 })),
    ask(Produce, 9, (scene) => ({
      acks: -1,
      timeoutMs: 5000,
      topicData: [
        {
          name: 'written',
          partitionData: [
            {
              index: 0,
              records: batchOfTexts(['x', 'y'], {
                timestamp: T0,
                producerId: scene.producerId,
                producerEpoch: 0,
                baseSequence: 0,
              }),
            },
          ],
        },
      ],
    })),
  ],
  cases: {
    'dropping nothing': drop(0),
    'dropping a part of a batch': [drop(2), earliest, read(1), read(2)],
    'dropping less than is gone': [drop(1), earliest],
    'dropping in version 0': [drop(3, { version: 0 }), earliest],
    'dropping in version 1': [drop(4, { version: 1 }), earliest],
    'dropping beyond the end': drop(9),
    'dropping up to a negative offset': drop(-2),
    'dropping from an unknown topic': drop(1, { topic: 'nowhere' }),
    'dropping from an unknown partition': drop(1, { index: 9 }),
    'dropping from a negative partition': drop(1, { index: -1 }),
    'dropping from a compacted topic': drop(1, { topic: 'kept' }),
    'dropping from a topic with both policies': drop(1, { topic: 'both' }),
    'dropping from nothing': ask(DeleteRecords, 2, { topics: [], timeoutMs: 1000 }),
    'dropping from no partition': ask(DeleteRecords, 2, {
      topics: [{ name: 'dropped', partitions: [] }],
      timeoutMs: 1000,
    }),
    'dropping from the same partition twice': [
      ask(DeleteRecords, 2, {
        topics: [
          {
            name: 'dropped',
            partitions: [
              { partitionIndex: 0, offset: 6 },
              { partitionIndex: 0, offset: 5 },
            ],
          },
        ],
        timeoutMs: 1000,
      }),
      earliest,
    ],
    'dropping without any time': ask(DeleteRecords, 2, {
      topics: [{ name: 'dropped', partitions: [{ partitionIndex: 0, offset: 6 }] }],
      timeoutMs: 0,
    }),
    'dropping everything': [drop(-1), earliest, read(8), read(7)],
    'the producers of a partition': producersOf('written', [0]),
    'the producers of a partition without any': producersOf('written', [1]),
    'the producers of an unknown partition': producersOf('written', [7, 0]),
    'the producers of a negative partition': producersOf('written', [-1]),
    'the producers of an unknown topic': producersOf('nowhere', [0]),
    'the producers of a topic whose name is not valid': producersOf('a b', [0]),
    'the producers of no topic': ask(DescribeProducers, 0, { topics: [] }),
    'the producers of no partition': producersOf('written', []),
    'topics in one page': describe(twoTopics),
    'the first page': describe(twoTopics, { limit: 3 }),
    'a page that ends with a topic': describe(twoTopics, { limit: 1 }),
    'a later page': describe(twoTopics, { limit: 2, cursor: { topicName: 'wide', partitionIndex: 2 } }),
    'the last page': describe(twoTopics, { limit: 2, cursor: { topicName: 'wide', partitionIndex: 4 } }),
    'a cursor behind the last partition': describe(['wide'], {
      cursor: { topicName: 'wide', partitionIndex: 5 },
    }),
    'a cursor far behind the last partition': describe(['wide', 'written'], {
      cursor: { topicName: 'wide', partitionIndex: 50 },
    }),
    'a cursor with a negative partition': describe(['wide'], {
      cursor: { topicName: 'wide', partitionIndex: -1 },
    }),
    'a cursor at a topic that is not asked for': describe(['wide'], {
      cursor: { topicName: 'dropped', partitionIndex: 0 },
    }),
    'a cursor at a topic that is not there': describe(['wide', 'nowhere'], {
      cursor: { topicName: 'nowhere', partitionIndex: 0 },
    }),
    'a limit of 0': describe(['wide'], { limit: 0 }),
    'a negative limit': describe(['wide'], { limit: -5 }),
    'topics that are not there': describe(['nowhere', 'wide', 'a b']),
    'a topic that is not there at the end of a page': describe(['nowhere', 'wide'], { limit: 1 }),
    'the same topic twice': describe(['written', 'written']),
    'a topic without a name': describe(['']),
  },
}
