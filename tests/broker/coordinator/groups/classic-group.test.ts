/** What holds for a group whatever its members, the clock and the log do, found out by chance. */
import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import { ClassicGroup } from '../../../../broker/coordinator/groups/classic-group.ts'
import type {
  Action,
  JoinMessage,
  Message,
  Replies,
  Request,
  StoredGroup,
} from '../../../../broker/coordinator/groups/messages.ts'

const INSTANCES = [null, null, 'i1', 'i2'] as const

/** One thing that happens to the group; numbers choose among what there is at that time. */
const event = fc.oneof(
  { weight: 4, arbitrary: fc.record({ what: fc.constant('join'), which: fc.nat(7), option: fc.nat(7) }) },
  { weight: 4, arbitrary: fc.record({ what: fc.constant('sync'), which: fc.nat(7), option: fc.nat(3) }) },
  {
    weight: 2,
    arbitrary: fc.record({ what: fc.constant('heartbeat'), which: fc.nat(7), option: fc.nat(3) }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('leave'), which: fc.nat(7), option: fc.nat(1) }) },
  {
    weight: 3,
    arbitrary: fc.record({ what: fc.constant('timer'), which: fc.nat(7), option: fc.constant(0) }),
  },
  { weight: 4, arbitrary: fc.record({ what: fc.constant('stored'), which: fc.nat(3), option: fc.nat(5) }) },
)

/** Runs a group and watches over it. */
class Watch {
  readonly #group: ClassicGroup
  readonly #open = new Map<number, Request['kind']>()
  readonly #timers = new Set<string>()
  readonly #stores: { readonly store: number; readonly group: StoredGroup }[] = []
  /** Ids that members have been given, with their instance. */
  readonly #members: { readonly memberId: string; readonly instanceId: string | null }[] = []
  readonly #joins = new Map<number, JoinMessage>()
  #lastTicket = 0
  #generationId = 0

