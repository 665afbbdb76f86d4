/** Something that is done again and again. */
import type { Clock } from './clock.ts'

/**
 * Runs `action`, which neither throws nor rejects, a period from now and then a period after it ended last. The period
 * is asked for each time; one of 0 ms ends it, as does calling the result.
 */
export function repeat(clock: Clock, periodMs: () => number, action: () => Promise<void> | void): () => void {
  let isOver = false
  let cancel = (): void => {}
  const schedule = (): void => {
    const delayMs = periodMs()
    if (isOver || delayMs === 0) return
    cancel = clock.after(delayMs, () => {
      const ended = action()
      if (ended === undefined) schedule()
      else void ended.finally(schedule)
    })
  }
  schedule()
  return () => {
    isOver = true
    cancel()
  }
}
