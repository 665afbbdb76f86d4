/**
 * The commands of a group scenario. Time stands still except for `advance`; stores wait for `stored`.
 *
 *   settings max-size=2 initial-delay=3000     before anything else
 *   join CLIENT [id=MEMBER] [static=INSTANCE] [v=9] [session=10000] [rebalance=60000] [type=consumer]
 *        [protocols=range:metadata,sticky:metadata]
 *   sync MEMBER gen=1 [static=INSTANCE] [protocol=range] [assign=MEMBER:what,MEMBER:what]
 *   heartbeat MEMBER gen=1 [static=INSTANCE]
 *   commit MEMBER gen=1                        - for no member
 *   leave MEMBER|static:INSTANCE …
 *   advance 3000                               milliseconds; fires what is due, in order
 *   stored [ERROR]                             the oldest store is done
 *   move                                       another broker takes over, with what has been stored
 *
 * Requests are numbered; `#2 -> …` answers the second. A dynamic member's id is its client id and a number.
 */
import type { GroupSettings } from '../../broker/coordinator/groups/admission.ts'
import { ClassicGroup } from '../../broker/coordinator/groups/classic-group.ts'
import type {
  Action,
  JoinReply,
  Message,
  Protocol,
  Replies,
  StoredGroup,
} from '../../broker/coordinator/groups/messages.ts'
import type { ErrorName } from '../../broker/protocol/errors.ts'

type Options = ReadonlyMap<string, string>

export class GroupScript {
  #settings: GroupSettings
  #group: ClassicGroup
  #nowMs = 0
  #lastTicket = 0
  #lastUuid = 0
  /** When each timer fires. */
  readonly #timers = new Map<string, number>()
  readonly #stores: { readonly store: number; readonly group: StoredGroup }[] = []
  #stored: StoredGroup | undefined
  #output: string[] = []

  constructor() {
    this.#settings = {
      initialRebalanceDelayMs: 3000,
      minSessionTimeoutMs: 6000,
      maxSessionTimeoutMs: 1_800_000,
      maxSize: 100,
      newUuid: () => String((this.#lastUuid += 1)),
    }
    this.#group = new ClassicGroup('g', this.#settings)
  }

  /** Runs one command; returns what it did, as text. */
  run(command: string): string {
    this.#output = []
    const words = command.split(' ').filter((word) => word !== '')
    const [name, ...rest] = words
    const options = new Map(rest.filter((word) => word.includes('=')).map(splitOption))
    const names = rest.filter((word) => !word.includes('='))
    const before = this.#describeState()
    this.#execute(name!, names, options)
    const after = this.#describeState()
    if (after !== before) this.#output.push(after)
    return this.#output.join('\n')
  }

  #describeState(): string {
    const { state, generationId, memberCount } = this.#group
    return `${state}, generation ${generationId}, ${memberCount} members`
  }

