/**
 * Simulated time. Things happen at times; between two of them no time passes, and everything that the first one
 * set off in this process (promises, ticks, immediates) has come to rest. So a seed repeats a whole run.
 */
import { setImmediate as realTurn } from 'node:timers/promises'
import { type Random, seededRandom } from './random.ts'

interface Happening {
  readonly atMs: number
  /** Equal times keep the order in which they were asked for. */
  readonly order: number
  readonly action: () => void
  cancelled: boolean
}

/** An append waits for the end of its turn, and what follows may do so once more. */
const TURNS_TO_REST = 3

export class World {
  readonly random: Random
  /** A heap, the next happening first. */
  readonly #heap: Happening[] = []
  #nowMs = 0
  #order = 0
  happenings = 0
  #halted: string | undefined

  constructor(seed: number) {
    this.random = seededRandom(seed)
  }

  /** Milliseconds since the world began. */
  get nowMs(): number {
    return this.#nowMs
  }

  after(delayMs: number, action: () => void): () => void {
    const happening = {
      atMs: this.#nowMs + Math.max(0, delayMs),
      order: (this.#order += 1),
      action,
      cancelled: false,
    }
    this.#push(happening)
    return () => {
      happening.cancelled = true
    }
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.after(delayMs, resolve)
    })
  }

  /** Lets the world go on until `work` has settled. Rejects when that takes more than `limitMs` of its time. */
  async until<T>(work: Promise<T>, limitMs: number, what: string): Promise<T> {
    const state = { settled: false }
    const finish = (): void => {
      state.settled = true
    }
    work.then(finish, finish)
    const deadlineMs = this.#nowMs + limitMs
    await this.#rest()
    while (!state.settled) {
      if (this.#halted !== undefined) throw new Error(this.#halted)
      const next = this.#pop()
      if (next === undefined) throw new Error(`nothing happens any more, and still: ${what}`)
      if (next.atMs > deadlineMs) throw new Error(`not within ${limitMs} ms: ${what}`)
      if (next.cancelled) continue
      this.#nowMs = next.atMs
      this.happenings += 1
      next.action()
      await this.#rest()
    }
    return work
  }

  /** The world ends before its next step. */
  halt(why: string): void {
    this.#halted ??= why
  }

  async #rest(): Promise<void> {
    for (let turn = 0; turn < TURNS_TO_REST; turn += 1) await realTurn()
  }

  #push(happening: Happening): void {
    const heap = this.#heap
    let at = heap.length
    heap.push(happening)
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(happening, heap[parent]!)) break
      heap[at] = heap[parent]!
      at = parent
    }
    heap[at] = happening
  }

  #pop(): Happening | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (first === undefined || last === undefined || heap.length === 0) return first
    let at = 0
    for (let child = 1; child < heap.length; child = 2 * at + 1) {
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child += 1
      if (!isBefore(heap[child]!, last)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = last
    return first
  }
}

function isBefore(a: Happening, b: Happening): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)
}
