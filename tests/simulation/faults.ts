/**
 * What goes wrong, one thing after another and several at a time: processes die or stand still, machines lose power,
 * links are cut one way or both, the quorum is away, clocks jump. Everything is mended after a while.
 */
import type { SimulatedBroker } from './simulated-broker.ts'
import type { SimulatedNetwork } from './simulated-network.ts'
import { QUORUM_HOST, type SimulatedQuorum } from './simulated-quorum.ts'
import { CLIENT_HOST } from './client.ts'
import { between, pick } from './random.ts'
import type { Story } from './story.ts'
import type { World } from './world.ts'

/** Less than what message.timestamp.after.max.ms allows between a client and a broker. */
const CLOCK_JUMP_MS = 600_000
const PAUSE_BETWEEN_MS = { least: 200, most: 6_000 }

export interface FaultsOptions {
  readonly world: World
  readonly network: SimulatedNetwork
  readonly quorum: SimulatedQuorum
  readonly brokers: readonly SimulatedBroker[]
  readonly story: Story
  /** Whether all brokers serve and all replicas are in sync, as the quorum has it. */
  readonly isWhole: () => boolean
}

interface Fault {
  readonly name: string
  readonly weight: number
  /** Whether it takes no broker away: the loss of a machine's memory and of a second broker no design survives. */
  readonly sparesBrokers?: true
  /** Undefined when it cannot happen now; else what mends it, after so many milliseconds. */
  begin(): { readonly what: string; readonly forMs: number; readonly mend: () => void } | undefined
}

export class Faults {
  readonly #o: FaultsOptions
  readonly #faults: readonly Fault[]
  readonly #mends = new Set<() => void>()
  /** Under way, those that spare the brokers not counted. */
  #serious = 0
  /** A machine lost power, and its broker is not in sync again. */
  #powerLost = false
  #stopped = false
  count = 0

