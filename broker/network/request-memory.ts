/**
 * What the requests and answers of all connections take up together, and the bound on it (`queued.max.request.bytes`).
 *
 * Requests: each byte counts from when it is received until its request is answered. A request that comes in one piece
 * is never put off. For the rest of one that comes in several, its connection is read only by a grant of up to 1 MiB,
 * which is given while there is room for it; beyond that, connections wait in line and are not read. There are two lines:
 * requests of more than 1 MiB leave a quarter of the budget to the others, and thus hold up only one another. The first in
 * a line of which nobody is read gets its grant in any case, so that half requests, should they take up everything, cannot
 * stop one another. The sum is at most the budget, one largest request, and one chunk of each connection.
 *
 * Nobody holds the budget by being slow: a half request must come with MIN_BYTES_PER_SECOND, after a grace as long as
 * nobody waits, and in every single second while somebody does.
 *
 * Answers: those that the system does not take at once count until the client has read them. Beyond the budget, clients
 * that have left theirs unread for some seconds lose their connections, whoever has the oldest one first; until then
 * answers that can be small are (`answerRoom`).
 */
import type { Clock } from '../runtime/clock.ts'

const GRANT_BYTES = 1024 * 1024
const LARGE_SHARE = 3 / 4
const MIN_BYTES_PER_SECOND = 64 * 1024
const SECOND_MS = 1000
/** How long a half request may take before its rate counts. */
const GRACE_SECONDS = 30
/** How long an answer may wait for its client, when answers take up too much. */
const ANSWER_GRACE_MS = 2000

/** What a connection must be able to do. */
export interface MemoryUser {
  /** Read on: its turn has come. */
  readOn(): void
  /** Be closed; `reason` for the log. */
  evict(reason: string): void
}

/** A request that has come in part. */
export interface PartialRequest {
  readonly receivedBytes: number
  readonly missingBytes: number
}

/** What one connection takes up. */
export class MemoryAccount {
  readonly user: MemoryUser
  readonly #memory: RequestMemory
  requestBytes = 0
  /** Undefined while the last request is whole. */
  part: PartialRequest | undefined
  /** Where its connection is read, or waits, for the rest of the request. */
  line: Line | undefined
  /** What of the grant has not come yet. */
  grantedBytes = 0
  /** Received since the last whole second. */
  bytesThisSecond = 0
  /** Whole seconds for which the connection has been read for the rest of a request; -1 before the first begins. */
  secondsRead = -1

  constructor(user: MemoryUser, memory: RequestMemory) {
    this.user = user
    this.#memory = memory
  }

  /** A chunk has come, and made so many requests whole. `part`: what remains of it and of those before. */
  received(bytes: number, wholeRequests: number, part: PartialRequest | undefined): void {
    this.requestBytes += bytes
    this.#memory.receive(this, bytes)
    // What was known of the part before does not hold for the next one.
    if (wholeRequests > 0 && this.part !== undefined) this.#memory.leave(this)
    this.part = part
  }

  /** Whether to read on; where not, the connection is told when. */
  mayRead(): boolean {
    return this.part === undefined || this.#memory.mayReadPart(this, this.part)
  }

  /** The connection is not read for a reason of its own: it serves what has come. */
  pause(): void {
    if (this.part !== undefined) this.#memory.leave(this)
  }

  /** A request is done with. */
  answered(bytes: number): void {
    this.requestBytes -= bytes
    this.#memory.release(bytes)
  }

  /** An answer waits for the client to read it. */
  answerKept(bytes: number): void {
    this.#memory.keepAnswer(this, bytes)
  }

  answerTaken(): void {
    this.#memory.dropAnswer(this)
  }

  /** The connection is gone. */
  close(): void {
    this.answerTaken()
    this.#memory.leave(this)
    this.answered(this.requestBytes)
  }
}

/** Connections with half requests of one class. */
interface Line {
  /** What all requests may take up before those of this class are put off. */
  readonly limitBytes: number
  /** Read for the rest of the request. */
  readonly reading: Set<MemoryAccount>
  /** Not read, in the order in which they will be. */
  readonly waiting: Set<MemoryAccount>
}

interface UnreadAnswer {
  readonly bytes: number
  readonly sinceMs: number
}

export class RequestMemory {
  readonly #budgetBytes: number
  readonly #clock: Clock
  requestBytes = 0
  answerBytes = 0
  /** Granted and not yet received. */
  #grantedBytes = 0
  readonly #small: Line
  readonly #large: Line
  /** Answers that clients have not read, the oldest first. */
  readonly #answers = new Map<MemoryAccount, UnreadAnswer>()
  #checksRates = false
  #cancelAnswerCheck: (() => void) | undefined

  /** `budgetBytes`: for requests, and once more for answers. */
  constructor(budgetBytes: number, clock: Clock) {
    this.#budgetBytes = budgetBytes
    this.#clock = clock
    this.#small = { limitBytes: budgetBytes, reading: new Set(), waiting: new Set() }
    this.#large = { limitBytes: budgetBytes * LARGE_SHARE, reading: new Set(), waiting: new Set() }
  }

