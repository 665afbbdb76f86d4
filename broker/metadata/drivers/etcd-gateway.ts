/**
 * Calls to etcd's JSON gateway (https://etcd.io/docs/v3.6/dev-guide/api_grpc_gateway/), over any member that answers.
 *
 * An attempt has a deadline of its own, after which the next member is tried: how long a dead member delays a call is
 * decided here. 64-bit integers are text in this encoding, keys and values base64.
 */
import http from 'node:http'
import type { Clock } from '../../runtime/clock.ts'
import { StoreUnavailableError } from '../store.ts'

export const ATTEMPT_TIMEOUT_MS = 800
/** Pause after every member has failed once: refused connections come back at once. */
const ROUND_PAUSE_MS = 50
const MAX_SOCKETS_PER_MEMBER = 32
const MAX_REPLY_BYTES = 64 * 1024 * 1024

/** gRPC status codes after which another attempt may succeed: the member or the quorum has a problem, not the request. */
const RETRIABLE_CODES = new Set([1, 2, 4, 8, 13, 14, 15])

/** etcd refuses the request itself: it was not applied, and repeating it is of no use. */
export class EtcdError extends Error {
  override readonly name = 'EtcdError'
  /** gRPC status: 5 not found (a lease), 9 exists already, 11 compacted. */
  readonly code: number

  constructor(code: number, message: string) {
    super(message)
    this.code = code
  }
}

/** One attempt failed. `applied` is "unknown" when the member may have received the request. */
export class AttemptError extends Error {
  override readonly name = 'AttemptError'
  readonly applied: 'no' | 'unknown'

  constructor(message: string, applied: 'no' | 'unknown') {
    super(message)
    this.applied = applied
  }
}

export interface Deadline {
  /** On the clock's monotonic scale. */
  readonly atMs: number
  readonly timeoutMs: number
}

export class EtcdGateway {
  /** "host:port" of each member. */
  readonly members: readonly string[]
  readonly #clock: Clock
  readonly #closing: AbortSignal
  readonly #agent = new http.Agent({ keepAlive: true, maxSockets: MAX_SOCKETS_PER_MEMBER })
  #preferred: number
  #answeredMs: number

  constructor(options: {
    members: readonly string[]
    preferred: number
    clock: Clock
    closing: AbortSignal
  }) {
    this.members = options.members
    this.#preferred = options.preferred % options.members.length
    this.#clock = options.clock
    this.#closing = options.closing
    this.#answeredMs = options.clock.monotonicMs()
  }

  /** Milliseconds since any call was answered. */
  silentMs(): number {
    return this.#clock.monotonicMs() - this.#answeredMs
  }

