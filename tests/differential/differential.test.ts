import { jest } from '@jest/globals'

import { kafkaTools } from '../setup/kafka-tools.ts'
import { describeWith } from '../support/requires.ts'
import { ALLOWED } from './allowed.ts'
import { AREAS } from './areas.ts'
import { type Difference, judge, showDifference } from './compare.ts'
import { CASE_COUNT, Differential } from './differential.ts'

const MIN_CASES = 500

await describeWith(kafkaTools, "beside Apache Kafka's server", (tools) => {
  jest.setTimeout(90_000)

  let differential: Differential
  const all: Difference[] = []

  beforeAll(async () => {
    differential = await Differential.start(tools)
  })

  afterAll(() => differential.stop())

  test.each(AREAS.map((area) => [area.name, area] as const))(
    '%s: our broker answers what Apache Kafka answers',
    async (_name, area) => {
      const found = await differential.compare(area)
      all.push(...found)
      expect(judge(found, ALLOWED).unexplained.map(showDifference)).toEqual([])
    },
  )

  test('every entry of the list of allowed differences is needed', () => {
    expect(judge(all, ALLOWED).stale).toEqual([])
  })

  test('there are enough cases', () => {
    expect(CASE_COUNT).toBeGreaterThanOrEqual(MIN_CASES)
  })
})
