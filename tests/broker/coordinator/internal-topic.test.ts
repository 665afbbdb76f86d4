import { InternalTopic, type InternalTopicSpec } from '../../../broker/coordinator/internal-topic.ts'
import { StoreUnavailableError } from '../../../broker/metadata/store.ts'
import { KafkaError } from '../../../broker/protocol/errors.ts'
import { silentLogger } from '../../../broker/runtime/logger.ts'
import { ImageSource, topicImage } from '../../support/image-source.ts'
import { ManualClock } from '../../support/manual-clock.ts'

const NAME = '__consumer_offsets'

function scene(options: { isSet?: boolean; create?: (spec: InternalTopicSpec) => Promise<unknown> } = {}) {
  const metadata = new ImageSource()
  const clock = new ManualClock()
  const created: number[] = []
  const topic = new InternalTopic({
    spec: { name: NAME, partitions: 2, replicationFactor: 3, configs: new Map() },
    replicationFactorKey: 'offsets.topic.replication.factor',
    replicationFactorIsSet: options.isSet ?? false,
    metadata,
    clock,
    logger: silentLogger,
    createTopic: async (spec) => {
      await options.create?.(spec)
      created.push(spec.replicationFactor)
      metadata.setTopics(topicImage(NAME, 'offsets-topic-id-1234A', spec.partitions))
    },
  })
  topic.start()
  return { metadata, clock, created, topic }
}

test('a configured replication factor waits for enough brokers', async () => {
  const { metadata, clock, created, topic } = scene({ isSet: true })
  metadata.setBrokers(1, 2)
  clock.advance(3_600_000)
  await expect(topic.ensure()).rejects.toThrow(
    'COORDINATOR_NOT_AVAILABLE: __consumer_offsets needs 3 live brokers (offsets.topic.replication.factor=3) and there are 2',
  )
  metadata.setBrokers(1, 2, 3)
  await topic.ensure()
  expect(created).toEqual([3])
})

test('the default gives way to a cluster that has stayed smaller', async () => {
  const { metadata, clock, created, topic } = scene()
  metadata.setBrokers(1)
  clock.advance(2999)
  await expect(topic.ensure()).rejects.toThrow('have not changed for 3000 ms')
  clock.advance(1)
  await topic.ensure()
  expect(created).toEqual([1])
})

test('a cluster that is still starting gets all replicas by default', async () => {
  const { metadata, clock, created, topic } = scene()
  metadata.setBrokers(1)
  clock.advance(2500)
  metadata.setBrokers(1, 2)
  clock.advance(2500)
  await expect(topic.ensure()).rejects.toThrow('COORDINATOR_NOT_AVAILABLE')
  metadata.setBrokers(1, 2, 3)
  await topic.ensure()
  expect(created).toEqual([3])
})

test('many who ask at once create it once', async () => {
  const { metadata, created, topic } = scene({ isSet: true })
  metadata.setBrokers(1, 2, 3)
  await Promise.all([topic.ensure(), topic.ensure(), topic.ensure()])
  expect(created).toEqual([3])
})

test('it does not matter that another broker was faster', async () => {
  const { metadata, topic } = scene({
    create: () => {
      metadata.setTopics(topicImage(NAME, 'offsets-topic-id-1234A', 2))
      return Promise.reject(new KafkaError('TOPIC_ALREADY_EXISTS'))
    },
  })
  metadata.setBrokers(1, 2, 3)
  expect((await topic.ensure()).name).toBe(NAME)
})

test('clients are told to try again while the quorum is down', async () => {
  const { metadata, topic } = scene({
    create: () => Promise.reject(new StoreUnavailableError('no quorum')),
  })
  metadata.setBrokers(1, 2, 3)
  await expect(topic.ensure()).rejects.toThrow(
    'COORDINATOR_NOT_AVAILABLE: __consumer_offsets could not be created: no quorum',
  )
})
