import { once } from 'node:events'
import { connect } from 'node:net'
import { loadConfig } from '../../../broker/config/config.ts'
import { type ConnectionLimits, Connections } from '../../../broker/network/connections.ts'
import { Listener } from '../../../broker/network/listener.ts'
import { RequestMemory } from '../../../broker/network/request-memory.ts'
import { BufferPool } from '../../../broker/runtime/buffer-pool.ts'
import { type Clock, systemClock } from '../../../broker/runtime/clock.ts'
import { silentLogger } from '../../../broker/runtime/logger.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { waitUntil } from '../../support/wait-until.ts'

function limited(limits: Partial<ConnectionLimits>): Connections {
  return new Connections(
    { all: () => 10, ofAddress: () => 10, rate: () => 1_000_000, rateOfAddress: () => Infinity, ...limits },
    systemClock,
  )
}

function listenerOn(address: string, connections = limited({}), clock: Clock = systemClock): Listener {
  const { listeners } = loadConfig({
    'node.id': '1',
    'quorum.connect': 'a:1',
    listeners: address,
  })
  return new Listener({
    config: listeners[0]!,
    serve: () => Promise.resolve(null),
    connections,
    memory: new RequestMemory(1_000_000, systemClock),
    buffers: new BufferPool(1_000_000),
    backlog: 50,
    maxFrameBytes: 1000,
    maxIdleMs: -1,
    clock,
    logger: silentLogger,
  })
}

describe('a listener', () => {
  test('says so when the port is taken', async () => {
    const first = listenerOn('PLAINTEXT://127.0.0.1:0')
    await first.open()
    const second = listenerOn(`PLAINTEXT://127.0.0.1:${first.port}`)
    await expect(second.open()).rejects.toThrow(
      `listeners: cannot listen on PLAINTEXT://127.0.0.1:${first.port}: the port is taken by another process (EADDRINUSE)`,
    )
    first.close()
  })

  test('says so when the address is not one of this machine', async () => {
    await expect(listenerOn('PLAINTEXT://192.0.2.1:9092').open()).rejects.toThrow(
      /192\.0\.2\.1:9092: this machine has no such address; .*advertised\.listeners \(EADDRNOTAVAIL\)/,
    )
  })

  test('listens at the address that it is given and no other', async () => {
    const listener = listenerOn('PLAINTEXT://127.0.0.1:0')
    await listener.open()
    const [error] = (await once(connect({ host: '127.0.0.2', port: listener.port }), 'error')) as [
      NodeJS.ErrnoException,
    ]
    expect(error.code).toBe('ECONNREFUSED')
    listener.close()
  })

  test('closes connections beyond max.connections, and takes new ones when others have gone', async () => {
    const connections = limited({ all: () => 2 })
    const listener = listenerOn('PLAINTEXT://127.0.0.1:0', connections)
    await listener.open()
    const open = () => connect({ host: '127.0.0.1', port: listener.port })
    const [first] = [open(), open()]
    await waitUntil(() => connections.size === 2, 'two are open')
    await once(open().resume(), 'close')
    expect(connections.size).toBe(2)
    first.destroy()
    await waitUntil(() => connections.size === 1, 'one has gone')
    open()
    await waitUntil(() => connections.size === 2, 'another is open')
    listener.close()
    await connections.closeAll(100)
    expect(connections.size).toBe(0)
  })

  test('lets connections wait for their end that an address makes faster than its quota', async () => {
    const clock = new ManualClock()
    const connections = limited({ rateOfAddress: () => 0.1 })
    const listener = listenerOn('PLAINTEXT://127.0.0.1:0', connections, clock)
    await listener.open()
    const open = () => connect({ host: '127.0.0.1', port: listener.port }).resume()
    const first = open()
    await waitUntil(() => connections.size === 1, 'the first is served')
    const second = open()
    await once(second, 'connect')
    let ended = false
    const closed = once(second, 'close').then(() => (ended = true))
    await waitUntil(() => clock.pending > 0, 'the second waits')
    expect([connections.size, ended]).toEqual([1, false])
    clock.advance(1000)
    await closed
    first.destroy()
    listener.close()
    await connections.closeAll(100)
  })

  test('closes connections beyond those that one address may have', async () => {
    const connections = limited({ ofAddress: (address) => (address === '127.0.0.1' ? 2 : 10) })
    const listener = listenerOn('PLAINTEXT://127.0.0.1:0', connections)
    await listener.open()
    const open = (localAddress: string) => connect({ host: '127.0.0.1', port: listener.port, localAddress })
    const [first] = [open('127.0.0.1'), open('127.0.0.1')]
    await waitUntil(() => connections.size === 2, 'two are open')
    await once(open('127.0.0.1').resume(), 'close')
    open('127.0.0.5')
    await waitUntil(() => connections.size === 3, 'another address is served')
    first.destroy()
    await waitUntil(() => connections.size === 2, 'one has gone')
    open('127.0.0.1')
    await waitUntil(() => connections.size === 3, 'another of the same address is served')
    listener.close()
    await connections.closeAll(100)
    expect(connections.size).toBe(0)
  })

  test('lets connections wait that come faster than they may, and refuses what would wait long', async () => {
    const clock = new ManualClock()
    const connections = new Connections(
      { all: () => 100, ofAddress: () => 100, rate: () => 2, rateOfAddress: () => Infinity },
      clock,
    )
    const waits = Array.from({ length: 23 }, () => connections.turnMs())
    expect(waits.slice(0, 6)).toEqual([0, 0, 0, 500, 1000, 1500])
    expect(waits.at(-1)).toBe(10_000)
    expect(connections.refusal('127.0.0.1')).toBe('max.connection.creation.rate')
    clock.advance(5000)
    expect(connections.refusal('127.0.0.1')).toBeUndefined()
  })
})
