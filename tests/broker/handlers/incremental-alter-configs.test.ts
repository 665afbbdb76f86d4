import { incrementalAlterConfigs } from '../../../broker/handlers/incremental-alter-configs.ts'
import { settingsAt } from '../../../broker/metadata/alter-settings.ts'
import { brokerConfigKey, topicConfigKey } from '../../../broker/metadata/keys.ts'
import { errorName } from '../../../broker/protocol/errors.ts'
import { useBroker } from '../../support/use-broker.ts'

const TOPIC = 2
const BROKER = 4
const [SET, DELETE, APPEND, SUBTRACT] = [0, 1, 2, 3] as const

type Change = readonly [name: string, operation: number, value: string | null]

describe('IncrementalAlterConfigs', () => {
  const broker = useBroker({ topics: { t: 1 }, perTest: true })

  function resource(resourceType: number, resourceName: string, changes: readonly Change[]) {
    const configs = changes.map(([name, configOperation, value]) => ({ name, configOperation, value }))
    return { resourceType, resourceName, configs }
  }

  async function alterAll(resources: ReturnType<typeof resource>[], validateOnly = false) {
    const answer = await incrementalAlterConfigs({ resources, validateOnly }, broker.context(1))
    return answer!.responses.map(({ errorCode, errorMessage }) => [errorName(errorCode), errorMessage])
  }

  /** The error and its message of one resource. */
  async function alter(type: number, name: string, ...changes: Change[]) {
    return (await alterAll([resource(type, name, changes)]))[0]!
  }

  const overrides = () => Object.fromEntries(settingsAt(broker.metadata, topicConfigKey('t')))
  const ok = ['NONE', null]

  test('a setting of a topic counts at once, and no more when it is deleted', async () => {
    expect(await alter(TOPIC, 't', ['max.message.bytes', SET, '100'])).toEqual(ok)
    expect(broker.partition('t').topicConfig.get('max.message.bytes')).toBe(100)
    expect(await alter(TOPIC, 't', ['max.message.bytes', DELETE, null])).toEqual(ok)
    expect(broker.partition('t').topicConfig.get('max.message.bytes')).toBe(1_048_588)
    expect(overrides()).toEqual({})
  })

  test('what is not named stays as it is', async () => {
    await alter(TOPIC, 't', ['retention.ms', SET, '5'], ['flush.ms', SET, '6'])
    await alter(TOPIC, 't', ['retention.ms', SET, '7'])
    expect(overrides()).toEqual({ 'retention.ms': '7', 'flush.ms': '6' })
  })

  test('elements are added to a list, first to its default, and taken away from it', async () => {
    expect(await alter(TOPIC, 't', ['cleanup.policy', APPEND, 'compact'])).toEqual(ok)
    expect(overrides()).toEqual({ 'cleanup.policy': 'delete,compact' })
    expect(await alter(TOPIC, 't', ['cleanup.policy', APPEND, 'compact'])).toEqual(ok)
    expect(await alter(TOPIC, 't', ['cleanup.policy', SUBTRACT, 'delete'])).toEqual(ok)
    expect(overrides()).toEqual({ 'cleanup.policy': 'compact' })
  })

  test.each<[string, Change[], string, string]>([
    [
      'a key that topics do not have',
      [['retention.m', SET, '5']],
      'INVALID_CONFIG',
      'is retention.ms meant?',
    ],
    [
      'a value of the wrong type',
      [['retention.ms', SET, 'x']],
      'INVALID_CONFIG',
      'retention.ms=x: must be a whole number',
    ],
    ['a value out of bounds', [['segment.bytes', SET, '5']], 'INVALID_CONFIG', 'must be at least 1048576'],
    ['a bad element', [['cleanup.policy', APPEND, 'shred']], 'INVALID_CONFIG', 'must be delete or compact'],
    ['adding to what is no list', [['retention.ms', APPEND, '5']], 'INVALID_CONFIG', 'is no list'],
    [
      'settings that contradict each other',
      [
        ['min.compaction.lag.ms', SET, '9'],
        ['max.compaction.lag.ms', SET, '8'],
      ],
      'INVALID_CONFIG',
      'is more than max.compaction.lag.ms=8',
    ],
    ['no value', [['retention.ms', SET, null]], 'INVALID_REQUEST', 'retention.ms has no value'],
    [
      'a key twice',
      [
        ['retention.ms', SET, '1'],
        ['retention.ms', DELETE, null],
      ],
      'INVALID_REQUEST',
      'named more than once',
    ],
    ['an unknown operation', [['retention.ms', 7, '1']], 'INVALID_REQUEST', 'there is no operation 7'],
  ])('%s is refused and changes nothing', async (_what, changes, error, message) => {
    expect(await alter(TOPIC, 't', ['flush.ms', SET, '1'])).toEqual(ok)
    expect(await alter(TOPIC, 't', ...changes)).toEqual([error, expect.stringContaining(message)])
    expect(overrides()).toEqual({ 'flush.ms': '1' })
  })

  test.each([
    [TOPIC, 'nope', 'UNKNOWN_TOPIC_OR_PARTITION', 'there is no topic "nope"'],
    [TOPIC, 'a/b', 'INVALID_TOPIC_EXCEPTION', '"a/b" cannot be a topic'],
    [TOPIC, '', 'INVALID_REQUEST', 'a topic needs a name'],
    [BROKER, '2', 'INVALID_REQUEST', 'this is broker 1'],
    [BROKER, 'x', 'INVALID_REQUEST', '"x" is no broker id'],
    [32, 'g', 'INVALID_REQUEST', 'resource type 32'],
  ])('resource type %i "%s" is refused: %s', async (type, name, error, message) => {
    expect(await alter(type, name)).toEqual([error, expect.stringContaining(message)])
  })

  test('a resource that is named twice is refused; each of the others succeeds or fails by itself', async () => {
    const set = resource(TOPIC, 't', [['retention.ms', SET, '1']])
    const errors = await alterAll([set, resource(BROKER, '1', [['message.max.bytes', SET, '9']]), set])
    expect(errors.map(([error]) => error)).toEqual(['INVALID_REQUEST', 'NONE', 'INVALID_REQUEST'])
    expect(overrides()).toEqual({})
    expect(broker.config.get('message.max.bytes')).toBe(9)
  })

  test('validateOnly checks everything and changes nothing', async () => {
    const bad = resource(TOPIC, 't', [['retention.ms', SET, 'x']])
    const good = resource(TOPIC, 't', [['retention.ms', SET, '1']])
    const unknown = resource(TOPIC, 'nope', [['retention.ms', SET, '1']])
    expect((await alterAll([good], true))[0]).toEqual(ok)
    expect((await alterAll([bad], true))[0]![0]).toBe('INVALID_CONFIG')
    expect((await alterAll([unknown], true))[0]![0]).toBe('UNKNOWN_TOPIC_OR_PARTITION')
    expect(overrides()).toEqual({})
  })

  test('settings of one broker and of all brokers count at once, also for topics that do not say otherwise', async () => {
    expect(
      await alter(BROKER, '', ['message.max.bytes', SET, '2000'], ['log.cleaner.backoff.ms', SET, '1']),
    ).toEqual(ok)
    expect(broker.partition('t').topicConfig.get('max.message.bytes')).toBe(2000)
    expect(await alter(BROKER, '1', ['log.cleaner.backoff.ms', SET, '2'])).toEqual(ok)
    expect(broker.config.get('log.cleaner.backoff.ms')).toBe(2)
    expect(await alter(BROKER, '1', ['log.cleaner.backoff.ms', DELETE, null])).toEqual(ok)
    expect(broker.config.get('log.cleaner.backoff.ms')).toBe(1)
    expect(await alter(BROKER, '', ['log.cleanup.policy', APPEND, 'compact'])).toEqual(ok)
    expect(broker.partition('t').topicConfig.get('cleanup.policy')).toEqual(['delete', 'compact'])
  })

  test.each([
    ['a key that is read at start', 'num.partitions', '3', 'is read once, when a broker starts'],
    ['a wrong value', 'message.max.bytes', 'x', 'message.max.bytes=x: must be a whole number'],
  ])('%s is refused of a broker, with INVALID_REQUEST', async (_what, key, value, message) => {
    expect(await alter(BROKER, '', [key, SET, value])).toEqual([
      'INVALID_REQUEST',
      expect.stringContaining(message),
    ])
  })

  test.each(['num.io.threads', 'my.plugin.key'])('%s, which changes nothing here, is kept', async (key) => {
    expect(await alter(BROKER, '1', [key, SET, '3'])).toEqual(ok)
    expect(settingsAt(broker.metadata, brokerConfigKey('1')).get(key)).toBe('3')
  })

  test('changes of one topic that come together are all made', async () => {
    const keys = ['flush.ms', 'retention.ms', 'segment.ms', 'file.delete.delay.ms']
    const errors = await Promise.all(keys.map((key) => alter(TOPIC, 't', [key, SET, '42'])))
    expect(errors).toEqual(keys.map(() => ok))
    expect(Object.keys(overrides()).toSorted()).toEqual(keys.toSorted())
  })
})
