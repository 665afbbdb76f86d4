/**
 * One client's connection: reads frames, has each served, writes the answers in the order of the requests.
 * One request is in process at a time, but for those that may overlap (Produce): what these append reaches the file
 * together, and their answers the socket. While a request waits for its turn, or while the client does not read its
 * answers, the socket is not read: a fast sender waits in its own buffers. What a connection holds is counted by
 * request-memory.ts, which may put off reading, or close a connection that is too slow.
 */
import type { Duplex } from 'node:stream'
import type { BufferPool } from '../runtime/buffer-pool.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/logger.ts'
import { FRAME_PREFIX_BYTES } from '../protocol/frame.ts'
import { MalformedFrameError } from '../protocol/reader.ts'
import { FrameReader } from './frame-reader.ts'
import type { MemoryAccount, RequestMemory } from './request-memory.ts'

/** What whoever serves a request may know of the connection. */
export interface ConnectionInfo {
  /** The client's address. */
  readonly clientHost: string
  /** Name of the listener that it came in by. */
  readonly listener: string
  /** Aborted when the connection is gone. */
  readonly signal: AbortSignal
  /** Memory of this size for the answer to a request that does not overlap; taken back when the answer has left. */
  readonly lend: (sizeBytes: number) => Buffer
  /** Bytes that an answer may have, as things stand with answers that clients leave unread. */
  readonly answerRoom: () => number
  /** Has nothing more read for this long, once what is in process is answered (KIP-219). */
  readonly mute: (quietMs: number) => void
}

/**
 * Turns a request into the frame of its answer: null when it has none, 'close' when the client can be told in no
 * other way that it failed. Rejecting closes the connection too: with MalformedFrameError when the client broke
 * the protocol.
 */
export type Serve = (frame: Buffer, connection: ConnectionInfo) => Promise<readonly Buffer[] | 'close' | null>

/** The bytes of an answer, or what becomes of the connection instead. */
type Answer = Awaited<ReturnType<Serve>>

/**
 * Whether a request may be served although the one before, for which this held too, is not answered yet. What both do
 * in order must be done when `serve` returns its promise.
 */
export type Overlaps = (frame: Buffer) => boolean

const NOTHING = Buffer.alloc(0)

const neverOverlaps: Overlaps = () => false

/** Of the requests of one connection that are in process together. */
const MAX_OVERLAPPING_BYTES = 256 * 1024

interface RequestInProcess {
  readonly overlaps: boolean
  readonly sizeBytes: number
  readonly answer: Promise<Answer>
}

export interface ConnectionOptions {
  readonly socket: Duplex
  readonly clientHost: string
  readonly listener: string
  readonly serve: Serve
  /** Never, unless given. */
  readonly overlaps?: Overlaps
  readonly maxFrameBytes: number
  readonly memory: RequestMemory
  /** For the memory of answers. */
  readonly buffers: BufferPool
  /** Negative: never. */
  readonly maxIdleMs: number
  readonly clock: Clock
  readonly logger: Logger
  /** Called once, when the connection is gone. */
  readonly onClose: () => void
}

export class Connection {
  readonly #options: ConnectionOptions
  readonly #socket: Duplex
  readonly #reader: FrameReader
  readonly #account: MemoryAccount
  readonly #logger: Logger
  readonly #gone = new AbortController()
  readonly #info: ConnectionInfo
  /** Received and not yet in process: at most what one chunk of the socket held. */
  #waiting: Buffer[] = []
  /** Not answered yet, the oldest first: one, or several that overlap. */
  readonly #inProcess: RequestInProcess[] = []
  #bytesInProcess = 0
  #serving = false
  /** An answer waits for the client to read it. */
  #sending = false
  #closing = false
  /** The client has to keep quiet until then. */
  #mutedUntilMs = 0
  #cancelUnmute: () => void = () => {}
  #lastActiveMs: number
  #cancelIdleCheck: () => void = () => {}
  /** Of the pool, for the answer that is being made. */
  #lent: Buffer[] = []

