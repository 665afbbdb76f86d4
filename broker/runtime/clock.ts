/** Time as a dependency: production code takes a `Clock`, tests and the simulation hand it their own. */

export interface Clock {
  /** Wall-clock time in milliseconds since the Unix epoch, as written into records. */
  now(): number
  /** A time in milliseconds that never goes back; only differences mean anything. */
  monotonicMs(): number
  /** Runs `action` once, `delayMs` from now; the result cancels it. Does not keep the process alive. */
  after(delayMs: number, action: () => void): () => void
  /** Resolves after `delayMs`; rejects with the signal's reason when aborted first. */
  sleep(delayMs: number, signal?: AbortSignal): Promise<void>
}

/** What a timer of Node waits at most; more would end at once. */
const MAX_TIMEOUT_MS = 0x7fff_ffff

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, action) {
    if (delayMs > MAX_TIMEOUT_MS) return afterLong(delayMs, action)
    const timer = setTimeout(action, delayMs)
    timer.unref()
    return () => clearTimeout(timer)
  },
  sleep(delayMs, signal) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      const onAbort = (): void => {
        clearTimeout(timer)
        reject(signal?.reason)
      }
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      }, delayMs)
      signal?.addEventListener('abort', onAbort, { once: true })
    })
  },
}

function afterLong(delayMs: number, action: () => void): () => void {
  let cancel = systemClock.after(MAX_TIMEOUT_MS, () => {
    cancel = systemClock.after(delayMs - MAX_TIMEOUT_MS, action)
  })
  return () => cancel()
}
