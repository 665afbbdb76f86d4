/** Changing settings, adding partitions, and log directories. */
import { AlterConfigs } from '../../../broker/protocol/apis/alter-configs.ts'
import { AlterReplicaLogDirs } from '../../../broker/protocol/apis/alter-replica-log-dirs.ts'
import { CreatePartitions } from '../../../broker/protocol/apis/create-partitions.ts'
import { DescribeConfigs } from '../../../broker/protocol/apis/describe-configs.ts'
import { DescribeLogDirs } from '../../../broker/protocol/apis/describe-log-dirs.ts'
import { IncrementalAlterConfigs } from '../../../broker/protocol/apis/incremental-alter-configs.ts'
import { ListConfigResources } from '../../../broker/protocol/apis/list-config-resources.ts'
import type { RequestToSend } from '../../../broker/protocol/schema.ts'
import { type Area, ask, eventually, type Step, untilItShows } from '../case.ts'

const TOPIC = 2
const BROKER = 4
const BROKER_LOGGER = 8
const SET = 0
const DELETE = 1
const APPEND = 2
const SUBTRACT = 3

type Change = RequestToSend<typeof IncrementalAlterConfigs>['resources'][number]['configs'][number]
type Growth = RequestToSend<typeof CreatePartitions>['topics'][number]

function change(
  resourceType: number,
  resourceName: string,
  configs: readonly Change[],
  validateOnly = false,
): Step {
  return ask(IncrementalAlterConfigs, 1, {
    resources: [{ resourceType, resourceName, configs }],
    validateOnly,
  })
}

function set(resourceType: number, resourceName: string, name: string, value: string | null): Step {
  return change(resourceType, resourceName, [{ name, configOperation: SET, value }])
}

function operate(name: string, configOperation: number, value: string | null): Step {
  return change(TOPIC, 'altered', [{ name, configOperation, value }])
}

/** A change, and the value that it comes to, which brokers may see a little later. */
function shown(name: string, value: string, step: Step): Step[] {
  return [step, untilItShows(`"value":"${value}"`, show(TOPIC, 'altered', name))]
}

function show(resourceType: number, resourceName: string, ...keys: readonly string[]): Step {
  const resources = [{ resourceType, resourceName, configurationKeys: keys }]
  return ask(DescribeConfigs, 4, { resources, includeSynonyms: false })
}

function replace(
  resourceType: number,
  resourceName: string,
  entries: readonly [string, string | null][],
): Step {
  const configs = entries.map(([name, value]) => ({ name, value }))
  return ask(AlterConfigs, 2, { resources: [{ resourceType, resourceName, configs }], validateOnly: false })
}

function grow(topic: Growth, options: { validateOnly?: boolean; version?: number } = {}): Step {
  const { validateOnly = false, version = 3 } = options
  return ask(CreatePartitions, version, { topics: [topic], timeoutMs: 10_000, validateOnly })
}

function to(count: number, assignments: Growth['assignments'] = null): Growth {
  return { name: 'grown', count, assignments }
}

