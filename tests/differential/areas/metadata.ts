/** Metadata and DescribeCluster. */
import { DescribeCluster } from '../../../broker/protocol/apis/describe-cluster.ts'
import { Metadata } from '../../../broker/protocol/apis/metadata.ts'
import { ZERO_UUID } from '../../../broker/protocol/schema.ts'
import { type Area, ask, eventually } from '../case.ts'

const UNKNOWN_ID = 'ABEiM0RVZneImaq7zN3u_w'

function named(...names: string[]): { topics: { name: string }[]; allowAutoTopicCreation: false } {
  return { topics: names.map((name) => ({ name })), allowAutoTopicCreation: false }
}

export const metadata: Area = {
  name: 'metadata',
  topics: { 'meta-one': { partitions: 3 }, 'meta-two': {} },
  cases: {
    'a topic': ask(Metadata, 12, named('meta-one')),
    'a topic in version 0': ask(Metadata, 0, named('meta-one')),
    'a topic in version 1': ask(Metadata, 1, named('meta-one')),
    'a topic in version 4': ask(Metadata, 4, named('meta-one')),
    'a topic in version 8': ask(Metadata, 8, named('meta-one')),
    'a topic in version 13': ask(Metadata, 13, named('meta-one')),
    'no topics': ask(Metadata, 9, { topics: [], allowAutoTopicCreation: false }),
    'an unknown topic': ask(Metadata, 12, named('nowhere')),
    'a name that is not valid': ask(Metadata, 12, named('a b')),
    'an empty name': ask(Metadata, 12, named('')),
    'a name of 250 characters': ask(Metadata, 12, named('n'.repeat(250))),
    'good and bad': ask(Metadata, 12, named('meta-one', 'nowhere', 'a b', 'meta-two')),
    'the same topic twice': ask(Metadata, 12, named('meta-one', 'meta-one')),
    'an unknown topic twice': ask(Metadata, 12, named('nowhere', 'nowhere')),
    'a topic by id': ask(Metadata, 12, (scene) => ({
      topics: [{ name: null, topicId: scene.topicId('meta-one') }],
      allowAutoTopicCreation: false,
    })),
    'an unknown id': ask(Metadata, 12, {
      topics: [{ name: null, topicId: UNKNOWN_ID }],
      allowAutoTopicCreation: false,
    }),
    'neither name nor id': ask(Metadata, 12, {
      topics: [{ name: null, topicId: ZERO_UUID }],
      allowAutoTopicCreation: false,
    }),
    'an id in version 11': ask(Metadata, 11, (scene) => ({
      topics: [{ name: null, topicId: scene.topicId('meta-one') }],
      allowAutoTopicCreation: false,
    })),
    'a null name in version 11': ask(Metadata, 11, {
      topics: [{ name: null }],
      allowAutoTopicCreation: false,
    }),
    'a name and another id': ask(Metadata, 12, {
      topics: [{ name: 'meta-one', topicId: UNKNOWN_ID }],
      allowAutoTopicCreation: false,
    }),
    'a topic that is made by asking': [
      eventually(ask(Metadata, 12, { topics: [{ name: 'made-by-asking' }], allowAutoTopicCreation: true })),
    ],
    'a name that is not valid, to be made': ask(Metadata, 12, {
      topics: [{ name: 'a b' }],
      allowAutoTopicCreation: true,
    }),
    'a name that collides, to be made': ask(Metadata, 12, {
      topics: [{ name: 'meta-one.' }, { name: 'meta.one' }],
      allowAutoTopicCreation: false,
    }),
    'operations that are allowed': ask(Metadata, 10, {
      ...named('meta-two'),
      includeClusterAuthorizedOperations: true,
      includeTopicAuthorizedOperations: true,
    }),
    'the cluster': ask(DescribeCluster, 0, { includeClusterAuthorizedOperations: false }),
    'the cluster in version 1': ask(DescribeCluster, 1, { includeClusterAuthorizedOperations: true }),
    'the cluster with fenced brokers': ask(DescribeCluster, 2, {
      includeClusterAuthorizedOperations: false,
      includeFencedBrokers: true,
    }),
    'the controllers': ask(DescribeCluster, 1, {
      includeClusterAuthorizedOperations: false,
      endpointType: 2,
    }),
    'endpoints of a type that does not exist': ask(DescribeCluster, 1, {
      includeClusterAuthorizedOperations: false,
      endpointType: 9,
    }),
  },
}