  #execute(name: string, names: readonly string[], options: Options): void {
    switch (name) {
      case 'settings':
        return this.#configure(options)
      case 'join':
        return this.#step(this.#join(names[0]!, options))
      case 'sync':
        return this.#step(this.#sync(names[0]!, options))
      case 'heartbeat':
      case 'commit':
        return this.#step({ kind: name, ...this.#member(names[0]!, options) })
      case 'leave':
        return this.#step({ kind: 'leave', ticket: this.#ticket(), members: names.map(leaving) })
      case 'advance':
        return this.#advance(Number(names[0]))
      case 'stored':
        return this.#finishStore((names[0] ?? 'NONE') as ErrorName)
      case 'move':
        return this.#move()
      default:
        throw new Error(`unknown command "${name}"`)
    }
  }

  #configure(options: Options): void {
    this.#settings = {
      ...this.#settings,
      maxSize: Number(options.get('max-size') ?? this.#settings.maxSize),
      initialRebalanceDelayMs: Number(options.get('initial-delay') ?? this.#settings.initialRebalanceDelayMs),
    }
    this.#group = new ClassicGroup('g', this.#settings)
  }

  #ticket(): number {
    this.#lastTicket += 1
    return this.#lastTicket
  }

  #join(clientId: string, options: Options): Message {
    const version = Number(options.get('v') ?? 9)
    return {
      kind: 'join',
      ticket: this.#ticket(),
      memberId: options.get('id') ?? '',
      instanceId: options.get('static') ?? null,
      clientId,
      clientHost: '/127.0.0.1',
      sessionTimeoutMs: Number(options.get('session') ?? 10_000),
      rebalanceTimeoutMs: Number(options.get('rebalance') ?? 60_000),
      protocolType: options.get('type') ?? 'consumer',
      protocols: pairs(options.get('protocols') ?? 'range:t').map(toProtocol),
      needsMemberIdFirst: version >= 4,
      canSkipAssignment: version >= 9,
    }
  }

  #sync(memberId: string, options: Options): Message {
    const assignments = new Map(
      pairs(options.get('assign') ?? '').map(([member, what]) => [member, Buffer.from(what)]),
    )
    const protocolName = options.get('protocol') ?? null
    return {
      kind: 'sync',
      ...this.#member(memberId, options),
      protocolType: protocolName === null ? null : 'consumer',
      protocolName,
      assignments,
    }
  }

  #member(
    memberId: string,
    options: Options,
  ): { ticket: number; memberId: string; instanceId: string | null; generationId: number } {
    return {
      ticket: this.#ticket(),
      memberId: memberId === '-' ? '' : memberId,
      instanceId: options.get('static') ?? null,
      generationId: Number(options.get('gen') ?? -1),
    }
  }

  #step(message: Message): void {
    const timers: string[] = []
    for (const action of this.#group.step(message, this.#nowMs)) this.#note(action, timers)
    if (timers.length > 0) this.#output.push(`timers: ${timers.join(' ')}`)
  }

  #note(action: Action, timers: string[]): void {
    if (action.kind === 'reply') {
      this.#output.push(`#${action.ticket} -> ${describeReply(action.reply)}`)
    } else if (action.kind === 'store') {
      this.#stores.push(action)
      this.#output.push(`store ${describeStored(action.group)}`)
    } else if (action.kind === 'set-timer') {
      this.#timers.set(action.timer, this.#nowMs + action.delayMs)
      timers.push(`${action.timer}=${action.delayMs}`)
    } else if (this.#timers.delete(action.timer)) {
      timers.push(`${action.timer}=off`)
    }
  }

  #advance(byMs: number): void {
    const until = this.#nowMs + byMs
    for (;;) {
      const due = [...this.#timers].filter(([, at]) => at <= until).toSorted(([, a], [, b]) => a - b)[0]
      if (due === undefined) break
      const [timer, at] = due
      this.#timers.delete(timer)
      this.#nowMs = at
      this.#output.push(`at ${at}: ${timer}`)
      this.#step({ kind: 'timer', timer })
    }
    this.#nowMs = until
  }

  #finishStore(error: ErrorName): void {
    const next = this.#stores.shift()
    if (next === undefined) throw new Error('nothing is being stored')
    if (error === 'NONE') this.#stored = next.group
    this.#step({ kind: 'stored', store: next.store, error })
  }

  #move(): void {
    this.#step({ kind: 'unload' })
    this.#timers.clear()
    this.#stores.length = 0
    this.#group =
      this.#stored === undefined
        ? new ClassicGroup('g', this.#settings)
        : ClassicGroup.restore('g', this.#settings, this.#stored)
    this.#step({ kind: 'resume' })
  }
}

function splitOption(word: string): [string, string] {
  const at = word.indexOf('=')
  return [word.slice(0, at), word.slice(at + 1)]
}

function pairs(text: string): [string, string][] {
  return text
    .split(',')
    .filter((pair) => pair !== '')
    .map((pair) => {
      const [left, right] = pair.split(':')
      return [left!, right ?? '']
    })
}

function toProtocol([name, metadata]: [string, string]): Protocol {
  return { name, metadata: Buffer.from(metadata) }
}

function leaving(word: string): { memberId: string; instanceId: string | null } {
  const [prefix, instanceId] = word.split(':')
  return prefix === 'static'
    ? { memberId: '', instanceId: instanceId! }
    : { memberId: word, instanceId: null }
}

function describeReply(reply: Replies[keyof Replies]): string {
  if ('skipAssignment' in reply) return describeJoined(reply)
  if ('assignment' in reply)
    return `${reply.error}${reply.error === 'NONE' ? ` assignment=${String(reply.assignment)}` : ''}`
  if ('members' in reply) {
    return reply.members.map((each) => `${each.instanceId ?? each.memberId}:${each.error}`).join(' ')
  }
  return reply.error
}

function describeJoined(reply: JoinReply): string {
  if (reply.error !== 'NONE')
    return `${reply.error}${reply.memberId === '' ? '' : ` member=${reply.memberId}`}`
  const members = reply.members.map(({ memberId, metadata }) => `${memberId}:${String(metadata)}`).join(',')
  return [
    `generation=${reply.generationId} protocol=${reply.protocolName} member=${reply.memberId} leader=${reply.leader}`,
    ...(members === '' ? [] : [`members=${members}`]),
    ...(reply.skipAssignment ? ['skip-assignment'] : []),
  ].join(' ')
}

function describeStored({ generation, protocol, leader, members }: StoredGroup): string {
  const each = members.map(({ memberId, assignment }) => `${memberId}:${String(assignment)}`).join(',')
  return `generation=${generation} protocol=${protocol} leader=${leader} members=${each}`
}
