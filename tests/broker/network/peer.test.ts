import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { createDispatch } from '../../../broker/dispatch.ts'
import type { BrokerParts } from '../../../broker/handlers/context.ts'
import { Connection, type Serve } from '../../../broker/network/connection.ts'
import { Peer, PeerUnavailableError } from '../../../broker/network/peer.ts'
import { RequestMemory } from '../../../broker/network/request-memory.ts'
import { ApiVersions } from '../../../broker/protocol/apis/api-versions.ts'
import { BufferPool } from '../../../broker/runtime/buffer-pool.ts'
import { systemClock } from '../../../broker/runtime/clock.ts'
import { silentLogger } from '../../../broker/runtime/logger.ts'
import { Metrics } from '../../../broker/runtime/metrics.ts'
import { waitUntil } from '../../support/wait-until.ts'

/** ApiVersions needs no part of the broker but these. */
const parts = { clock: systemClock, logger: silentLogger, quotas: { active: false } } as BrokerParts
const dispatch = createDispatch(parts, new Metrics())

interface Other {
  readonly port: number
  readonly sockets: Set<Socket>
  close(): Promise<void>
}

/** A broker that answers ApiVersions. */
async function listen(serve: Serve = dispatch, port = 0): Promise<Other> {
  const sockets = new Set<Socket>()
  const server: Server = createServer((socket) => {
    sockets.add(socket)
    void new Connection({
      socket,
      clientHost: '127.0.0.1',
      listener: 'PLAINTEXT',
      serve,
      maxFrameBytes: 1000,
      memory: new RequestMemory(1_000_000, systemClock),
      buffers: new BufferPool(1_000_000),
      maxIdleMs: -1,
      clock: systemClock,
      logger: silentLogger,
      onClose: () => sockets.delete(socket),
    })
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    sockets,
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function peerOf(port: number): Peer {
  return new Peer({ host: '127.0.0.1', port, clientId: 'test', maxFrameBytes: 10_000, clock: systemClock })
}

const request = { clientSoftwareName: 'test', clientSoftwareVersion: '1' }

describe('a peer', () => {
  test('has its requests answered, several in flight over one connection', async () => {
    const other = await listen()
    const peer = peerOf(other.port)
    const answers = await Promise.all(
      [0, 1, 2, 3].map((version) => peer.request(ApiVersions, version, request, 5000)),
    )
    expect(answers.map(({ apiKeys }) => apiKeys.length > 5)).toEqual([true, true, true, true])
    expect(other.sockets.size).toBe(1)
    await peer.close()
    await other.close()
  })

  test('tells a broker that is not running from one that does not answer', async () => {
    const other = await listen(() => new Promise(() => {}))
    const silent = peerOf(other.port)
    const failure = await silent.request(ApiVersions, 0, request, 50).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(PeerUnavailableError)
    expect(failure).toMatchObject({
      refused: false,
      message: expect.stringContaining('no answer in 50 ms') as string,
    })
    await silent.close()
    await other.close()
    const gone = peerOf(other.port)
    await expect(gone.request(ApiVersions, 0, request, 5000)).rejects.toMatchObject({ refused: true })
    await gone.close()
  })

  test('connects again after the connection was lost, and fails what was in flight at once', async () => {
    const other = await listen((frame, info) =>
      frame[3] === 0 ? new Promise(() => {}) : dispatch(frame, info),
    )
    const peer = peerOf(other.port)
    await peer.request(ApiVersions, 1, request, 5000)
    const lost = peer.request(ApiVersions, 0, request, 60_000)
    await waitUntil(() => other.sockets.size === 1, 'it is connected')
    for (const socket of other.sockets) socket.destroy()
    await expect(lost).rejects.toMatchObject({ refused: false })
    expect((await peer.request(ApiVersions, 1, request, 5000)).errorCode).toBe(0)
    await peer.close()
    await other.close()
  })

  test('refuses everything once it is closed', async () => {
    const other = await listen(() => new Promise(() => {}))
    const peer = peerOf(other.port)
    const inFlight = peer.request(ApiVersions, 0, request, 60_000).catch((error: unknown) => error)
    await waitUntil(() => other.sockets.size === 1, 'it is connected')
    await peer.close()
    expect(await inFlight).toBeInstanceOf(PeerUnavailableError)
    await expect(peer.request(ApiVersions, 0, request, 60_000)).rejects.toThrow(
      'this side has closed the connection',
    )
    await other.close()
  })
})
