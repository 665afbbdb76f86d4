/** One deadline for a piece of work made of many calls, each of which has time limits of its own. */

/** Thrown when the work did not end in time; `doing` says what was under way. */
export class DeadlineError extends Error {
  override name = 'DeadlineError'
}

/**
 * Runs `work` and gives up after `timeoutMs` with a DeadlineError, or with the reason of `cancel` when that comes
 * first. The work is told through its signal, but is not waited for: whoever calls closes what it holds.
 */
export async function withDeadline<T>(
  timeoutMs: number,
  doing: () => string,
  work: (signal: AbortSignal) => Promise<T>,
  cancel?: AbortSignal,
): Promise<T> {
  const aborter = new AbortController()
  const timer = setTimeout(
    () => aborter.abort(new DeadlineError(`gave up after ${timeoutMs / 1000} s: ${doing()}`)),
    timeoutMs,
  )
  const signal = cancel === undefined ? aborter.signal : AbortSignal.any([aborter.signal, cancel])
  try {
    return await Promise.race([work(signal), rejectOnAbort(signal)])
  } finally {
    clearTimeout(timer)
  }
}

function rejectOnAbort(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason)
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}