  /** Bytes by which answers that are not read may still grow. */
  get answerRoom(): number {
    return Math.max(this.#budgetBytes - this.answerBytes, 0)
  }

  /** Connections that are not read because there is no room. */
  get waiting(): number {
    return this.#small.waiting.size + this.#large.waiting.size
  }

  open(user: MemoryUser): MemoryAccount {
    return new MemoryAccount(user, this)
  }

  receive(account: MemoryAccount, bytes: number): void {
    this.requestBytes += bytes
    account.bytesThisSecond += bytes
    if (account.grantedBytes > 0) this.#grant(account, Math.max(account.grantedBytes - bytes, 0))
  }

  #grant(account: MemoryAccount, bytes: number): void {
    this.#grantedBytes += bytes - account.grantedBytes
    account.grantedBytes = bytes
  }

  mayReadPart(account: MemoryAccount, { receivedBytes, missingBytes }: PartialRequest): boolean {
    if (account.grantedBytes > 0) return true
    const line = receivedBytes + missingBytes > GRANT_BYTES ? this.#large : this.#small
    if (account.line !== line) {
      // Of a request of which not even the size had come, nothing was known yet.
      this.leave(account)
      account.line = line
      account.secondsRead = -1
    }
    line.reading.delete(account)
    line.waiting.add(account)
    this.#admit(line, account)
    return line.reading.has(account)
  }

  /** Lets those in line be read, as far as there is room, and the first of them if nobody else is. */
  #admit(line: Line, asking?: MemoryAccount): void {
    for (const account of line.waiting) {
      const missingBytes = account.part?.missingBytes ?? 0
      const bytes = Math.min(missingBytes, GRANT_BYTES)
      const isRoom = this.requestBytes + this.#grantedBytes + bytes <= line.limitBytes
      if (!isRoom && line.reading.size > 0) return
      this.#grant(account, isRoom ? bytes : missingBytes)
      line.waiting.delete(account)
      line.reading.add(account)
      this.#checkRatesInASecond()
      if (account === asking) continue
      account.bytesThisSecond = 0
      account.secondsRead = -1
      account.user.readOn()
    }
  }

  #admitAll(): void {
    if (this.#small.waiting.size > 0) this.#admit(this.#small)
    if (this.#large.waiting.size > 0) this.#admit(this.#large)
  }

  leave(account: MemoryAccount): void {
    const { line } = account
    if (line === undefined) return
    account.line = undefined
    line.reading.delete(account)
    line.waiting.delete(account)
    this.#grant(account, 0)
    this.#admitAll()
  }

  release(bytes: number): void {
    this.requestBytes -= bytes
    this.#admitAll()
  }

  #checkRatesInASecond(): void {
    if (this.#checksRates) return
    this.#checksRates = true
    this.#clock.after(SECOND_MS, () => this.#checkRates())
  }

  #checkRates(): void {
    const reading = [...this.#small.reading, ...this.#large.reading]
    const tooSlow = reading.filter((account) => this.#isTooSlow(account))
    for (const { user } of tooSlow) user.evict('its request comes too slowly')
    this.#checksRates = false
    if (this.#small.reading.size + this.#large.reading.size > 0) this.#checkRatesInASecond()
  }

  /** Called once a second. What came before the first whole second counts for nothing. */
  #isTooSlow(account: MemoryAccount): boolean {
    const bytes = account.bytesThisSecond
    account.bytesThisSecond = 0
    account.secondsRead += 1
    if (account.secondsRead === 0) return false
    if (this.waiting > 0) return bytes < MIN_BYTES_PER_SECOND
    const { receivedBytes } = account.part ?? { receivedBytes: 0 }
    return receivedBytes < (account.secondsRead - GRACE_SECONDS) * MIN_BYTES_PER_SECOND
  }

  keepAnswer(account: MemoryAccount, bytes: number): void {
    this.answerBytes += bytes
    this.#answers.set(account, { bytes, sinceMs: this.#clock.monotonicMs() })
    if (this.answerBytes > this.#budgetBytes) this.#checkAnswers()
  }

  dropAnswer(account: MemoryAccount): void {
    this.answerBytes -= this.#answers.get(account)?.bytes ?? 0
    this.#answers.delete(account)
  }

  #checkAnswers(): void {
    const staleBeforeMs = this.#clock.monotonicMs() - ANSWER_GRACE_MS
    for (const [account, { sinceMs }] of this.#answers) {
      if (this.answerBytes <= this.#budgetBytes || sinceMs > staleBeforeMs) break
      this.dropAnswer(account)
      account.user.evict('it does not read its answer, and answers that are not read take up too much')
    }
    this.#cancelAnswerCheck?.()
    const isTooMuch = this.answerBytes > this.#budgetBytes
    this.#cancelAnswerCheck = isTooMuch ? this.#clock.after(SECOND_MS, () => this.#checkAnswers()) : undefined
  }
}
