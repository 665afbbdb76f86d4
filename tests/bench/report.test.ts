import { median } from '../../bench/measures.ts'
import { isReached, ratioOf, type Result, table } from '../../bench/report.ts'

function result(more: Partial<Result>): Result {
  return { part: 'produce', case: 'a case', measure: 'produceRate', ours: [1], kafka: [1], ...more }
}

test('the median of an even number of rounds lies between the two in the middle', () => {
  expect([median([3, 1, 2]), median([4, 1, 3, 2]), median([7])]).toEqual([2, 2.5, 7])
})

test('a ratio is that of the medians, so that one bad round does not count', () => {
  expect(ratioOf(result({ ours: [10, 12, 90], kafka: [6, 1, 7] }))).toBe(2)
})

test.each([
  ['produceRate', 1, true],
  ['produceRate', 0.99, false],
  ['produceCpu', 0.4, true],
  ['produceCpu', 0.41, false],
  ['produceP99', 9, undefined],
] as const)('%s at %d of Apache Kafka: reached %s', (measure, ours, reached) => {
  expect(isReached(result({ measure, ours: [ours] }))).toBe(reached)
})

test('the table says case, medians, ratio, goal and whether it is reached', () => {
  const lines = table([result({ measure: 'consumeCpu', ours: [0.5], kafka: [1] })]).split('\n')
  expect(lines[0]!.split('|').map((cell) => cell.trim())).toEqual([
    '',
    'case',
    'measure',
    'ours',
    'Apache Kafka',
    'ratio',
    'goal',
    '',
    '',
  ])
  expect(lines[2]!.split('|').map((cell) => cell.trim())).toEqual([
    '',
    'a case',
    'processor, CPU-s/GB',
    '0.50',
    '1.00',
    '0.50',
    '≤ 1',
    'reached',
    '',
  ])
})
