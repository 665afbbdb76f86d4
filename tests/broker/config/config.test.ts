import { BROKER_KEYS } from '../../../broker/config/broker-keys.ts'
import { type Config, loadConfig } from '../../../broker/config/config.ts'
import { formatValue, type KeyRow, parseValue } from '../../../broker/config/key-row.ts'
import { TOPIC_KEYS } from '../../../broker/config/topic-keys.ts'

const minimal = { 'node.id': '1', 'quorum.connect': 'embedded:/tmp/metadata.db' }

function load(more: Record<string, string> = {}): Config {
  return loadConfig({ ...minimal, ...more })
}

describe('server.properties', () => {
  test('a key that is not given has the default of Apache Kafka, one that is given its own value', () => {
    const config = load({ 'num.partitions': '3' })
    expect(config.get('num.partitions')).toBe(3)
    expect(config.isSet('num.partitions')).toBe(true)
    expect(config.get('log.segment.bytes')).toBe(1_073_741_824)
    expect(config.isSet('log.segment.bytes')).toBe(false)
    expect(config.get('broker.rack')).toBeNull()
  })

  test('an override wins over the file', () => {
    const config = loadConfig('node.id=1\nquorum.connect=a:2379\nnum.partitions=2', {
      overrides: { 'num.partitions': '4' },
    })
    expect(config.get('num.partitions')).toBe(4)
  })

  test('every mistake is named, with its file, line, key, value and what would be right', () => {
    const text = 'node.id=one\nquorum.connect=a:2379\n\nlog.segment.bytes=4\nlog.cleanup.policy=delete,shred'
    expect(() =>
      loadConfig(text, { file: 'conf/server.properties', overrides: { 'delete.topic.enable': 'yes' } }),
    ).toThrow(
      'conf/server.properties:1: node.id=one: must be a whole number; ' +
        'conf/server.properties:4: log.segment.bytes=4: must be at least 1048576; ' +
        'conf/server.properties:5: log.cleanup.policy=delete,shred: must be delete or compact; ' +
        '--override: delete.topic.enable=yes: must be true or false',
    )
  })

  test('a required key that is missing is named with what it is for', () => {
    expect(() => loadConfig('')).toThrow(
      /node\.id is missing\. Id of this broker.*quorum\.connect is missing\./,
    )
  })

  test.each([
    ['log.segmnt.bytes', 'server.properties:3: log.segmnt.bytes is unknown; is log.segment.bytes meant?'],
    [
      'remote.log.storage.system.enable',
      'server.properties:3: remote.log.storage.system.enable has no effect: records are kept on local disks only',
    ],
    ['my.own.key', 'server.properties:3: my.own.key is not a key that this broker knows'],
    [
      'zookeeper.connect',
      'server.properties:3: zookeeper.connect has no effect: there is no ZooKeeper: quorum.connect names the metadata quorum, in the same syntax',
    ],
  ])('%s is ignored with a warning', (key, warning) => {
    const config = loadConfig(`node.id=1\nquorum.connect=a:2379\n${key}=1`)
    expect(config.warnings).toEqual([warning])
  })

  test('broker.id is the older name of node.id', () => {
    expect(loadConfig({ 'broker.id': '7', 'quorum.connect': 'a:1' }).brokerId).toBe(7)
    expect(load({ 'broker.id': '1' }).brokerId).toBe(1)
    expect(() => load({ 'broker.id': '2' })).toThrow('node.id=1 and broker.id=2 differ')
  })

  test('log.dir is used unless log.dirs is given', () => {
    expect(load().logDirs).toEqual(['/tmp/kafka-logs'])
    expect(load({ 'log.dir': '/one' }).logDirs).toEqual(['/one'])
    expect(load({ 'log.dir': '/one', 'log.dirs': '/two, /three' }).logDirs).toEqual(['/two', '/three'])
  })
})

