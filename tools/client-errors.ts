/** The Kafka client's nested errors, told in one line. */

/** The innermost reasons of an error, each once; a protocol error with its name. */
export function explain(error: unknown): string {
  const reasons = new Set<string>()
  collectReasons(error, reasons)
  return [...reasons].join('; ') || String(error)
}

function collectReasons(error: unknown, reasons: Set<string>): void {
  if (!(error instanceof Error)) return
  const inner =
    error instanceof AggregateError ? error.errors : error.cause === undefined ? [] : [error.cause]
  if (inner.length > 0) {
    for (const one of inner) collectReasons(one, reasons)
  } else {
    const apiId = 'apiId' in error && typeof error.apiId === 'string' ? `${error.apiId}: ` : ''
    reasons.add(`${apiId}${error.message}`)
  }
}
