/** One deadline for a piece of work made of many calls, each of which has time limits of its own. */

/** Thrown when the work did not end in time; `doing` says what was under way. */
export class DeadlineError extends Error {
  override name = 'DeadlineError'
}

/**
 * Runs `work` and gives up after `timeoutMs` with a DeadlineError. The work is told through the signal, but is not
 * waited for: whoever calls closes what it holds.
 */
export async function withDeadline<T>(
  timeoutMs: number,
  doing: () => string,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const aborter = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const expired = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      const error = new DeadlineError(`gave up after ${Math.round(timeoutMs / 1000)} s: ${doing()}`)
      aborter.abort(error)
      reject(error)
    }, timeoutMs)
  })
  try {
    return await Promise.race([work(aborter.signal), expired])
  } finally {
    clearTimeout(timer)
  }
}
