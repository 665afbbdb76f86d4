/** How a broker reaches others and is reached: TCP, or the network of a simulation. */
import { connect, createServer, type Server } from 'node:net'
import type { Duplex } from 'node:stream'

export type AcceptedSocket = Duplex & {
  readonly remoteAddress?: string | undefined
  readonly bytesRead: number
  readonly bytesWritten: number
}

/** As much of node:net's server as a listener needs. */
export type NetworkServer = Pick<
  Server,
  'listen' | 'address' | 'close' | 'once' | 'on' | 'removeAllListeners'
>

export interface Network {
  /** A stream that emits `connect` once it is connected; what fails comes as `error` with the code of the system. */
  connect(address: { readonly host: string; readonly port: number }): Duplex
  createServer(accept: (socket: AcceptedSocket) => void): NetworkServer
}

export const tcp: Network = {
  connect: (address) => connect({ ...address, noDelay: true, keepAlive: true }),
  createServer: (accept) => createServer({ noDelay: true, keepAlive: true }, accept),
}
