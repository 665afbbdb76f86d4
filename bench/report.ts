/** The results as tables of medians and ratios. */
import { MEASURES, median, type Measure, type MeasureName } from './measures.ts'

/** One line: one measure of one case, with the value of each round. */
export interface Result {
  readonly part: string
  readonly case: string
  readonly measure: MeasureName
  readonly ours: readonly number[]
  readonly kafka: readonly number[]
}

/** Ours / Apache Kafka, of the medians. */
export function ratioOf({ ours, kafka }: Result): number {
  return median(ours) / median(kafka)
}

/** Whether the goal is reached; undefined where there is none. */
export function isReached(result: Result): boolean | undefined {
  const { goal }: Measure = MEASURES[result.measure]
  if (goal === undefined) return undefined
  return 'atLeast' in goal ? ratioOf(result) >= goal.atLeast : ratioOf(result) <= goal.atMost
}

const HEADINGS = ['case', 'measure', 'ours', 'Apache Kafka', 'ratio', 'goal', ''] as const

/** Markdown; padded, so that it reads in a terminal too. */
export function table(results: readonly Result[]): string {
  const rows = [HEADINGS, ...results.map(row)]
  const widths = HEADINGS.map((_heading, column) => Math.max(...rows.map((cells) => cells[column]!.length)))
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(' | ')} |`
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`
  return [line(rows[0]!), rule, ...rows.slice(1).map(line)].join('\n')
}

function row(result: Result): string[] {
  const { title, unit, digits, goal }: Measure = MEASURES[result.measure]
  const reached = isReached(result)
  return [
    result.case,
    `${title}, ${unit}`,
    median(result.ours).toFixed(digits),
    median(result.kafka).toFixed(digits),
    ratioOf(result).toFixed(2),
    goal === undefined ? '' : 'atLeast' in goal ? `≥ ${goal.atLeast}` : `≤ ${goal.atMost}`,
    reached === undefined ? '' : reached ? 'reached' : 'missed',
  ]
}