  deadline(timeoutMs: number): Deadline {
    return { atMs: this.#clock.monotonicMs() + timeoutMs, timeoutMs }
  }

  /**
   * Repeats the call on one member after the other until one answers: for calls that may be applied twice.
   * Rejects with EtcdError, or with StoreUnavailableError at the deadline.
   */
  async call<T>(path: string, body: object, deadline: Deadline): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.once<T>(path, body, deadline)
      } catch (error) {
        await this.pauseOrGiveUp(error, attempt, deadline)
      }
    }
  }

  /** One attempt on the member that answered last. Rejects with AttemptError or EtcdError. */
  async once<T>(path: string, body: object, deadline: Deadline): Promise<T> {
    const at = this.#preferred
    const timeoutMs = Math.min(ATTEMPT_TIMEOUT_MS, deadline.atMs - this.#clock.monotonicMs())
    try {
      const member = this.members[at]!
      const { status, text } = await this.#post(member, path, JSON.stringify(body), timeoutMs)
      const reply = decoded(member, status, text)
      this.#answeredMs = this.#clock.monotonicMs()
      return reply as T
    } catch (error) {
      if (error instanceof AttemptError && this.#preferred === at)
        this.#preferred = (at + 1) % this.members.length
      throw error
    }
  }

  /** After a failed attempt: throws when it is of no use to go on, else waits once per round over the members. */
  async pauseOrGiveUp(error: unknown, attempt: number, { atMs, timeoutMs }: Deadline): Promise<void> {
    if (!(error instanceof AttemptError) || this.#closing.aborted) throw error
    if (attempt % this.members.length === 0) {
      await this.#clock.sleep(ROUND_PAUSE_MS, this.#closing)
    }
    if (this.#clock.monotonicMs() >= atMs) {
      throw new StoreUnavailableError(
        `no member of the quorum ${this.members.join(', ')} answered within ${timeoutMs} ms (last: ${error.message})`,
        { cause: error },
      )
    }
  }

  /**
   * Opens a stream of replies on one member, outside the pool of connections. Calls `onReply` for each; resolves or
   * rejects when the stream ends. Nothing but `signal` ends a stream that stays silent.
   */
  stream(
    member: string,
    path: string,
    body: object,
    onReply: (reply: unknown) => void,
    signal: AbortSignal,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const request = http.request(`http://${member}${path}`, { method: 'POST', agent: false, signal })
      request.once('error', reject)
      request.once('response', (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => {
          text += chunk
          const lines = text.split('\n')
          text = lines.pop() ?? ''
          try {
            if (text.length > MAX_REPLY_BYTES)
              throw new Error(`a reply of more than ${MAX_REPLY_BYTES} bytes`)
            for (const line of lines) onReply(streamed(line))
          } catch (error) {
            response.destroy(error as Error)
          }
        })
        response.once('error', reject)
        response.once('end', resolve)
      })
      request.end(JSON.stringify(body))
    })
  }

  close(): void {
    this.#agent.destroy()
  }

  #post(
    member: string,
    path: string,
    body: string,
    timeoutMs: number,
  ): Promise<{ status: number; text: string }> {
    return new Promise((resolve, reject) => {
      let connected = false
      const fail = (message: string): void => {
        finish()
        reject(new AttemptError(`${member}: ${message}`, connected ? 'unknown' : 'no'))
      }
      const onClosing = (): void => {
        fail('the store is being closed')
        request.destroy()
      }
      const cancel = this.#clock.after(Math.max(1, timeoutMs), () => {
        fail(`no answer to ${path} within ${Math.round(timeoutMs)} ms`)
        request.destroy()
      })
      const finish = (): void => {
        cancel()
        this.#closing.removeEventListener('abort', onClosing)
      }
      this.#closing.addEventListener('abort', onClosing, { once: true })
      const request = http.request(
        `http://${member}${path}`,
        { method: 'POST', agent: this.#agent, headers: { 'content-length': Buffer.byteLength(body) } },
        (response) => {
          const chunks: Buffer[] = []
          let bytes = 0
          response.on('data', (chunk: Buffer) => {
            bytes += chunk.length
            if (bytes > MAX_REPLY_BYTES)
              response.destroy(new Error(`a reply of more than ${MAX_REPLY_BYTES} bytes`))
            else chunks.push(chunk)
          })
          response.once('error', (error) => fail(error.message))
          response.once('end', () => {
            finish()
            resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() })
          })
        },
      )
      request.once('socket', (socket) => {
        if (!socket.connecting) connected = true
        else socket.once('connect', () => (connected = true))
      })
      request.once('error', (error) => fail(error.message))
      request.end(body)
    })
  }
}

interface Failure {
  readonly code?: number
  readonly grpc_code?: number
  readonly message?: string
}

function decoded(member: string, status: number, text: string): unknown {
  let reply: (Failure & { error?: Failure }) | undefined
  try {
    reply = JSON.parse(text) as Failure & { error?: Failure }
  } catch {
    throw new AttemptError(`${member}: HTTP ${status}, not JSON: ${text.slice(0, 100)}`, 'unknown')
  }
  // A call that streams wraps its failure in "error".
  const failure = reply.error !== null && typeof reply.error === 'object' ? reply.error : reply
  if (status === 200 && failure === reply) return reply
  const code = failure.code ?? failure.grpc_code ?? 2
  const message = failure.message ?? `HTTP ${status}`
  if (RETRIABLE_CODES.has(code)) throw new AttemptError(`${member}: ${message}`, 'unknown')
  throw new EtcdError(code, message)
}

function streamed(line: string): unknown {
  const reply = JSON.parse(line) as { result?: unknown; error?: Failure }
  if (reply.error !== undefined) throw new Error(reply.error.message ?? line)
  return reply.result
}
