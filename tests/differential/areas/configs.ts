/** Settings of topics and brokers. */
import { DescribeConfigs } from '../../../broker/protocol/apis/describe-configs.ts'
import type { RequestToSend } from '../../../broker/protocol/schema.ts'
import { type Area, ask, type Step } from '../case.ts'

const TOPIC = 2
const BROKER = 4
const BROKER_LOGGER = 8

type Describe = RequestToSend<typeof DescribeConfigs>
type Resource = Describe['resources'][number]

function resource(resourceType: number, resourceName: string, ...keys: string[]): Resource {
  return { resourceType, resourceName, configurationKeys: keys.length === 0 ? null : keys }
}

function describeConfigs(...resources: Resource[]): Step {
  return ask(DescribeConfigs, 4, { resources, includeSynonyms: true })
}

export const configs: Area = {
  name: 'configs',
  topics: { plain: {}, tuned: { configs: { 'retention.ms': '1000', 'cleanup.policy': 'compact' } } },
  cases: {
    'all of a topic': describeConfigs(resource(TOPIC, 'plain')),
    'all of a topic with settings of its own': describeConfigs(resource(TOPIC, 'tuned')),
    'one of a topic': describeConfigs(resource(TOPIC, 'tuned', 'retention.ms')),
    'one that does not exist': describeConfigs(resource(TOPIC, 'tuned', 'no.such.setting')),
    'an empty list of settings': describeConfigs({
      resourceType: TOPIC,
      resourceName: 'plain',
      configurationKeys: [],
    }),
    'an unknown topic': describeConfigs(resource(TOPIC, 'nowhere')),
    'a topic name that is not valid': describeConfigs(resource(TOPIC, 'a b')),
    'an empty topic name': describeConfigs(resource(TOPIC, '')),
    'the same topic twice': describeConfigs(
      resource(TOPIC, 'plain', 'retention.ms'),
      resource(TOPIC, 'plain', 'segment.bytes'),
    ),
    'a broker': describeConfigs(resource(BROKER, '1', 'message.max.bytes', 'log.retention.ms')),
    'the default of all brokers': describeConfigs(resource(BROKER, '')),
    'a broker that is not there': describeConfigs(resource(BROKER, '77')),
    'a broker that is not a number': describeConfigs(resource(BROKER, 'one')),
    'a broker setting that does not exist': describeConfigs(resource(BROKER, '1', 'no.such.setting')),
    'the loggers of another broker': describeConfigs(resource(BROKER_LOGGER, '77')),
    'a kind of resource that does not exist': describeConfigs(resource(99, 'x')),
    'a kind of resource that is unknown': describeConfigs(resource(0, 'x')),
    nothing: describeConfigs(),
    'good and bad': describeConfigs(resource(TOPIC, 'plain', 'retention.ms'), resource(TOPIC, 'nowhere')),
    'version 1': ask(DescribeConfigs, 1, { resources: [resource(TOPIC, 'tuned', 'retention.ms')] }),
    'version 3 without synonyms': ask(DescribeConfigs, 3, {
      resources: [resource(TOPIC, 'tuned', 'retention.ms')],
    }),
  },
}