export const administration: Area = {
  name: 'administration',
  topics: {
    altered: {},
    overwritten: { configs: { 'retention.ms': '1' } },
    grown: { partitions: 2 },
    stored: {},
  },
  cases: {
    setting: shown('retention.ms', '5000', operate('retention.ms', SET, '5000')),
    'setting in version 0': ask(IncrementalAlterConfigs, 0, {
      resources: [
        {
          resourceType: TOPIC,
          resourceName: 'altered',
          configs: [{ name: 'retention.ms', configOperation: SET, value: '6000' }],
        },
      ],
      validateOnly: false,
    }),
    'setting to nothing': operate('retention.ms', SET, null),
    'setting to an empty text': operate('retention.ms', SET, ''),
    'setting what does not exist': operate('no.such.setting', SET, '1'),
    'setting a name that is empty': operate('', SET, '1'),
    'setting a number that is none': operate('retention.ms', SET, 'soon'),
    'setting a number out of range': operate('segment.bytes', SET, '1'),
    'setting a value that is not in the list': operate('cleanup.policy', SET, 'burn'),
    'setting a boolean that is none': operate('preallocate', SET, 'maybe'),
    'setting a lag above its maximum': change(TOPIC, 'altered', [
      { name: 'min.compaction.lag.ms', configOperation: SET, value: '1000' },
      { name: 'max.compaction.lag.ms', configOperation: SET, value: '10' },
    ]),
    'setting twice': change(TOPIC, 'altered', [
      { name: 'retention.ms', configOperation: SET, value: '1' },
      { name: 'retention.ms', configOperation: SET, value: '2' },
    ]),
    'setting and deleting': change(TOPIC, 'altered', [
      { name: 'retention.ms', configOperation: SET, value: '1' },
      { name: 'retention.ms', configOperation: DELETE, value: null },
    ]),
    'good and bad settings': shown(
      'segment.ms',
      '604800000',
      change(TOPIC, 'altered', [
        { name: 'segment.ms', configOperation: SET, value: '77777' },
        { name: 'no.such.setting', configOperation: SET, value: '2' },
      ]),
    ),
    'only validating': shown(
      'segment.ms',
      '604800000',
      change(TOPIC, 'altered', [{ name: 'segment.ms', configOperation: SET, value: '66666' }], true),
    ),
    'only validating what is wrong': change(
      TOPIC,
      'altered',
      [{ name: 'segment.ms', configOperation: SET, value: 'x' }],
      true,
    ),
    deleting: shown('retention.ms', '-1', operate('retention.ms', DELETE, null)),
    'deleting what is not set': operate('flush.ms', DELETE, null),
    'deleting what does not exist': operate('no.such.setting', DELETE, null),
    'appending to a list': shown(
      'cleanup.policy',
      'delete,compact',
      operate('cleanup.policy', APPEND, 'compact'),
    ),
    'appending what is there': shown(
      'cleanup.policy',
      'delete,compact',
      operate('cleanup.policy', APPEND, 'compact'),
    ),
    'appending what is not in the list': operate('cleanup.policy', APPEND, 'burn'),
    'appending to what is no list': operate('retention.ms', APPEND, '1'),
    'appending nothing': operate('cleanup.policy', APPEND, null),
    'subtracting from a list': shown(
      'cleanup.policy',
      'compact',
      operate('cleanup.policy', SUBTRACT, 'delete'),
    ),
    'subtracting what is not there': shown(
      'cleanup.policy',
      'compact',
      operate('cleanup.policy', SUBTRACT, 'delete'),
    ),
    'subtracting from what is no list': operate('retention.ms', SUBTRACT, '1'),
    'an operation that does not exist': operate('retention.ms', 9, '1'),
    'no changes': change(TOPIC, 'altered', []),
    'no resources': ask(IncrementalAlterConfigs, 1, { resources: [], validateOnly: false }),
    'an unknown topic': set(TOPIC, 'nowhere', 'retention.ms', '1'),
    'a topic name that is not valid': set(TOPIC, 'a b', 'retention.ms', '1'),
    'an empty topic name': set(TOPIC, '', 'retention.ms', '1'),
    'a kind of resource that does not exist': set(99, 'x', 'retention.ms', '1'),
    'a kind of resource that is unknown': set(0, 'x', 'retention.ms', '1'),
    'the same resource twice': ask(IncrementalAlterConfigs, 1, {
      resources: [1, 2].map((value) => ({
        resourceType: TOPIC,
        resourceName: 'altered',
        configs: [{ name: 'retention.ms', configOperation: SET, value: String(value) }],
      })),
      validateOnly: false,
    }),
    'good and bad resources': ask(IncrementalAlterConfigs, 1, {
      resources: ['altered', 'nowhere'].map((resourceName) => ({
        resourceType: TOPIC,
        resourceName,
        configs: [{ name: 'retention.ms', configOperation: SET, value: '9000' }],
      })),
      validateOnly: false,
    }),
    'a setting of a broker': [
      set(BROKER, '1', 'log.retention.bytes', '123456789'),
      untilItShows('123456789', show(BROKER, '1', 'log.retention.bytes')),
    ],
    'a setting of all brokers': [
      set(BROKER, '', 'log.cleaner.backoff.ms', '12345'),
      untilItShows('12345', show(BROKER, '', 'log.cleaner.backoff.ms')),
    ],
    'a setting of a broker that cannot change': set(BROKER, '1', 'node.id', '5'),
    'a setting of a broker that does not exist': set(BROKER, '1', 'no.such.setting', '5'),
    'a setting of a broker that is not there': set(BROKER, '77', 'log.retention.bytes', '5'),
    'a setting of a broker that is not a number': set(BROKER, 'one', 'log.retention.bytes', '5'),
    'a setting of a broker with a value that is wrong': set(BROKER, '1', 'log.retention.bytes', 'x'),
    'a logger of a broker that is not there': set(BROKER_LOGGER, '77', 'root', 'INFO'),
    'replacing all settings': [
      replace(TOPIC, 'overwritten', [['segment.ms', '5000']]),
      untilItShows('5000', show(TOPIC, 'overwritten', 'segment.ms', 'retention.ms')),
    ],
    'replacing with nothing': [
      replace(TOPIC, 'overwritten', []),
      untilItShows('604800000', show(TOPIC, 'overwritten', 'segment.ms')),
    ],
    'replacing with what does not exist': replace(TOPIC, 'overwritten', [['no.such.setting', '1']]),
    'replacing with a value that is none': replace(TOPIC, 'overwritten', [['retention.ms', null]]),
    'replacing with a value that is wrong': replace(TOPIC, 'overwritten', [['retention.ms', 'x']]),
    'replacing one twice': replace(TOPIC, 'overwritten', [
      ['retention.ms', '1'],
      ['retention.ms', '2'],
    ]),
    'replacing those of an unknown topic': replace(TOPIC, 'nowhere', [['retention.ms', '1']]),
    'replacing those of an unknown kind': replace(0, 'x', [['retention.ms', '1']]),
    'replacing in version 0': ask(AlterConfigs, 0, {
      resources: [{ resourceType: TOPIC, resourceName: 'overwritten', configs: [] }],
      validateOnly: true,
    }),
    'a list of resources': ask(ListConfigResources, 0, {}),
    'a list of resources of an unknown kind': ask(ListConfigResources, 1, { resourceTypes: [99] }),
    'more partitions': [
      grow(to(3)),
      eventually(grow(to(4), { validateOnly: true })),
      grow(to(5, [{ brokerIds: [1] }, { brokerIds: [1] }])),
    ],
    'as many partitions': grow(to(5)),
    'fewer partitions': grow(to(1)),
    'no partitions': grow(to(0)),
    'a negative number of partitions': grow(to(-1)),
    'partitions of an unknown topic': grow({ ...to(9), name: 'nowhere' }),
    'partitions of a topic whose name is not valid': grow({ ...to(9), name: 'a b' }),
    'partitions of a topic without a name': grow({ ...to(9), name: '' }),
    'partitions with too few assignments': grow(to(9, [{ brokerIds: [1] }])),
    'partitions with too many assignments': grow(to(6, [{ brokerIds: [1] }, { brokerIds: [1] }])),
    'partitions on a broker that is not there': grow(to(6, [{ brokerIds: [77] }])),
    'partitions on nobody': grow(to(6, [{ brokerIds: [] }])),
    'partitions on one broker twice': grow(to(6, [{ brokerIds: [1, 1] }])),
    'partitions with an empty list of assignments': grow(to(6, []), { validateOnly: true }),
    'partitions in version 0': grow(to(6), { validateOnly: true, version: 0 }),
    'partitions of nothing': ask(CreatePartitions, 3, { topics: [], timeoutMs: 1000, validateOnly: false }),
    'partitions of one topic twice': ask(CreatePartitions, 3, {
      topics: [to(8), to(9)],
      timeoutMs: 1000,
      validateOnly: false,
    }),
    'the directories of a topic': ask(DescribeLogDirs, 4, { topics: [{ topic: 'stored', partitions: [0] }] }),
    'the directories of a topic in version 1': ask(DescribeLogDirs, 1, {
      topics: [{ topic: 'stored', partitions: [0] }],
    }),
    'the directories of an unknown topic': ask(DescribeLogDirs, 4, {
      topics: [{ topic: 'nowhere', partitions: [0] }],
    }),
    'the directories of no topic': ask(DescribeLogDirs, 4, { topics: [] }),
    'moving to a directory that is not there': ask(AlterReplicaLogDirs, 2, {
      dirs: [{ path: '/nowhere', topics: [{ name: 'stored', partitions: [0] }] }],
    }),
    'moving to a relative path': ask(AlterReplicaLogDirs, 2, {
      dirs: [{ path: 'nowhere', topics: [{ name: 'stored', partitions: [0] }] }],
    }),
    'moving nothing': ask(AlterReplicaLogDirs, 2, { dirs: [] }),
  },
}
