/**
 * One life of a process: while it is paused (SIGSTOP) nothing in it goes on, and what fell due meanwhile happens when
 * it continues; once it is dead nothing of it does anything any more.
 */
import type { Clock } from '../../broker/runtime/clock.ts'
import type { World } from './world.ts'

/** Wall-clock time at which every world begins. */
const EPOCH_MS = 1_800_000_000_000

/** Met by code of a process that is dead already. */
export class DeadProcessError extends Error {
  override readonly name = 'DeadProcessError'
}

export class SimulatedProcess {
  readonly host: string
  readonly #world: World
  readonly #onDeath: (() => void)[] = []
  #waiting: (() => void)[] = []
  #state: 'running' | 'paused' | 'dead' = 'running'
  /** How wrong the wall clock of the machine is. */
  readonly clockOffsetMs: () => number

  constructor(world: World, host: string, clockOffsetMs: () => number = () => 0) {
    this.#world = world
    this.host = host
    this.clockOffsetMs = clockOffsetMs
  }

  get isDead(): boolean {
    return this.#state === 'dead'
  }

  get isPaused(): boolean {
    return this.#state === 'paused'
  }

  readonly clock: Clock = {
    now: () => EPOCH_MS + Math.floor(this.#world.nowMs) + this.clockOffsetMs(),
    monotonicMs: () => this.#world.nowMs,
    after: (delayMs, action) => this.after(delayMs, action),
    sleep: (delayMs, signal) => this.#sleep(delayMs, signal),
  }

  /** In this process, `delayMs` from now. */
  after(delayMs: number, action: () => void): () => void {
    let cancelled = false
    const cancel = this.#world.after(delayMs, () => this.run(() => cancelled || action()))
    return () => {
      cancelled = true
      cancel()
    }
  }

  #sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason as Error)
      const onAbort = (): void => {
        cancel()
        reject(signal?.reason as Error)
      }
      const cancel = this.after(delayMs, () => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      })
      signal?.addEventListener('abort', onAbort, { once: true })
    })
  }

  /** Now, or when it continues, or never. */
  run(action: () => void): void {
    if (this.#state === 'running') action()
    else if (this.#state === 'paused') this.#waiting.push(action)
  }

  mustLive(): void {
    if (this.isDead) throw new DeadProcessError(`the process on ${this.host} is dead`)
  }

  onDeath(action: () => void): void {
    this.#onDeath.push(action)
  }

  pause(): void {
    if (this.#state === 'running') this.#state = 'paused'
  }

  continue(): void {
    if (this.#state !== 'paused') return
    this.#state = 'running'
    const waiting = this.#waiting
    this.#waiting = []
    // One after another, as a process gets through what has piled up.
    for (const action of waiting) this.#world.after(0, () => this.run(action))
  }

  kill(): void {
    if (this.isDead) return
    this.#state = 'dead'
    this.#waiting = []
    for (const action of this.#onDeath.splice(0)) action()
  }
}