describe('the tables of keys', () => {
  const rows: [string, KeyRow][] = [...Object.entries(BROKER_KEYS), ...Object.entries(TOPIC_KEYS)]

  test.each(rows)('the default of %s is a value that it may have', (_key, row) => {
    const text = formatValue(row.default, row.type)
    expect(text === null ? null : parseValue(row, text)).toEqual(row.default)
  })

  test.each(rows)('%s is explained', (_key, row) => {
    expect(row.doc).toMatch(/^[A-Z].*\.$/)
  })
})

describe('the settings of a topic', () => {
  test('an override wins over the broker, the broker over the default', () => {
    const config = load({ 'log.segment.bytes': '2097152', 'message.max.bytes': '1000' })
    const topic = config.topic(new Map([['segment.bytes', '3145728']]))
    expect(topic.get('segment.bytes')).toBe(3_145_728)
    expect(topic.get('max.message.bytes')).toBe(1000)
    expect(topic.get('index.interval.bytes')).toBe(4096)
  })

  test('of the keys for a duration the finest that is set counts', () => {
    expect(load().topic(new Map()).get('retention.ms')).toBe(604_800_000)
    const hours = { 'log.retention.hours': '2' }
    expect(load(hours).topic(new Map()).get('retention.ms')).toBe(7_200_000)
    const minutes = { ...hours, 'log.retention.minutes': '3' }
    expect(load(minutes).topic(new Map()).get('retention.ms')).toBe(180_000)
    expect(
      load({ ...minutes, 'log.retention.ms': '5' })
        .topic(new Map())
        .get('retention.ms'),
    ).toBe(5)
    expect(load({ 'log.retention.hours': '-1' }).topic(new Map()).get('retention.ms')).toBe(-1)
  })

  test('an override that cannot be read, stored by hand, does not count', () => {
    const topic = load().topic(new Map([['segment.bytes', 'many']]))
    expect(topic.get('segment.bytes')).toBe(1_073_741_824)
  })
})

describe('settings of the cluster', () => {
  const noProblem = (key: string): void => {
    throw new Error(`${key} is fine`)
  }

  test('count at once: those of this broker before those of all, before server.properties', () => {
    const config = load({ 'log.cleaner.backoff.ms': '1' })
    const topic = config.topic(new Map())
    const seen: string[][] = []
    const end = config.onChange((keys) => seen.push([...keys]))
    const all = new Map([
      ['log.cleaner.backoff.ms', '2'],
      ['message.max.bytes', '2000'],
    ])
    config.applyDynamic({ cluster: all, broker: new Map([['log.cleaner.backoff.ms', '3']]) }, noProblem)
    expect(config.get('log.cleaner.backoff.ms')).toBe(3)
    expect(topic.get('max.message.bytes')).toBe(2000)
    expect(config.given('log.cleaner.backoff.ms')).toEqual([
      { source: 'dynamicBroker', value: 3 },
      { source: 'dynamicCluster', value: 2 },
      { source: 'static', value: 1 },
    ])
    config.applyDynamic({ cluster: all, broker: new Map() }, noProblem)
    expect(config.get('log.cleaner.backoff.ms')).toBe(2)
    end()
    config.applyDynamic({ cluster: new Map(), broker: new Map() }, noProblem)
    expect(config.get('log.cleaner.backoff.ms')).toBe(1)
    expect(config.get('message.max.bytes')).toBe(1_048_588)
    expect(seen).toEqual([['log.cleaner.backoff.ms', 'message.max.bytes'], ['log.cleaner.backoff.ms']])
  })

  test('what cannot be used does not count: unknown keys, keys that are read at start, values that are wrong', () => {
    const config = load()
    const problems: string[] = []
    const settings = [
      ['my.key', '1'],
      ['num.partitions', '7'],
      ['message.max.bytes', 'many'],
    ] as const
    config.applyDynamic({ cluster: new Map(settings), broker: new Map() }, (...problem) =>
      problems.push(problem.join(' ')),
    )
    expect(config.get('num.partitions')).toBe(1)
    expect(config.get('message.max.bytes')).toBe(1_048_588)
    expect(problems).toEqual(['message.max.bytes many must be a whole number'])
  })
})
