/**
 * One group in action: runs the state machine's actions against the clock, the log and those who wait for a reply.
 * Everything happens within one turn of the event loop, so the group needs no queue.
 */
import { type ErrorName, KafkaError } from '../../protocol/errors.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Logger } from '../../runtime/logger.ts'
import type { ClassicGroup } from './classic-group.ts'
import type { Action, Message, Replies, Request, StoredGroup, Ticket } from './messages.ts'
import type { CommittedOffsets } from './offsets.ts'

/** A request as the handlers make it: the ticket is the group's business. */
export type GroupRequest<Kind extends Request['kind']> = Omit<Extract<Request, { kind: Kind }>, 'ticket'>

type Answer = (reply: Replies[keyof Replies]) => void

export interface LiveGroupOptions {
  readonly offsets: CommittedOffsets
  readonly clock: Clock
  readonly logger: Logger
  /** Appends the group to the log; rejects with a KafkaError that members can be told. */
  readonly store: (group: StoredGroup) => Promise<unknown>
  /** Nothing would be lost if the group were forgotten now. */
  readonly onBlank: () => void
}

export class LiveGroup {
  readonly offsets: CommittedOffsets
  readonly #group: ClassicGroup
  readonly #options: LiveGroupOptions
  readonly #waiting = new Map<Ticket, Answer>()
  /** What cancels each timer that runs. */
  readonly #timers = new Map<string, () => void>()
  #lastTicket = 0

  constructor(group: ClassicGroup, options: LiveGroupOptions) {
    this.#group = group
    this.offsets = options.offsets
    this.#options = options
  }

  get isBlank(): boolean {
    return this.#group.isBlank && this.offsets.isEmpty && this.#waiting.size === 0
  }

  /**
   * Hands a member's request to the group and waits for the reply: at most for the rebalance and session timeouts
   * that bound every state of the group, and no longer than the client is there (`signal`).
   */
  async ask<Kind extends Request['kind']>(
    request: GroupRequest<Kind>,
    signal?: AbortSignal,
  ): Promise<Replies[Kind]> {
    this.#lastTicket += 1
    const ticket = this.#lastTicket
    const forget = new AbortController()
    try {
      return await new Promise((resolve, reject) => {
        this.#waiting.set(ticket, resolve as Answer)
        const onGone = (): void => reject(new KafkaError('NETWORK_EXCEPTION', 'the client has gone away'))
        if (signal?.aborted === true) return onGone()
        signal?.addEventListener('abort', onGone, { signal: forget.signal })
        this.#run({ ...request, ticket } as unknown as Request)
      })
    } finally {
      forget.abort()
      this.#waiting.delete(ticket)
      this.#noticeBlank()
    }
  }

  /** The group has been read from the log and is served by this broker from now on. */
  resume(): void {
    this.#run({ kind: 'resume' })
  }

  /** Another broker serves the group from now on. */
  unload(): void {
    this.#run({ kind: 'unload' })
    for (const cancel of this.#timers.values()) cancel()
    this.#timers.clear()
  }

  #run(message: Message): void {
    const { clock } = this.#options
    const stateBefore = this.#group.state
    for (const action of this.#group.step(message, clock.now())) this.#carryOut(action)
    this.#logTransition(stateBefore)
  }

  #logTransition(stateBefore: string): void {
    const { id, state, generationId, memberCount } = this.#group
    if (state === stateBefore) return
    this.#options.logger.info(
      { group: id, from: stateBefore, to: state, generationId, members: memberCount },
      'group changed state',
    )
  }

  #carryOut(action: Action): void {
    switch (action.kind) {
      case 'reply':
        this.#waiting.get(action.ticket)?.(action.reply)
        return
      case 'set-timer':
        return this.#setTimer(action.timer, action.delayMs)
      case 'cancel-timer':
        this.#timers.get(action.timer)?.()
        this.#timers.delete(action.timer)
        return
      case 'store':
        void this.#store(action.store, action.group)
    }
  }

  #setTimer(timer: string, delayMs: number): void {
    this.#timers.get(timer)?.()
    const cancel = this.#options.clock.after(delayMs, () => {
      this.#timers.delete(timer)
      this.#run({ kind: 'timer', timer })
      this.#noticeBlank()
    })
    this.#timers.set(timer, cancel)
  }

  async #store(store: number, group: StoredGroup): Promise<void> {
    const error = await this.#append(group)
    this.#run({ kind: 'stored', store, error })
  }

  async #append(group: StoredGroup): Promise<ErrorName> {
    try {
      await this.#options.store(group)
      return 'NONE'
    } catch (error) {
      if (error instanceof KafkaError) return error.error
      this.#options.logger.error({ group: this.#group.id, err: error }, 'the group could not be stored')
      return 'UNKNOWN_SERVER_ERROR'
    }
  }

  #noticeBlank(): void {
    if (this.isBlank) this.#options.onBlank()
  }
}
