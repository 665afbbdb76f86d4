import { hostname } from 'node:os'
import { type Config, loadConfig } from '../../../broker/config/config.ts'

function load(more: Record<string, string>): Config {
  return loadConfig({ 'node.id': '1', 'quorum.connect': 'a:2379', ...more })
}

describe('listeners', () => {
  test('an address is bound and advertised as it is', () => {
    expect(load({ listeners: 'PLAINTEXT://10.0.1.11:9092' }).listeners).toEqual([
      {
        name: 'PLAINTEXT',
        securityProtocol: 'PLAINTEXT',
        host: '10.0.1.11',
        port: 9092,
        advertisedHost: '10.0.1.11',
        advertisedPort: 9092,
      },
    ])
  })

  test('without a host every address is bound, and the name of the machine advertised', () => {
    expect(load({}).listeners[0]).toMatchObject({ host: '', port: 9092, advertisedHost: hostname() })
  })

  test('port 0 stands for the port that is bound', () => {
    expect(load({ listeners: 'PLAINTEXT://127.0.0.1:0' }).listeners[0]).toMatchObject({
      port: 0,
      advertisedPort: undefined,
    })
  })

  test('what is advertised may differ from what is bound', () => {
    const config = load({
      listeners: 'CLIENTS://0.0.0.0:9092,BROKERS://[::1]:9093',
      'advertised.listeners': 'CLIENTS://kafka.example.org:19092',
      'listener.security.protocol.map': 'CLIENTS:PLAINTEXT,BROKERS:PLAINTEXT',
      'inter.broker.listener.name': 'BROKERS',
    })
    expect(config.listeners).toMatchObject([
      {
        name: 'CLIENTS',
        host: '0.0.0.0',
        port: 9092,
        advertisedHost: 'kafka.example.org',
        advertisedPort: 19_092,
      },
      { name: 'BROKERS', host: '::1', port: 9093, advertisedHost: '::1', advertisedPort: 9093 },
    ])
    expect(config.interBrokerListener).toBe('BROKERS')
  })

  test.each([
    [{ listeners: '' }, 'listeners: must name at least one'],
    [{ listeners: '10.0.1.11:9092' }, '"10.0.1.11:9092" must be NAME://host:port'],
    [{ listeners: 'PLAINTEXT://a:99999' }, '"PLAINTEXT://a:99999" must be NAME://host:port'],
    [{ listeners: 'PLAINTEXT://a:1,PLAINTEXT://b:2' }, 'two listeners named PLAINTEXT'],
    [
      {
        listeners: 'PLAINTEXT://a:1,OTHER://a:1',
        'listener.security.protocol.map': 'OTHER:PLAINTEXT',
      },
      'PLAINTEXT and OTHER both want port 1',
    ],
    [
      { listeners: 'PLAINTEXT://0.0.0.0:9092' },
      'nobody can connect to 0.0.0.0; give the address that clients reach',
    ],
    [
      { 'advertised.listeners': 'OTHER://a:1' },
      'advertised.listeners: OTHER is no listener; listeners has PLAINTEXT',
    ],
    [{ 'inter.broker.listener.name': 'OTHER' }, 'inter.broker.listener.name: OTHER is no listener'],
    [{ listeners: 'SSL://a:1' }, 'listeners: SSL has no security protocol; add SSL:PLAINTEXT'],
    [
      { listeners: 'SSL://a:1', 'listener.security.protocol.map': 'SSL:SSL' },
      'SSL:SSL cannot be served; PLAINTEXT is the only protocol',
    ],
    [{ 'listener.security.protocol.map': 'A' }, '"A" must be NAME:PROTOCOL'],
  ])('%j is refused', (settings, message) => {
    expect(() => load(settings)).toThrow(message)
  })
})
