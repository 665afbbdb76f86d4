import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import type { BrokerRegistration } from '../../../broker/metadata/image.ts'
import { PeerWatch } from '../../../broker/replication/peer-watch.ts'
import { systemClock } from '../../../broker/runtime/clock.ts'
import { waitUntil } from '../../support/wait-until.ts'

let server: Server
let sockets: Socket[]
let attempts: number
let gone: number[]
let watch: PeerWatch

async function listen(port = 0): Promise<number> {
  server = createServer((socket) => {
    attempts += 1
    sockets.push(socket)
    socket.on('error', () => {})
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

/** As the kernel does for a process that is killed. */
async function die(): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve))
  for (const socket of sockets.splice(0)) socket.resetAndDestroy()
  await closed
}

function brokers(port: number, epoch = 12): ReadonlyMap<number, BrokerRegistration> {
  const endpoint = { listener: 'PLAINTEXT', securityProtocol: 'PLAINTEXT', host: '127.0.0.1', port }
  const common = {
    epoch,
    endpoints: [endpoint],
    rack: null,
    shuttingDown: false,
    offlineReplicas: new Map(),
    completeSince: 0,
    revision: epoch,
  }
  return new Map([
    [1, { id: 1, ...common }],
    [2, { id: 2, ...common }],
  ])
}

beforeEach(() => {
  sockets = []
  attempts = 0
  gone = []
  watch = new PeerWatch({
    brokerId: 1,
    listener: 'PLAINTEXT',
    gone: ({ epoch }) => gone.push(epoch),
    clock: systemClock,
  })
})

afterEach(async () => {
  watch.close()
  if (server.listening) await die()
})

test('a broker that was reached and then refuses connections is gone, and said to be so once', async () => {
  const port = await listen()
  watch.update(brokers(port))
  await waitUntil(() => attempts === 1, 'it is connected')
  await die()
  await waitUntil(() => gone.length > 0, 'it is found gone', 2000)
  await listen(port)
  await waitUntil(() => attempts === 2, 'it is connected again')
  expect(gone).toEqual([12])
})

test('a connection that breaks while the broker listens is made again, and proves nothing', async () => {
  const port = await listen()
  watch.update(brokers(port))
  for (let count = 1; count <= 3; count += 1) {
    await waitUntil(() => attempts === count, 'it is connected')
    for (const socket of sockets.splice(0)) socket.resetAndDestroy()
  }
  await waitUntil(() => attempts === 4, 'it is connected')
  expect(gone).toEqual([])
})

test('an address that was never reached under the present registration proves nothing', async () => {
  const port = await listen()
  watch.update(brokers(port))
  await waitUntil(() => attempts === 1, 'it is connected')
  watch.update(new Map())
  await die()
  watch.update(brokers(port, 20))
  const startedMs = performance.now()
  // Refused at 0, 50, 150 and 350 ms.
  await waitUntil(() => performance.now() - startedMs > 400, 'it was refused often enough')
  expect(gone).toEqual([])
  await listen(port)
  await waitUntil(() => attempts === 2, 'it is connected')
})
