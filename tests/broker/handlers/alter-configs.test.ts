import { alterConfigs } from '../../../broker/handlers/alter-configs.ts'
import { settingsAt } from '../../../broker/metadata/alter-settings.ts'
import { topicConfigKey } from '../../../broker/metadata/keys.ts'
import { errorName } from '../../../broker/protocol/errors.ts'
import { useBroker } from '../../support/use-broker.ts'

const TOPIC = 2
const BROKER = 4

describe('AlterConfigs', () => {
  const broker = useBroker({ topics: { t: 1 }, perTest: true })

  async function alter(
    resourceType: number,
    resourceName: string,
    settings: Readonly<Record<string, string | null>>,
    validateOnly = false,
  ): Promise<string> {
    const configs = Object.entries(settings).map(([name, value]) => ({ name, value }))
    const request = { resources: [{ resourceType, resourceName, configs }], validateOnly }
    const answer = await alterConfigs(request, broker.context(2))
    return errorName(answer!.responses[0]!.errorCode)
  }

  const overrides = () => Object.fromEntries(settingsAt(broker.metadata, topicConfigKey('t')))

  test('replaces all settings of a topic', async () => {
    expect(await alter(TOPIC, 't', { 'retention.ms': '5', 'flush.ms': '6' })).toBe('NONE')
    expect(overrides()).toEqual({ 'retention.ms': '5', 'flush.ms': '6' })
    expect(await alter(TOPIC, 't', { 'retention.ms': '7' })).toBe('NONE')
    expect(overrides()).toEqual({ 'retention.ms': '7' })
    expect(await alter(TOPIC, 't', {})).toBe('NONE')
    expect(overrides()).toEqual({})
  })

  test('replaces all settings of this broker that can change while it runs', async () => {
    expect(await alter(BROKER, '1', { 'message.max.bytes': '9', 'log.cleaner.backoff.ms': '8' })).toBe('NONE')
    expect(await alter(BROKER, '1', { 'message.max.bytes': '10' })).toBe('NONE')
    expect(broker.config.get('message.max.bytes')).toBe(10)
    expect(broker.config.get('log.cleaner.backoff.ms')).toBe(15_000)
  })

  test.each<[string, number, string, Record<string, string | null>, string]>([
    ['no value', TOPIC, 't', { 'retention.ms': null }, 'INVALID_REQUEST'],
    ['a wrong value', TOPIC, 't', { 'retention.ms': 'x' }, 'INVALID_CONFIG'],
    ['an unknown key', TOPIC, 't', { nope: 'x' }, 'INVALID_CONFIG'],
    ['an unknown topic', TOPIC, 'nope', {}, 'UNKNOWN_TOPIC_OR_PARTITION'],
    ['a key that is read at start', BROKER, '1', { 'num.partitions': '2' }, 'INVALID_REQUEST'],
    ['another broker', BROKER, '5', {}, 'INVALID_REQUEST'],
    ['loggers', 8, '1', {}, 'INVALID_REQUEST'],
  ])('%s is refused', async (_what, type, name, settings, error) => {
    expect(await alter(type, name, settings)).toBe(error)
    expect(await alter(type, name, settings, true)).toBe(error)
  })

  test('validateOnly changes nothing', async () => {
    expect(await alter(TOPIC, 't', { 'retention.ms': '5' }, true)).toBe('NONE')
    expect(overrides()).toEqual({})
  })
})
