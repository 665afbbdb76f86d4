/** What is measured, and where ours is to be: every goal is a bound on the ratio ours / Apache Kafka. */

export interface Measure {
  readonly title: string
  readonly unit: string
  /** Digits after the point. */
  readonly digits: number
  /** Of the ratio; undefined where the number is told for information only. */
  readonly goal?: { readonly atLeast: number } | { readonly atMost: number }
}

export const MEASURES = {
  produceRate: { title: 'produced', unit: 'MB/s', digits: 1, goal: { atLeast: 1 } },
  produceCpu: { title: 'processor', unit: 'CPU-s/GB', digits: 2, goal: { atMost: 0.4 } },
  produceP99: { title: 'p99 of send', unit: 'ms', digits: 0 },
  consumeRate: { title: 'consumed', unit: 'MB/s', digits: 1, goal: { atLeast: 1 } },
  consumeCpu: { title: 'processor', unit: 'CPU-s/GB', digits: 2, goal: { atMost: 1 } },
  latencyP50: { title: 'p50', unit: 'ms', digits: 2, goal: { atMost: 1 } },
  latencyP99: { title: 'p99', unit: 'ms', digits: 2, goal: { atMost: 1 } },
  latencyP999: { title: 'p99.9', unit: 'ms', digits: 2, goal: { atMost: 1 } },
  startSeconds: { title: 'start-up', unit: 's', digits: 2, goal: { atMost: 0.15 } },
  idleMemory: { title: 'resident memory, idle', unit: 'MiB', digits: 0, goal: { atMost: 0.35 } },
  loadedMemory: { title: 'resident memory, after the load', unit: 'MiB', digits: 0, goal: { atMost: 0.35 } },
  idleCpu: { title: 'processor, idle', unit: '% of a core', digits: 2 },
} as const satisfies Readonly<Record<string, Measure>>

export type MeasureName = keyof typeof MEASURES
export type Measured = Partial<Record<MeasureName, number>>

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