  constructor(options: FaultsOptions) {
    this.#o = options
    this.#faults = [
      { name: 'kill', weight: 4, begin: () => this.#kill() },
      { name: 'power', weight: 2, begin: () => this.#cutPower() },
      { name: 'stop', weight: 3, begin: () => this.#stop() },
      { name: 'pause', weight: 4, begin: () => this.#pause() },
      { name: 'isolate', weight: 3, begin: () => this.#isolate() },
      { name: 'link', weight: 4, begin: () => this.#cutLink() },
      { name: 'quorum link', weight: 3, begin: () => this.#cutFromQuorum() },
      { name: 'quorum', weight: 1, sparesBrokers: true, begin: () => this.#quorumAway() },
      { name: 'clock', weight: 1, sparesBrokers: true, begin: () => this.#clockJump() },
    ]
  }

  start(): void {
    const { world } = this.#o
    world.after(between(world.random, PAUSE_BETWEEN_MS.least, PAUSE_BETWEEN_MS.most), () => {
      if (this.#stopped) return
      this.#one()
      this.start()
    })
  }

  /** No more of them, and all that is broken is mended. */
  stop(): void {
    this.#stopped = true
    for (const mend of this.#mends) mend()
  }

  #one(): void {
    const { world, story } = this.#o
    const lots = this.#faults.flatMap((fault) => Array.from({ length: fault.weight }, () => fault))
    const fault = pick(world.random, lots)
    if (this.#powerLost && this.#o.isWhole() && this.#serious === 0) this.#powerLost = false
    if (this.#powerLost && fault.sparesBrokers !== true) return
    const begun = fault.begin()
    if (begun === undefined) return
    this.count += 1
    if (fault.sparesBrokers !== true) this.#serious += 1
    story.tell('FAULT', `${begun.what} for ${Math.round(begun.forMs)} ms`)
    let mended = false
    const mend = (): void => {
      this.#mends.delete(mend)
      if (mended) return
      mended = true
      if (fault.sparesBrokers !== true) this.#serious -= 1
      story.tell('FAULT', `over: ${begun.what}`)
      begun.mend()
    }
    this.#mends.add(mend)
    world.after(begun.forMs, mend)
  }

  /** Mostly short, sometimes longer than the session and the lag time. */
  #durationMs(): number {
    const { random } = this.#o.world
    return random() < 0.7 ? between(random, 50, 4_000) : between(random, 4_000, 20_000)
  }

  #running(): SimulatedBroker | undefined {
    const running = this.#o.brokers.filter((broker) => broker.isRunning && !broker.isPaused)
    return running.length === 0 ? undefined : pick(this.#o.world.random, running)
  }

  #kill(): ReturnType<Fault['begin']> {
    const broker = this.#running()
    if (broker === undefined) return undefined
    broker.kill()
    return { what: `kill -9 of broker ${broker.id}`, forMs: this.#durationMs(), mend: () => broker.start() }
  }

  /** Alone, since what only this machine's memory and another broker had would be lost for good. */
  #cutPower(): ReturnType<Fault['begin']> {
    const broker = this.#running()
    if (broker === undefined || this.#serious > 0 || !this.#o.isWhole()) return undefined
    this.#powerLost = true
    broker.cutPower()
    return { what: `power cut of broker ${broker.id}`, forMs: this.#durationMs(), mend: () => broker.start() }
  }

  #stop(): ReturnType<Fault['begin']> {
    const broker = this.#running()
    if (broker === undefined) return undefined
    broker.stop()
    const start = (): void => {
      if (broker.isRunning) this.#o.world.after(500, start)
      else broker.start()
    }
    return { what: `SIGTERM of broker ${broker.id}`, forMs: this.#durationMs(), mend: start }
  }

  #pause(): ReturnType<Fault['begin']> {
    const broker = this.#running()
    if (broker === undefined) return undefined
    broker.pause()
    return {
      what: `SIGSTOP of broker ${broker.id}`,
      forMs: this.#durationMs(),
      mend: () => broker.continue(),
    }
  }

  #cutAll(pairs: readonly (readonly [string, string])[]): () => void {
    const { network, quorum } = this.#o
    for (const [from, to] of pairs) network.cut(from, to)
    return () => {
      for (const [from, to] of pairs) network.heal(from, to)
      quorum.pumpAll()
    }
  }

  #isolate(): ReturnType<Fault['begin']> {
    const { brokers, world } = this.#o
    const { host, id } = pick(world.random, brokers)
    const others = [...brokers.map((other) => other.host), QUORUM_HOST, CLIENT_HOST].filter(
      (other) => other !== host,
    )
    // Sometimes its clients still reach it: that is the dangerous one.
    const cut = world.random() < 0.5 ? others : others.filter((other) => other !== CLIENT_HOST)
    const mend = this.#cutAll(cut.flatMap((other) => [[host, other] as const, [other, host] as const]))
    return { what: `broker ${id} cut from ${cut.join(', ')}`, forMs: this.#durationMs(), mend }
  }

  #cutLink(): ReturnType<Fault['begin']> {
    const { brokers, world } = this.#o
    const from = pick(world.random, brokers).host
    const to = pick(world.random, [...brokers.map(({ host }) => host), CLIENT_HOST])
    if (from === to) return undefined
    const oneWay = world.random() < 0.5
    const mend = this.#cutAll(
      oneWay
        ? [[from, to]]
        : [
            [from, to],
            [to, from],
          ],
    )
    return { what: `link ${from} ${oneWay ? '->' : '<->'} ${to} cut`, forMs: this.#durationMs(), mend }
  }

  #cutFromQuorum(): ReturnType<Fault['begin']> {
    const { brokers, world } = this.#o
    const { host, id } = pick(world.random, brokers)
    const oneWay = world.random() < 0.3
    const mend = this.#cutAll(
      oneWay
        ? [[QUORUM_HOST, host]]
        : [
            [host, QUORUM_HOST],
            [QUORUM_HOST, host],
          ],
    )
    return {
      what: `broker ${id} cut from the quorum${oneWay ? ' (answers only)' : ''}`,
      forMs: this.#durationMs(),
      mend,
    }
  }

  #quorumAway(): ReturnType<Fault['begin']> {
    const { brokers } = this.#o
    const mend = this.#cutAll(
      brokers.flatMap(({ host }) => [[host, QUORUM_HOST] as const, [QUORUM_HOST, host] as const]),
    )
    return { what: 'the quorum is away', forMs: this.#durationMs(), mend }
  }

  #clockJump(): ReturnType<Fault['begin']> {
    const { brokers, world } = this.#o
    const broker = pick(world.random, brokers)
    broker.clockOffsetMs = Math.round(between(world.random, -CLOCK_JUMP_MS, CLOCK_JUMP_MS))
    return { what: `clock of broker ${broker.id} jumps`, forMs: 0, mend: () => {} }
  }
}
