/** CreateTopics and DeleteTopics. */
import { CreateTopics } from '../../../broker/protocol/apis/create-topics.ts'
import { DeleteTopics } from '../../../broker/protocol/apis/delete-topics.ts'
import { type RequestToSend, ZERO_UUID } from '../../../broker/protocol/schema.ts'
import { altered, type Area, ask, eventually, type Step } from '../case.ts'

type Topic = RequestToSend<typeof CreateTopics>['topics'][number]

function topic(name: string, rest: Partial<Topic> = {}): Topic {
  return { name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [], ...rest }
}

function create(...topics: Topic[]): Step {
  return ask(CreateTopics, 7, { topics, timeoutMs: 10_000 })
}

function validate(...topics: Topic[]): Step {
  return ask(CreateTopics, 7, { topics, timeoutMs: 10_000, validateOnly: true })
}

function withConfig(name: string, value: string | null): Step {
  return validate(topic('with-config', { configs: [{ name, value }] }))
}

function withAssignments(...assignments: Topic['assignments']): Step {
  return validate(topic('assigned', { numPartitions: -1, replicationFactor: -1, assignments }))
}

function remove(...topicNames: string[]): Step {
  return ask(DeleteTopics, 5, { topicNames, timeoutMs: 10_000 })
}

const UNKNOWN_ID = 'ABEiM0RVZneImaq7zN3u_w'

