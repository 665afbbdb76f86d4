/**
 * A network of hosts in simulated time. Connections are streams in order, as TCP's; a link that is cut loses nothing
 * but delivers nothing either, until it is whole again or its connections are given up. The connections of a process
 * that dies are reset for the other side; those of a machine without power just fall silent.
 */
import { EventEmitter } from 'node:events'
import { Duplex } from 'node:stream'
import type { Network, NetworkServer } from '../../broker/network/network.ts'
import { between } from './random.ts'
import type { SimulatedProcess } from './simulated-process.ts'
import type { World } from './world.ts'

const LATENCY_MS = { least: 0.05, most: 1 }
/** One in this many deliveries takes up to SLOW_MS. */
const SLOW_ONE_IN = 200
const SLOW_MS = 80
const CONNECT_TIMEOUT_MS = 20_000

type Packet =
  | { readonly kind: 'data'; readonly bytes: Buffer }
  | { readonly kind: 'end' | 'reset' | 'accepted' }

export class SimulatedNetwork {
  readonly #world: World
  readonly #listening = new Map<
    string,
    { process: SimulatedProcess; accept: (socket: SimulatedSocket) => void }
  >()
  readonly #sockets = new Set<SimulatedSocket>()
  /** "from>to": what `from` sends does not reach `to`. */
  readonly #cut = new Set<string>()
  readonly #unpowered = new Set<string>()
  #ports = 10_000

  constructor(world: World) {
    this.#world = world
  }

  /** The network as one process sees it. */
  of(process: SimulatedProcess): Network {
    process.onDeath(() => this.#resetAll(process))
    return {
      connect: ({ host, port }) => this.#connect(process, host, port),
      createServer: (accept) => this.#createServer(process, accept),
    }
  }

  reaches(from: string, to: string): boolean {
    return !this.#cut.has(`${from}>${to}`) && !this.#unpowered.has(from) && !this.#unpowered.has(to)
  }

  cut(from: string, to: string): void {
    this.#cut.add(`${from}>${to}`)
  }

  /** What was held back is delivered; a connection that was silent for long may be found reset instead. */
  heal(from: string, to: string): void {
    if (!this.#cut.delete(`${from}>${to}`)) return
    for (const socket of this.#sockets) {
      if (socket.process.host === to && socket.remote?.process.host === from) this.#flush(socket)
    }
  }

  /** Before its processes are killed: nobody is told of their end. */
  powerOff(host: string): void {
    this.#unpowered.add(host)
  }

  /** The other ends of the connections of its former life are reset as soon as they send. */
  powerOn(host: string): void {
    this.#unpowered.delete(host)
  }

  #latencyMs(): number {
    const { random } = this.#world
    if (random() * SLOW_ONE_IN < 1) return between(random, LATENCY_MS.most, SLOW_MS)
    return between(random, LATENCY_MS.least, LATENCY_MS.most)
  }

  #createServer(process: SimulatedProcess, accept: (socket: SimulatedSocket) => void): NetworkServer {
    const emitter = new EventEmitter()
    let address: string | undefined
    let port = 0
    const server = Object.assign(emitter, {
      listen: (options: { port: number; host?: string }, listening: () => void) => {
        port = options.port === 0 ? (this.#ports += 1) : options.port
        address = `${process.host}:${port}`
        this.#listening.set(address, { process, accept })
        process.onDeath(() => this.#listening.delete(`${process.host}:${port}`))
        globalThis.process.nextTick(listening)
        return server
      },
      address: () => (address === undefined ? null : { address: process.host, family: 'IPv4', port }),
      close: () => {
        if (address !== undefined) this.#listening.delete(address)
        return server
      },
    })
    return server as unknown as NetworkServer
  }

  #connect(process: SimulatedProcess, host: string, port: number): Duplex {
    const socket = new SimulatedSocket(this, process, host)
    this.#sockets.add(socket)
    const attempt = (): void => {
      if (socket.destroyed) return
      if (!this.reaches(process.host, host) || !this.reaches(host, process.host)) return
      const listening = this.#listening.get(`${host}:${port}`)
      if (listening === undefined) return this.#refuse(socket, host, port)
      const other = new SimulatedSocket(this, listening.process, process.host)
      this.#sockets.add(other)
      socket.remote = other
      other.remote = socket
      listening.process.run(() => listening.accept(other))
      this.deliver(socket, { kind: 'accepted' })
    }
    // An attempt on a cut link or at a dark host is made again until it is given up, as SYNs are.
    const again = (delayMs: number): void => {
      this.#world.after(delayMs, () => {
        if (socket.remote !== undefined || socket.destroyed) return
        attempt()
        if (socket.remote === undefined && !socket.destroyed) again(Math.min(delayMs * 2, 4_000))
      })
    }
    process.after(this.#latencyMs(), () => {
      attempt()
      if (socket.remote === undefined && !socket.destroyed) again(1_000)
    })
    process.after(CONNECT_TIMEOUT_MS, () => {
      if (socket.remote === undefined)
        socket.destroy(failure('ETIMEDOUT', `connect ETIMEDOUT ${host}:${port}`))
    })
    return socket
  }

  #refuse(socket: SimulatedSocket, host: string, port: number): void {
    this.#world.after(this.#latencyMs(), () =>
      socket.process.run(() =>
        socket.destroy(failure('ECONNREFUSED', `connect ECONNREFUSED ${host}:${port}`)),
      ),
    )
  }

  /** To `socket`, after everything that is under way to it already. */
  deliver(socket: SimulatedSocket, packet: Packet): void {
    socket.arriving.push(packet)
    if (socket.arriving.length === 1) this.#flush(socket)
  }

  #flush(socket: SimulatedSocket): void {
    if (socket.isFlushing || socket.arriving.length === 0) return
    socket.isFlushing = true
    this.#world.after(this.#latencyMs(), () => {
      socket.isFlushing = false
      const from = socket.remote?.process.host
      // Held back; `heal` begins again.
      if (from === undefined || !this.reaches(from, socket.process.host)) return
      for (const packet of socket.arriving.splice(0)) socket.process.run(() => socket.receive(packet))
    })
  }

  /** The socket has gone on its own side. */
  forget(socket: SimulatedSocket, isReset: boolean): void {
    this.#sockets.delete(socket)
    const { remote } = socket
    if (remote === undefined || remote.destroyed) return
    this.deliver(remote, { kind: isReset ? 'reset' : 'end' })
  }

  #resetAll(process: SimulatedProcess): void {
    for (const socket of this.#sockets) {
      if (socket.process !== process) continue
      this.#sockets.delete(socket)
      if (this.#unpowered.has(process.host)) continue
      if (socket.remote !== undefined && !socket.remote.destroyed)
        this.deliver(socket.remote, { kind: 'reset' })
    }
  }
}