  constructor(options: ConnectionOptions) {
    const { socket, clientHost, listener } = options
    this.#options = options
    this.#socket = socket
    this.#reader = new FrameReader(options.maxFrameBytes)
    this.#account = options.memory.open({
      readOn: () => this.#readOn(),
      evict: (reason) => this.#evict(reason),
    })
    this.#logger = options.logger.child({ client: clientHost, listener })
    this.#info = {
      clientHost,
      listener,
      signal: this.#gone.signal,
      lend: (sizeBytes) => this.#lend(sizeBytes),
      answerRoom: () => options.memory.answerRoom,
      mute: (quietMs) => this.#mute(quietMs),
    }
    this.#lastActiveMs = options.clock.monotonicMs()
    socket.on('data', (chunk: Buffer) => this.#receive(chunk))
    socket.on('end', () => this.destroy())
    socket.on('error', (error) => this.#logger.debug({ err: error }, 'connection failed'))
    socket.on('close', () => this.#onClose())
    this.#scheduleIdleCheck(options.maxIdleMs)
  }

  /** Lets the request in process finish and its answer leave, takes no other, and closes. */
  close(): void {
    this.#closing = true
    if (!this.#serving) this.#finish()
  }

  /** What still comes is read and dropped, so that the client gets the last answer rather than a reset. */
  #finish(): void {
    this.#socket.end()
    this.#socket.resume()
  }

  /** Closes at once. */
  destroy(): void {
    this.#closing = true
    this.#socket.destroy()
  }

  #onClose(): void {
    this.#closing = true
    this.#cancelIdleCheck()
    this.#cancelUnmute()
    this.#waiting = []
    this.#account.close()
    this.#gone.abort(new Error('the connection is closed'))
    this.#options.onClose()
  }

  #receive(chunk: Buffer): void {
    if (this.#closing) return
    this.#lastActiveMs = this.#options.clock.monotonicMs()
    try {
      const frames = this.#reader.push(chunk)
      this.#account.received(chunk.length, frames.length, this.#reader.part)
      this.#waiting.push(...frames)
    } catch (error) {
      return this.#refuse(error)
    }
    this.#serveWaiting()
  }

  /** Has what waits served as far as may be in process now; reads on when nothing waits any more. */
  #serveWaiting(): void {
    const { serve, overlaps = neverOverlaps } = this.#options
    while (this.#waiting.length > 0 && !this.#closing && !this.#isMuted) {
      const frame = this.#waiting[0]!
      const mayOverlap = overlaps(frame)
      if (this.#inProcess.length > 0 && !(mayOverlap && this.#hasRoomFor(frame))) break
      this.#waiting.shift()
      this.#bytesInProcess += frame.length
      const answer = serve(frame, this.#info)
      // The first that fails closes the connection; nobody waits for those after it then.
      if (this.#inProcess.length > 0) answer.catch(() => {})
      this.#inProcess.push({ overlaps: mayOverlap, sizeBytes: frame.length, answer })
    }
    if (this.#waiting.length > 0 || this.#isMuted) {
      this.#account.pause()
      this.#socket.pause()
    } else if (!this.#closing) {
      if (!this.#account.mayRead()) this.#socket.pause()
      else if (this.#socket.isPaused()) this.#socket.resume()
    }
    if (this.#inProcess.length > 0 && !this.#serving) void this.#answerAll()
  }

  /** Whether one more request that may overlap can join those in process. */
  #hasRoomFor(frame: Buffer): boolean {
    return this.#inProcess[0]!.overlaps && this.#bytesInProcess + frame.length <= MAX_OVERLAPPING_BYTES
  }

  /** Answers what is in process, and what comes to it meanwhile. Never rejects. */
  async #answerAll(): Promise<void> {
    this.#serving = true
    try {
      for (let request = this.#inProcess[0]; request !== undefined; request = this.#inProcess[0]) {
        await this.#send(await request.answer)
        this.#inProcess.shift()
        this.#bytesInProcess -= request.sizeBytes
        if (!this.#gone.signal.aborted) this.#account.answered(request.sizeBytes + FRAME_PREFIX_BYTES)
        this.#lastActiveMs = this.#options.clock.monotonicMs()
        if (!this.#closing) this.#serveWaiting()
      }
    } catch (error) {
      this.#refuse(error)
    }
    this.#serving = false
    if (this.#closing) this.#finish()
  }

  /** Hands what is ready in one turn to the system in one call; waits while it takes no more. */
  async #send(answer: Answer): Promise<void> {
    const lent = this.#lent
    this.#lent = []
    if (answer === 'close') this.#closing = true
    if (answer === 'close' || answer === null || this.#gone.signal.aborted) return
    if (this.#socket.writableCorked === 0) {
      this.#socket.cork()
      process.nextTick(() => this.#socket.uncork())
    }
    for (const part of answer) this.#socket.write(part)
    if (lent.length > 0) this.#socket.write(NOTHING, () => this.#giveBack(lent))
    if (!this.#socket.writableNeedDrain) return
    this.#lastActiveMs = this.#options.clock.monotonicMs()
    this.#sending = true
    this.#account.answerKept(this.#socket.writableLength)
    await new Promise<void>((resolve) => {
      const done = (): void => {
        this.#socket.off('drain', done)
        this.#socket.off('close', done)
        resolve()
      }
      this.#socket.on('drain', done)
      this.#socket.on('close', done)
      if (this.#socket.destroyed) resolve()
    })
    this.#account.answerTaken()
    this.#sending = false
  }

  #lend(sizeBytes: number): Buffer {
    const buffer = this.#options.buffers.take(sizeBytes)
    this.#lent.push(buffer)
    return buffer.subarray(0, sizeBytes)
  }

  #giveBack(lent: readonly Buffer[]): void {
    for (const buffer of lent) this.#options.buffers.give(buffer)
  }

  get #isMuted(): boolean {
    return this.#mutedUntilMs > 0
  }

  #mute(quietMs: number): void {
    if (this.#closing) return
    const { clock } = this.#options
    const untilMs = clock.monotonicMs() + quietMs
    if (untilMs <= this.#mutedUntilMs) return
    this.#cancelUnmute()
    this.#mutedUntilMs = untilMs
    this.#account.pause()
    this.#socket.pause()
    this.#cancelUnmute = clock.after(quietMs, () => {
      this.#mutedUntilMs = 0
      this.#lastActiveMs = clock.monotonicMs()
      if (!this.#closing) this.#serveWaiting()
    })
  }

  #readOn(): void {
    if (this.#waiting.length === 0 && !this.#closing && !this.#isMuted) this.#socket.resume()
  }

  #evict(reason: string): void {
    this.#logger.warn({ reason }, 'connection closed: it is too slow')
    this.destroy()
  }

  #refuse(error: unknown): void {
    if (error instanceof MalformedFrameError) {
      this.#logger.warn({ reason: error.message }, 'connection closed: not a request that can be read')
    } else if (!this.#gone.signal.aborted) {
      this.#logger.error({ err: error }, 'connection closed: the request failed')
    }
    this.destroy()
  }

  /**
   * One timer per idle period: when it fires, what has happened since decides. A request in process is no idleness; a
   * client that does not read the answer to it is idle.
   */
  #scheduleIdleCheck(delayMs: number): void {
    const { clock, maxIdleMs } = this.#options
    if (maxIdleMs < 0) return
    this.#cancelIdleCheck = clock.after(delayMs, () => {
      const idleMs =
        (this.#serving && !this.#sending) || this.#isMuted ? 0 : clock.monotonicMs() - this.#lastActiveMs
      if (idleMs < maxIdleMs) return this.#scheduleIdleCheck(Math.max(maxIdleMs - idleMs, 1))
      this.#logger.debug({ idleMs }, 'connection closed: idle')
      this.destroy()
    })
  }
}
