import { duplexPair } from 'node:stream'
import {
  Connection,
  type ConnectionInfo,
  type Overlaps,
  type Serve,
} from '../../../broker/network/connection.ts'
import { RequestMemory } from '../../../broker/network/request-memory.ts'
import { MalformedFrameError } from '../../../broker/protocol/reader.ts'
import { BufferPool } from '../../../broker/runtime/buffer-pool.ts'
import { silentLogger } from '../../../broker/runtime/logger.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { waitUntil } from '../../support/wait-until.ts'

function framed(text: string): Buffer {
  const body = Buffer.from(text)
  const prefix = Buffer.alloc(4)
  prefix.writeInt32BE(body.length)
  return Buffer.concat([prefix, body])
}

interface Scene {
  readonly clock: ManualClock
  readonly connection: Connection
  /** What the client has received. */
  readonly received: () => string
  readonly send: (text: string) => void
  /** In one chunk. */
  readonly sendTogether: (texts: readonly string[]) => void
  readonly closed: () => boolean
  readonly hangUp: () => void
}

function connect(
  serve: Serve,
  options: { maxIdleMs?: number; maxFrameBytes?: number; overlaps?: Overlaps } = {},
): Scene {
  const [client, server] = duplexPair()
  const clock = new ManualClock()
  let received = ''
  let closed = false
  const connection = new Connection({
    socket: server,
    clientHost: '127.0.0.1',
    listener: 'PLAINTEXT',
    serve,
    maxFrameBytes: options.maxFrameBytes ?? 1000,
    memory: new RequestMemory(1_000_000, clock),
    buffers: new BufferPool(1_000_000),
    maxIdleMs: options.maxIdleMs ?? -1,
    ...(options.overlaps === undefined ? {} : { overlaps: options.overlaps }),
    clock,
    logger: silentLogger,
    onClose: () => {
      closed = true
    },
  })
  client.on('data', (chunk: Buffer) => {
    received += chunk.toString()
  })
  client.on('error', () => {})
  return {
    clock,
    connection,
    received: () => received,
    send: (text) => void client.write(framed(text)),
    sendTogether: (texts) => void client.write(Buffer.concat(texts.map(framed))),
    closed: () => closed,
    hangUp: () => client.destroy(),
  }
}

const echo: Serve = (frame) => Promise.resolve([Buffer.from(`<${frame.toString()}>`)])