class SimulatedSocket extends Duplex {
  readonly process: SimulatedProcess
  readonly remoteAddress: string
  readonly arriving: Packet[] = []
  isFlushing = false
  bytesRead = 0
  bytesWritten = 0
  remote: SimulatedSocket | undefined
  readonly #network: SimulatedNetwork

  constructor(network: SimulatedNetwork, process: SimulatedProcess, remoteAddress: string) {
    super({ allowHalfOpen: false })
    this.#network = network
    this.process = process
    this.remoteAddress = remoteAddress
  }

  receive(packet: Packet): void {
    if (this.destroyed) return
    if (packet.kind === 'data') {
      this.bytesRead += packet.bytes.length
      this.push(packet.bytes)
    } else if (packet.kind === 'end') this.push(null)
    else if (packet.kind === 'accepted') this.emit('connect')
    else this.destroy(failure('ECONNRESET', 'read ECONNRESET'))
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error) => void): void {
    this.#send([chunk])
    done()
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error) => void): void {
    this.#send(chunks.map(({ chunk }) => chunk))
    done()
  }

  /** The bytes are the receiver's own: whoever sent them may write over theirs. */
  #send(parts: readonly Buffer[]): void {
    const { remote } = this
    for (const part of parts) this.bytesWritten += part.length
    if (this.process.isDead || remote === undefined) return
    if (remote.process.isDead) return this.#network.deliver(this, { kind: 'reset' })
    this.#network.deliver(remote, { kind: 'data', bytes: Buffer.concat(parts) })
  }

  override _final(done: (error?: Error) => void): void {
    if (!this.process.isDead && this.remote !== undefined && !this.remote.destroyed) {
      this.#network.deliver(this.remote, { kind: 'end' })
    }
    done()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (!this.process.isDead) this.#network.forget(this, error !== null || !this.writableFinished)
    done(error)
  }
}

function failure(code: string, message: string): NodeJS.ErrnoException {
  return Object.assign(new Error(message), { code })
}
