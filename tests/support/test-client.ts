/**
 * One connection to a broker, spoken to in its own protocol: whole requests by their tables, or any bytes at all.
 * It retries nothing, and tells whether the broker has closed the connection.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { FrameReader } from '../../broker/network/frame-reader.ts'
import { finishFrame, startFrame } from '../../broker/protocol/frame.ts'
import { decodeResponseHeader, encodeRequestHeader } from '../../broker/protocol/headers.ts'
import { ByteReader } from '../../broker/protocol/reader.ts'
import type { AnyApi, DecodedResponse, RequestToSend } from '../../broker/protocol/schema.ts'

const TIMEOUT_MS = 10_000

export class TestClient {
  readonly #socket: Socket
  readonly #frames: Buffer[] = []
  readonly #arrived = new EventTarget()
  #correlationId = 0
  /** Resolves when the broker, or `close`, has ended the connection. */
  readonly closed: Promise<void>
  isClosed = false

  private constructor(socket: Socket) {
    this.#socket = socket
    const reader = new FrameReader(100 * 1024 * 1024)
    socket.on('data', (chunk: Buffer) => {
      this.#frames.push(...reader.push(chunk))
      this.#arrived.dispatchEvent(new Event('frame'))
    })
    // A reset is one of the ways in which a broker ends a connection.
    socket.on('error', () => {})
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.isClosed = true
        this.#arrived.dispatchEvent(new Event('frame'))
        resolve()
      })
    })
  }

  static async connect(address: string): Promise<TestClient> {
    const [host, port] = address.split(':')
    const socket = connect({ host: host!, port: Number(port), noDelay: true })
    await once(socket, 'connect')
    return new TestClient(socket)
  }

  /** Sends bytes as they are. */
  sendBytes(bytes: Buffer): void {
    this.#socket.write(bytes)
  }

  /** The next answer's frame, without its size. Rejects when the connection ends first, or after 10 s. */
  async nextFrame(): Promise<Buffer> {
    const timeout = AbortSignal.timeout(TIMEOUT_MS)
    for (;;) {
      const frame = this.#frames.shift()
      if (frame !== undefined) return frame
      if (this.isClosed) throw new Error('the broker has closed the connection')
      await once(this.#arrived, 'frame', { signal: timeout })
    }
  }

  /** Sends one request and decodes its answer. */
  async request<A extends AnyApi>(
    api: A,
    version: number,
    request: RequestToSend<A>,
  ): Promise<DecodedResponse<A>> {
    this.send(api, version, request)
    return this.receive(api, version)
  }

  /** Sends one request without waiting; returns its correlation id. */
  send<A extends AnyApi>(api: A, version: number, request: RequestToSend<A>): number {
    this.#correlationId += 1
    const header = { apiVersion: version, correlationId: this.#correlationId, clientId: 'test-client' }
    const writer = startFrame()
    encodeRequestHeader(api, header, writer)
    api.request.encode(version, request, writer)
    this.sendBytes(Buffer.concat(finishFrame(writer)))
    return this.#correlationId
  }

  /** The next answer, which must be one to the last request sent, or to `correlationId`. */
  async receive<A extends AnyApi>(
    api: A,
    version: number,
    correlationId = this.#correlationId,
  ): Promise<DecodedResponse<A>> {
    const reader = new ByteReader(await this.nextFrame())
    const answered = decodeResponseHeader(api, version, reader)
    if (answered !== correlationId) throw new Error(`answer ${answered} where ${correlationId} was due`)
    const response = api.response.decode(version, reader) as DecodedResponse<A>
    if (reader.remaining !== 0) throw new Error(`${reader.remaining} bytes follow the answer`)
    return response
  }

  /** Leaves in the network what the broker sends from now on. */
  stopReading(): void {
    this.#socket.pause()
  }

  close(): void {
    this.#socket.destroy()
  }
}
