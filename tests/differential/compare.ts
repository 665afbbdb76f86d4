/** Where two outcomes differ, and which of the differences are allowed. */

export interface Difference {
  /** "area: case" */
  readonly case: string
  /** "step.field.field", elements of arrays by what identifies them. */
  readonly path: string
  readonly ours: unknown
  readonly kafka: unknown
}

export interface Allowed {
  /** "area: case"; * stands for anything, here and in the path. */
  readonly case: string
  readonly path: string | RegExp
  readonly reason: string
}

export interface Verdict {
  readonly unexplained: readonly Difference[]
  /** Entries of the list that no difference needed. */
  readonly stale: readonly Allowed[]
}

/** Every place where the two differ. What one of them does not have is undefined. */
export function differences(name: string, ours: unknown, kafka: unknown, path = ''): Difference[] {
  if (isObject(ours) && isObject(kafka)) {
    return [...new Set([...Object.keys(ours), ...Object.keys(kafka)])].flatMap((key) =>
      differences(name, ours[key], kafka[key], path === '' ? key : `${path}.${key}`),
    )
  }
  return JSON.stringify(ours) === JSON.stringify(kafka) ? [] : [{ case: name, path, ours, kafka }]
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Holds the differences against the list. */
export function judge(found: readonly Difference[], allowed: readonly Allowed[]): Verdict {
  const matchers = allowed.map((entry) => ({ entry, matches: matcherOf(entry), used: false }))
  const unexplained = found.filter((difference) => {
    const matching = matchers.filter(({ matches }) => matches(difference))
    for (const matcher of matching) matcher.used = true
    return matching.length === 0
  })
  return { unexplained, stale: matchers.filter(({ used }) => !used).map(({ entry }) => entry) }
}

function matcherOf(entry: Allowed): (difference: Difference) => boolean {
  const caseName = pattern(entry.case)
  const path = pattern(entry.path)
  return (difference) => caseName.test(difference.case) && path.test(difference.path)
}

function pattern(wildcards: string | RegExp): RegExp {
  if (wildcards instanceof RegExp) return wildcards
  const parts = wildcards.split('*').map((part) => part.replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`))
  return new RegExp(`^${parts.join('.*')}$`)
}

export function showDifference({ case: name, path, ours, kafka }: Difference): string {
  return `${name}\n    ${path}\n      ours:         ${JSON.stringify(ours)}\n      Apache Kafka: ${JSON.stringify(kafka)}`
}