describe('a connection', () => {
  test('that is muted answers at once, and serves nothing more until its time is over', async () => {
    const served: string[] = []
    const scene = connect(
      (frame, connection) => {
        const text = frame.toString()
        served.push(text)
        if (text === 'a') connection.mute(5000)
        return echo(frame, connection)
      },
      { maxIdleMs: 1000 },
    )
    scene.sendTogether(['a', 'b'])
    await waitUntil(() => scene.received() === '<a>', 'the first is answered')
    scene.send('c')
    scene.clock.advance(4999)
    await new Promise((resolve) => setImmediate(resolve))
    expect(served).toEqual(['a'])
    // Who has to keep quiet is not idle.
    expect(scene.closed()).toBe(false)
    scene.clock.advance(1)
    await waitUntil(() => scene.received() === '<a><b><c>', 'the others are answered')
    scene.hangUp()
    await waitUntil(scene.closed, 'it is closed')
  })

  test('has one request in process at a time, and answers in order', async () => {
    const waiting: (() => void)[] = []
    const served: string[] = []
    const scene = connect(async (frame) => {
      served.push(frame.toString())
      await new Promise<void>((resolve) => waiting.push(resolve))
      return [Buffer.from(`<${frame.toString()}>`)]
    })
    for (const text of ['a', 'b', 'c']) scene.send(text)
    for (const expected of [['a'], ['a', 'b'], ['a', 'b', 'c']]) {
      await waitUntil(() => served.length === expected.length, 'the next request is served')
      expect(served).toEqual(expected)
      waiting.at(-1)!()
    }
    await waitUntil(() => scene.received() === '<a><b><c>', 'all answers arrive')
  })

  test('requests that may overlap are in process together, any other alone; answers keep the order', async () => {
    const finish = new Map<string, () => void>()
    const scene = connect(
      async (frame) => {
        const name = frame.toString()
        await new Promise<void>((resolve) => finish.set(name, resolve))
        return [Buffer.from(`<${name}>`)]
      },
      { overlaps: (frame) => frame.toString().startsWith('p') },
    )
    scene.sendTogether(['p1', 'p2', 'm', 'p3'])
    await waitUntil(() => finish.size === 2, 'both that may overlap are in process')
    finish.get('p2')!()
    finish.get('p1')!()
    await waitUntil(() => finish.size === 3, 'the other one follows')
    expect(scene.received()).toBe('<p1><p2>')
    finish.get('m')!()
    await waitUntil(() => finish.size === 4, 'the last one follows')
    finish.get('p3')!()
    await waitUntil(() => scene.received() === '<p1><p2><m><p3>', 'all answers arrive')
  })

  test('one of several in process that fails closes the connection', async () => {
    const scene = connect((frame) => Promise.reject(new MalformedFrameError(frame.toString())), {
      overlaps: () => true,
    })
    scene.sendTogether(['a', 'b', 'c'])
    await waitUntil(scene.closed, 'it is closed')
    expect(scene.received()).toBe('')
  })

  test('memory that was lent for an answer is taken back when the answer has left, and not before', async () => {
    const [client, server] = duplexPair({ highWaterMark: 10 })
    const buffers = new BufferPool(1_000_000)
    const connection = new Connection({
      socket: server,
      clientHost: '127.0.0.1',
      listener: 'PLAINTEXT',
      serve: (_frame, { lend }) => Promise.resolve([lend(100).fill('a'), lend(5000).fill('b')]),
      maxFrameBytes: 1000,
      memory: new RequestMemory(1_000_000, new ManualClock()),
      buffers,
      maxIdleMs: -1,
      clock: new ManualClock(),
      logger: silentLogger,
      onClose: () => {},
    })
    client.write(framed('request'))
    await waitUntil(() => client.readableLength > 0, 'the answer begins to arrive')
    expect(buffers.freeBytes).toBe(0)
    let received = ''
    client.on('data', (chunk: Buffer) => {
      received += chunk.toString()
    })
    await waitUntil(() => buffers.freeBytes === 4096 + 8192, 'the memory is back')
    expect(received).toBe('a'.repeat(100) + 'b'.repeat(5000))
    connection.destroy()
  })

  test('a request without an answer is followed by the next', async () => {
    const scene = connect((frame, info) =>
      frame.toString() === 'quiet' ? Promise.resolve(null) : echo(frame, info),
    )
    scene.send('quiet')
    scene.send('loud')
    await waitUntil(() => scene.received() !== '', 'an answer arrives')
    expect(scene.received()).toBe('<loud>')
  })

  test('closes on a frame that is too large, and on a request that cannot be read', async () => {
    const large = connect(echo, { maxFrameBytes: 3 })
    large.send('four')
    await waitUntil(large.closed, 'it is closed')
    const unreadable = connect(() => Promise.reject(new MalformedFrameError('no')))
    unreadable.send('x')
    await waitUntil(unreadable.closed, 'it is closed')
    expect(large.received() + unreadable.received()).toBe('')
  })

  test('does not read on while the client does not read its answers', async () => {
    const [client, server] = duplexPair({ highWaterMark: 10 })
    let served = 0
    const connection = new Connection({
      socket: server,
      clientHost: '127.0.0.1',
      listener: 'PLAINTEXT',
      serve: () => {
        served += 1
        return Promise.resolve([Buffer.alloc(100)])
      },
      maxFrameBytes: 1000,
      memory: new RequestMemory(1_000_000, new ManualClock()),
      buffers: new BufferPool(1_000_000),
      maxIdleMs: -1,
      clock: new ManualClock(),
      logger: silentLogger,
      onClose: () => {},
    })
    for (let count = 0; count < 50; count += 1) client.write(framed('request'))
    await waitUntil(() => served > 0, 'the first request is served')
    for (let turn = 0; turn < 100; turn += 1) await new Promise((resolve) => setImmediate(resolve))
    expect(served).toBeLessThan(5)
    client.resume()
    await waitUntil(() => served === 50, 'all are served once the client reads')
    connection.destroy()
  })

  test('tells whoever serves when the client is gone', async () => {
    let info: ConnectionInfo | undefined
    const scene = connect((_frame, connection) => {
      info = connection
      return new Promise(() => {})
    })
    scene.send('x')
    await waitUntil(() => info !== undefined, 'the request is served')
    expect(info?.signal.aborted).toBe(false)
    scene.connection.destroy()
    await waitUntil(() => info?.signal.aborted === true, 'the signal is aborted')
  })

  test('is closed when it has been idle for too long, but not while a request is in process', async () => {
    let finish: () => void = () => {}
    let serving = false
    const scene = connect(
      async () => {
        serving = true
        await new Promise<void>((resolve) => {
          finish = resolve
        })
        return [Buffer.from('done')]
      },
      { maxIdleMs: 1000 },
    )
    scene.clock.advance(900)
    scene.send('x')
    await waitUntil(() => serving, 'it is served')
    scene.clock.advance(5000)
    finish()
    await waitUntil(() => scene.received() === 'done', 'the answer arrives')
    expect(scene.closed()).toBe(false)
    scene.clock.advance(999)
    await new Promise((resolve) => setImmediate(resolve))
    expect(scene.closed()).toBe(false)
    scene.clock.advance(2000)
    await waitUntil(scene.closed, 'it is closed')
  })

  test('closing lets the request in process finish and takes no other', async () => {
    let finish: () => void = () => {}
    let served = 0
    const scene = connect(async (frame) => {
      served += 1
      await new Promise<void>((resolve) => {
        finish = resolve
      })
      return [frame]
    })
    scene.send('first')
    scene.send('second')
    await waitUntil(() => served === 1, 'the first is served')
    scene.connection.close()
    finish()
    await waitUntil(() => scene.received() === 'first', 'its answer arrives')
    scene.hangUp()
    await waitUntil(scene.closed, 'it is closed')
    expect(served).toBe(1)
  })

  test('closes when the client does not read its answer for as long as it may be idle', async () => {
    const [client, server] = duplexPair({ highWaterMark: 10 })
    const clock = new ManualClock()
    let closed = false
    void new Connection({
      socket: server,
      clientHost: '127.0.0.1',
      listener: 'PLAINTEXT',
      serve: () => Promise.resolve([Buffer.alloc(100)]),
      maxFrameBytes: 1000,
      memory: new RequestMemory(1_000_000, clock),
      buffers: new BufferPool(1_000_000),
      maxIdleMs: 1000,
      clock,
      logger: silentLogger,
      onClose: () => {
        closed = true
      },
    })
    client.write(framed('a'))
    await waitUntil(() => server.writableNeedDrain, 'the answer waits')
    clock.advance(999)
    expect(server.destroyed).toBe(false)
    clock.advance(1)
    await waitUntil(() => closed, 'it is closed')
  })
})
