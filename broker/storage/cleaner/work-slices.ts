/**
 * Compaction shares the event loop with every client: it works for a few milliseconds, lets everybody else run, and
 * goes on; and it reads and writes no more bytes per second than `log.cleaner.io.max.bytes.per.second` allows.
 */
import type { Clock } from '../../runtime/clock.ts'
import { CompactionAbortedError } from './compaction-errors.ts'

/** How long compaction works at a time. One batch is the least. */
const SLICE_MS = 4
/** A limit that is changed while compaction waits for it takes effect this soon. */
const MAX_WAIT_MS = 1_000

export interface WorkSlicesOptions {
  readonly clock: Clock
  readonly maxBytesPerSecond: () => number
  readonly signal: AbortSignal
}

export class WorkSlices {
  readonly #o: WorkSlicesOptions
  #sliceStartMs: number
  /** Bytes read and written for which the time has not passed yet. */
  #debtBytes = 0
  #paidMs: number

  constructor(options: WorkSlicesOptions) {
    this.#o = options
    this.#sliceStartMs = options.clock.monotonicMs()
    this.#paidMs = this.#sliceStartMs
  }

  /** Takes note of bytes read or written. */
  spend(bytes: number): void {
    this.#debtBytes += bytes
  }

  /** Whether it is time to rest. */
  isOver(): boolean {
    return this.#o.clock.monotonicMs() - this.#sliceStartMs >= SLICE_MS
  }

  /** Lets others run. Rejects with CompactionAbortedError when the signal says so. */
  async rest(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve))
    this.#mustGoOn()
    for (let waitMs = this.#pay(); waitMs > 0; waitMs = this.#pay()) {
      await this.#o.clock.sleep(Math.min(waitMs, MAX_WAIT_MS), this.#o.signal).catch(() => this.#mustGoOn())
      this.#mustGoOn()
    }
    this.#sliceStartMs = this.#o.clock.monotonicMs()
  }

  #mustGoOn(): void {
    if (this.#o.signal.aborted) throw new CompactionAbortedError('the broker stops')
  }

  /** Sets the time that has passed against the debt; returns how long it takes to pay the rest, 0 for next to nothing. */
  #pay(): number {
    const nowMs = this.#o.clock.monotonicMs()
    const bytesPerMs = Math.max(0, this.#o.maxBytesPerSecond()) / 1000
    this.#debtBytes = Math.max(0, this.#debtBytes - (nowMs - this.#paidMs) * bytesPerMs)
    this.#paidMs = nowMs
    return this.#debtBytes < bytesPerMs ? 0 : this.#debtBytes / bytesPerMs
  }
}