  constructor() {
    let uuid = 0
    this.#group = new ClassicGroup('g', {
      initialRebalanceDelayMs: 3000,
      minSessionTimeoutMs: 1,
      maxSessionTimeoutMs: 100_000,
      maxSize: 4,
      newUuid: () => String((uuid += 1)),
    })
  }

  happen(what: string, which: number, option: number): void {
    if (what === 'timer') return this.#fire(which)
    if (what === 'stored') return this.#finishStore(which, option === 0)
    this.#lastTicket += 1
    const request = this.#request(what, this.#lastTicket, which, option)
    if (request.kind === 'join') this.#joins.set(request.ticket, request)
    this.#open.set(request.ticket, request.kind)
    this.#step(request)
  }

  #request(what: string, ticket: number, which: number, option: number): Request {
    const known = this.#members[which]
    const identity = known ?? { memberId: '', instanceId: INSTANCES[which % 4]! }
    const generationId = this.#generationId - (option === 3 ? 1 : 0)
    switch (what) {
      case 'join':
        return this.#join(ticket, identity, option)
      case 'sync': {
        const assignments = new Map(this.#members.map(({ memberId }) => [memberId, Buffer.from(memberId)]))
        return {
          kind: 'sync',
          ticket,
          ...identity,
          generationId,
          protocolType: null,
          protocolName: null,
          assignments,
        }
      }
      case 'heartbeat':
        return { kind: option < 2 ? 'heartbeat' : 'commit', ticket, ...identity, generationId }
      default:
        return {
          kind: 'leave',
          ticket,
          members: option === 0 ? [identity] : [identity, ...this.#members.slice(0, 1)],
        }
    }
  }

  #join(
    ticket: number,
    identity: { memberId: string; instanceId: string | null },
    option: number,
  ): JoinMessage {
    return {
      kind: 'join',
      ticket,
      ...identity,
      clientId: 'c',
      clientHost: '/h',
      sessionTimeoutMs: 1000,
      rebalanceTimeoutMs: 5000,
      protocolType: 'consumer',
      protocols: [
        { name: option % 2 === 0 ? 'range' : 'sticky', metadata: Buffer.from(String(option)) },
        { name: 'common', metadata: Buffer.alloc(0) },
      ],
      needsMemberIdFirst: option < 5,
      canSkipAssignment: option < 3,
    }
  }

  #fire(which: number): void {
    const timer = [...this.#timers][which]
    if (timer === undefined) return
    this.#timers.delete(timer)
    this.#step({ kind: 'timer', timer })
  }

  #finishStore(which: number, fails: boolean): void {
    const [next] = this.#stores.splice(which, 1)
    if (next === undefined) return
    this.#step({ kind: 'stored', store: next.store, error: fails ? 'COORDINATOR_NOT_AVAILABLE' : 'NONE' })
  }

  #step(message: Message): void {
    for (const action of this.#group.step(message, 0)) this.#note(action)
    const { generationId, state, memberCount } = this.#group
    assert.ok(generationId >= this.#generationId, 'the generation went back')
    this.#generationId = generationId
    if (state === 'Empty') assert.equal(memberCount, 0)
    if (state === 'Stable' || state === 'CompletingRebalance')
      assert.ok(memberCount > 0, `${state} without members`)
    if (state === 'PreparingRebalance') assert.ok(this.#timers.has('rebalance'), 'a rebalance without an end')
    assert.ok(memberCount <= 6, `${memberCount} members`)
    // Nobody waits without a bound: some timer or store will move the group on.
    assert.ok(this.#open.size === 0 || this.#timers.size + this.#stores.length > 0, 'an endless wait')
  }

  #note(action: Action): void {
    if (action.kind === 'set-timer') this.#timers.add(action.timer)
    else if (action.kind === 'cancel-timer') this.#timers.delete(action.timer)
    else if (action.kind === 'store') this.#stores.push(action)
    else this.#answer(action.ticket, action.reply)
  }

  #answer(ticket: number, reply: Replies[keyof Replies]): void {
    // Each request is answered once, and with an answer of its own kind.
    assert.ok(this.#open.delete(ticket), `request ${ticket} was answered twice`)
    const join = this.#joins.get(ticket)
    if (join === undefined || !('skipAssignment' in reply)) return
    if (reply.memberId !== '' && !this.#members.some(({ memberId }) => memberId === reply.memberId)) {
      this.#members.unshift({ memberId: reply.memberId, instanceId: join.instanceId })
      this.#members.length = Math.min(this.#members.length, 6)
    }
    if (reply.error === 'NONE' && reply.members.length > 0) {
      assert.equal(reply.leader, reply.memberId)
      assert.ok(reply.members.some(({ memberId }) => memberId === reply.memberId))
    }
  }

  /** Lets everything run out; whoever waits must have been answered by then. */
  settle(): void {
    for (let turn = 0; turn < 1000 && (this.#timers.size > 0 || this.#stores.length > 0); turn++) {
      if (this.#stores.length > 0) this.#finishStore(0, false)
      else this.#fire(0)
    }
    assert.deepEqual([...this.#open], [])
    assert.equal(this.#group.state, 'Empty')
    assert.deepEqual([...this.#timers], [])
  }

  unload(): void {
    this.#step({ kind: 'unload' })
    assert.deepEqual([...this.#open], [])
  }
}

/** Runs `numRuns` random lives of a group, each ended by `end`; throws with the smallest one that breaks a rule. */
function lives(numRuns: number, end: (watch: Watch) => void): void {
  const life = fc.property(fc.array(event, { maxLength: 60 }), (events) => {
    const watch = new Watch()
    for (const { what, which, option } of events) watch.happen(what, which, option)
    end(watch)
  })
  fc.assert(life, { numRuns })
}

test('every request is answered once, and a group that is left alone ends empty', () => {
  expect(() => lives(1000, (watch) => watch.settle())).not.toThrow()
})

test('when the group moves to another broker, nobody is left waiting', () => {
  expect(() => lives(500, (watch) => watch.unload())).not.toThrow()
})
