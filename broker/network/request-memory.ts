/**
 * What the requests and answers of all connections take up together, and the bound on it (`queued.max.request.bytes`).
 *
 * Requests: each byte counts from when it is received until its request is answered. A request that comes in one piece
 * is never put off. One that comes in several is read on only while the sum is below the budget; beyond it, connections
 * wait in line and are not read. The first in line is always read on, so that half requests alone, should they take up
 * everything, cannot stop one another. The sum is thus at most the budget, one largest request, and one chunk of each
 * connection.
 *
 * Nobody holds the budget by being slow: a half request must come with MIN_BYTES_PER_SECOND, after a grace as long as
 * nobody waits, and in every single second while somebody does.
 *
 * Answers: those that the system does not take at once count until the client has read them. Beyond the budget, clients
 * that have left theirs unread for some seconds lose their connections, whoever has the oldest one first.
 */
import type { Clock } from '../runtime/clock.ts'

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

/** What one connection takes up. */
export class MemoryAccount {
  readonly user: MemoryUser
  readonly #memory: RequestMemory
  requestBytes = 0
  /** Of the request that has come in part; 0 while there is none. */
  partBytes = 0
  /** Received since the last whole second. */
  bytesThisSecond = 0
  /** Whole seconds for which the connection has been read for the rest of a request; -1 before the first begins. */
  secondsRead = -1

  constructor(user: MemoryUser, memory: RequestMemory) {
    this.user = user
    this.#memory = memory
  }

  /**
   * A chunk has come, and made so many requests whole. `partBytes` of it and of those before belong to one that is not
   * yet whole.
   */
  received(bytes: number, wholeRequests: number, partBytes: number): void {
    this.requestBytes += bytes
    this.bytesThisSecond += bytes
    this.#memory.requestBytes += bytes
    // What was known of the part before does not hold for the next one.
    if (wholeRequests > 0 && this.partBytes > 0) this.#memory.leave(this)
    this.partBytes = partBytes
  }

  /** Whether to read on; where not, the connection is told when. */
  mayRead(): boolean {
    return this.partBytes === 0 || this.#memory.mayReadPart(this)
  }

  /** The connection is not read for a reason of its own: it serves what has come. */
  pause(): void {
    if (this.partBytes > 0) this.#memory.leave(this)
  }

  /** A request is done with. */
  answered(bytes: number): void {
    this.#memory.release(this, bytes)
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

interface UnreadAnswer {
  readonly bytes: number
  readonly sinceMs: number
}

export class RequestMemory {
  readonly #budgetBytes: number
  readonly #clock: Clock
  requestBytes = 0
  answerBytes = 0
  /** Read for the rest of a request that has come in part. */
  readonly #reading = new Set<MemoryAccount>()
  /** Not read for it, in line. */
  readonly #waiting = new Set<MemoryAccount>()
  /** Was first in line, and is read although there is no room. */
  #exempt: MemoryAccount | undefined
  /** Answers that clients have not read, the oldest first. */
  readonly #answers = new Map<MemoryAccount, UnreadAnswer>()
  #checksRates = false
  #cancelAnswerCheck: (() => void) | undefined

  /** `budgetBytes`: for requests, and once more for answers. */
  constructor(budgetBytes: number, clock: Clock) {
    this.#budgetBytes = budgetBytes
    this.#clock = clock
  }

  /** Connections that are not read because there is no room. */
  get waiting(): number {
    return this.#waiting.size
  }

  open(user: MemoryUser): MemoryAccount {
    return new MemoryAccount(user, this)
  }

  mayReadPart(account: MemoryAccount): boolean {
    if (account === this.#exempt) return true
    const isRoom = this.#waiting.size === 0 && this.requestBytes < this.#budgetBytes
    if (isRoom && this.#reading.has(account)) return true
    this.#reading.delete(account)
    this.#waiting.add(account)
    this.#admit(account)
    return !this.#waiting.has(account)
  }

  /** Lets those in line read on, as far as there is room, and the first of them in any case. */
  #admit(asking?: MemoryAccount): void {
    for (const account of this.#waiting) {
      if (this.requestBytes >= this.#budgetBytes) {
        if (this.#exempt !== undefined) return
        this.#exempt = account
      }
      this.#waiting.delete(account)
      account.bytesThisSecond = 0
      account.secondsRead = -1
      this.#reading.add(account)
      this.#checkRatesInASecond()
      if (account !== asking) account.user.readOn()
    }
  }

  leave(account: MemoryAccount): void {
    this.#reading.delete(account)
    this.#waiting.delete(account)
    if (this.#exempt === account) this.#exempt = undefined
    if (this.#waiting.size > 0) this.#admit()
  }

  release(account: MemoryAccount, bytes: number): void {
    account.requestBytes -= bytes
    this.requestBytes -= bytes
    if (this.#waiting.size > 0) this.#admit()
  }

  #checkRatesInASecond(): void {
    if (this.#checksRates) return
    this.#checksRates = true
    this.#clock.after(SECOND_MS, () => this.#checkRates())
  }

  #checkRates(): void {
    const tooSlow = [...this.#reading].filter((account) => this.#isTooSlow(account))
    for (const { user } of tooSlow) user.evict('its request comes too slowly')
    this.#checksRates = false
    if (this.#reading.size > 0) this.#checkRatesInASecond()
  }

  /** Called once a second. What came before the first whole second counts for nothing. */
  #isTooSlow(account: MemoryAccount): boolean {
    const bytes = account.bytesThisSecond
    account.bytesThisSecond = 0
    account.secondsRead += 1
    if (account.secondsRead === 0) return false
    if (this.#waiting.size > 0) return bytes < MIN_BYTES_PER_SECOND
    return account.partBytes < (account.secondsRead - GRACE_SECONDS) * MIN_BYTES_PER_SECOND
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
