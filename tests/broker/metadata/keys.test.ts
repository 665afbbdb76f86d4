import * as keys from '../../../broker/metadata/keys.ts'

test("values are those of Kafka's znodes", () => {
  const endpoints = [
    { listener: 'PLAINTEXT', securityProtocol: 'PLAINTEXT', host: '10.0.1.11', port: 9092 },
    { listener: 'SIX', securityProtocol: 'PLAINTEXT', host: 'fd00::1', port: 9093 },
  ]
  const broker = {
    endpoints,
    rack: null,
    shuttingDown: false,
    offlineReplicas: new Map(),
    completeSince: 17,
    timestampMs: 1_700_000_000_000,
  }
  expect(JSON.parse(keys.encodeBroker(broker))).toEqual({
    listener_security_protocol_map: { PLAINTEXT: 'PLAINTEXT', SIX: 'PLAINTEXT' },
    endpoints: ['PLAINTEXT://10.0.1.11:9092', 'SIX://[fd00::1]:9093'],
    rack: null,
    host: '10.0.1.11',
    port: 9092,
    version: 5,
    timestamp: '1700000000000',
    complete_since: 17,
  })
  expect(keys.decodeBroker(keys.encodeBroker(broker))).toEqual(broker)
  expect(keys.decodeBroker(keys.encodeBroker({ ...broker, rack: 'a', shuttingDown: true }))).toMatchObject({
    rack: 'a',
    shuttingDown: true,
  })
  expect(keys.encodeTopic({ id: 'Q'.repeat(22), assignment: [[1, 2]] })).toBe(
    `{"version":3,"topic_id":"${'Q'.repeat(22)}","partitions":{"0":[1,2]},"adding_replicas":{},"removing_replicas":{}}`,
  )
  expect(keys.encodePartitionState({ leader: 1, leaderEpoch: 2, isr: [1, 3] }, 7)).toBe(
    '{"controller_epoch":7,"leader":1,"version":1,"leader_epoch":2,"isr":[1,3]}',
  )
  expect(keys.encodeController(2, 5)).toBe('{"version":1,"brokerid":2,"timestamp":"5"}')
  expect(keys.encodeClusterId('x')).toBe('{"version":"1","id":"x"}')
  expect(keys.encodeConfigs(new Map([['retention.ms', '1']]))).toBe(
    '{"version":1,"config":{"retention.ms":"1"}}',
  )
  expect(keys.encodeProducerIdBlock({ brokerId: 1, first: 0, last: 999 })).toBe(
    '{"version":1,"broker":1,"block_start":"0","block_end":"999"}',
  )
})

test.each([
  ['/brokers/ids/3', { kind: 'broker', id: 3 }],
  ['/brokers/topics/a.b', { kind: 'topic', topic: 'a.b' }],
  ['/brokers/topics/t/partitions/12/state', { kind: 'state', topic: 't', index: 12 }],
  ['/config/topics/t', { kind: 'config', topic: 't' }],
  ['/controller', { kind: 'controller' }],
  ['/brokers/topics/t/partitions/12', undefined],
  ['/brokers/topics/t/partitions/x/state', undefined],
  ['/brokers/ids/03', undefined],
  ['/brokers/ids', undefined],
  ['/config/brokers/1', { kind: 'brokerConfig', broker: '1' }],
  ['/config/brokers/<default>', { kind: 'brokerConfig', broker: '' }],
  ['/config/brokers/x', undefined],
  ['/config/clients/a%2Fb', { kind: 'quota', entity: new Map([['client-id', 'a/b']]) }],
  ['/config/users/<default>', { kind: 'quota', entity: new Map([['user', null]]) }],
  ['/config/users/%3Cdefault%3E', { kind: 'quota', entity: new Map([['user', '<default>']]) }],
  [
    '/config/users/u/clients/<default>',
    {
      kind: 'quota',
      entity: new Map([
        ['user', 'u'],
        ['client-id', null],
      ]),
    },
  ],
  ['/config/ips/10.0.0.1', { kind: 'quota', entity: new Map([['ip', '10.0.0.1']]) }],
  ['/config/clients/c/users/u', undefined],
  ['/config/clients/%', undefined],
  ['/config/clients', undefined],
  ['brokers/ids/3', undefined],
  ['/constructor', undefined],
])('%s', (key, meaning) => {
  expect(keys.meaningOf(key)).toEqual(meaning)
})
