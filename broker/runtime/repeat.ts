/** Something that is done again and again. */
import type { Clock } from './clock.ts'

/** Runs `action`, which does not reject, `periodMs` from now and then `periodMs` after it ended last; the result ends it. */
export function repeat(clock: Clock, periodMs: number, action: () => Promise<void>): () => void {
  let isOver = false
  let cancel = (): void => {}
  const schedule = (): void => {
    cancel = clock.after(periodMs, () => {
      void action().finally(() => {
        if (!isOver) schedule()
      })
    })
  }
  schedule()
  return () => {
    isOver = true
    cancel()
  }
}