export const topics: Area = {
  name: 'topics',
  topics: { existing: {}, 'dot.ted': {}, doomed: {}, 'doomed-too': {}, 'doomed-by-id': {} },
  cases: {
    'an empty name': create(topic('')),
    'the name .': create(topic('.')),
    'the name ..': create(topic('..')),
    'a name with a space': create(topic('a b')),
    'a name with a slash': create(topic('a/b')),
    'a name beyond ASCII': create(topic('thé')),
    'a name of 249 characters': validate(topic('n'.repeat(249))),
    'a name of 250 characters': create(topic('n'.repeat(250))),
    'a name that exists': create(topic('existing')),
    'a name that collides with another by its dot': create(topic('dot_ted')),
    'the name of an internal topic': validate(topic('__transaction_state')),
    'the same name twice': create(topic('twice'), topic('twice')),
    'the same name twice beside a good one': validate(topic('twice'), topic('good'), topic('twice')),
    'no topics': create(),
    'good and bad in one request': validate(topic('good'), topic('a b'), topic('existing')),
    'no partitions': create(topic('bad', { numPartitions: 0 })),
    'partitions below -1': create(topic('bad', { numPartitions: -2 })),
    'the default number of partitions': create(topic('defaults', { numPartitions: -1 })),
    'no replicas': create(topic('bad', { replicationFactor: 0 })),
    'replicas below -1': create(topic('bad', { replicationFactor: -2 })),
    'the default number of replicas': validate(topic('defaults', { replicationFactor: -1 })),
    'more replicas than brokers': create(topic('bad', { replicationFactor: 3 })),
    'partitions and an assignment': validate(
      topic('bad', { replicationFactor: -1, assignments: [{ partitionIndex: 0, brokerIds: [1] }] }),
    ),
    'replicas and an assignment': validate(
      topic('bad', { numPartitions: -1, assignments: [{ partitionIndex: 0, brokerIds: [1] }] }),
    ),
    'an assignment': withAssignments(
      { partitionIndex: 0, brokerIds: [1] },
      { partitionIndex: 1, brokerIds: [1] },
    ),
    'an assignment to nobody': withAssignments({ partitionIndex: 0, brokerIds: [] }),
    'an assignment to a broker that is not there': withAssignments({ partitionIndex: 0, brokerIds: [77] }),
    'an assignment to one broker twice': withAssignments({ partitionIndex: 0, brokerIds: [1, 1] }),
    'an assignment that names a partition twice': withAssignments(
      { partitionIndex: 0, brokerIds: [1] },
      { partitionIndex: 0, brokerIds: [1] },
    ),
    'an assignment that begins at 1': withAssignments({ partitionIndex: 1, brokerIds: [1] }),
    'an assignment with a gap': withAssignments(
      { partitionIndex: 0, brokerIds: [1] },
      { partitionIndex: 2, brokerIds: [1] },
    ),
    'an assignment to a negative partition': withAssignments({ partitionIndex: -1, brokerIds: [1] }),
    'assignments of different lengths': withAssignments(
      { partitionIndex: 0, brokerIds: [1] },
      { partitionIndex: 1, brokerIds: [1, 2] },
    ),
    'an unknown setting': withConfig('no.such.setting', 'x'),
    'a setting without a value': withConfig('retention.ms', null),
    'a number that is none': withConfig('retention.ms', 'soon'),
    'a number out of range': withConfig('retention.ms', '-2'),
    'a number too large for its type': withConfig('segment.bytes', '99999999999'),
    'a number below its minimum': withConfig('segment.bytes', '13'),
    'a ratio above one': withConfig('min.cleanable.dirty.ratio', '1.5'),
    'a boolean that is none': withConfig('preallocate', 'maybe'),
    'a boolean in capitals': withConfig('preallocate', 'TRUE'),
    'a value that is not in the list': withConfig('cleanup.policy', 'burn'),
    'two values of a list': withConfig('cleanup.policy', 'compact,delete'),
    'an empty list': withConfig('cleanup.policy', ''),
    'an unknown codec': withConfig('compression.type', 'rar'),
    'a codec in capitals': withConfig('compression.type', 'GZIP'),
    'the same setting twice': validate(
      topic('with-config', {
        configs: [
          { name: 'retention.ms', value: '1' },
          { name: 'retention.ms', value: '2' },
        ],
      }),
    ),
    'settings that are shown back': create(
      topic('shown', { configs: [{ name: 'retention.ms', value: '1000' }] }),
    ),
    'version 2': ask(CreateTopics, 2, { topics: [topic('version-2')], timeoutMs: 10_000 }),
    'version 4 with defaults': ask(CreateTopics, 4, {
      topics: [topic('version-4', { numPartitions: -1, replicationFactor: -1 })],
      timeoutMs: 10_000,
    }),
    'version 3 with defaults': ask(CreateTopics, 3, {
      topics: [topic('version-3', { numPartitions: -1, replicationFactor: -1 })],
      timeoutMs: 10_000,
    }),
    'a null array of topics': altered(create(), 'null', (frame) => {
      frame[frame.length - 7] = 0
      return frame
    }),
    'deleting by name': [remove('doomed'), eventually(create(topic('doomed')))],
    'deleting an unknown name': remove('nowhere'),
    'deleting an empty name': remove(''),
    'deleting a name that is not valid': remove('a b'),
    'deleting nothing': remove(),
    'deleting the same name twice': remove('doomed-too', 'doomed-too'),
    'deleting good and bad': remove('doomed-too', 'nowhere'),
    'deleting by id': ask(DeleteTopics, 6, (scene) => ({
      topics: [{ topicId: scene.topicId('doomed-by-id') }],
      timeoutMs: 10_000,
    })),
    'deleting an unknown id': ask(DeleteTopics, 6, { topics: [{ topicId: UNKNOWN_ID }], timeoutMs: 10_000 }),
    'deleting by neither name nor id': ask(DeleteTopics, 6, {
      topics: [{ topicId: ZERO_UUID }],
      timeoutMs: 10_000,
    }),
    'deleting by name and id': ask(DeleteTopics, 6, (scene) => ({
      topics: [{ name: 'existing', topicId: scene.topicId('existing') }],
      timeoutMs: 10_000,
    })),
    'deleting one topic by name and by id': ask(DeleteTopics, 6, (scene) => ({
      topics: [{ name: 'existing', topicId: ZERO_UUID }, { topicId: scene.topicId('existing') }],
      timeoutMs: 10_000,
    })),
  },
}
