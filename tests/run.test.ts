/** `npm test` itself: what it makes of jest's results, and which prerequisites it sets up for which tests. */
import path from 'node:path'

import { readResults, sumResults } from './support/jest-results.ts'
import { isHeavy, prerequisitesOf } from './support/test-needs.ts'

const file = (name: string, status: string, tests: Readonly<Record<string, string>>): object => ({
  name: `/home/me/brokerkit/tests/${name}`,
  status,
  message: '',
  assertionResults: Object.entries(tests).map(([fullName, test]) => ({ fullName, status: test })),
})
const json = (...files: readonly object[]): string => JSON.stringify({ testResults: files })

test('counts what passed, and names what failed or was skipped', () => {
  const results = readResults(
    json(
      file('a.test.ts', 'passed', { 'adds up': 'passed', 'kcat (skipped: kcat is missing)': 'pending' }),
      file('b.test.ts', 'failed', { 'is well': 'passed', 'is better': 'failed' }),
    ),
    1,
  )
  expect(results).toEqual({
    passed: 2,
    failures: ['tests/b.test.ts: is better'],
    skipped: ['tests/a.test.ts: kcat (skipped: kcat is missing)'],
  })
})

test('a file that cannot run, and a jest that fails for another reason, are failures', () => {
  expect(readResults(json(file('a.test.ts', 'failed', {})), 1).failures).toEqual([
    'tests/a.test.ts: the file could not run',
  ])
  expect(readResults(json(file('a.test.ts', 'passed', { x: 'passed' })), 1).failures).toEqual([
    'jest ended with exit code 1',
  ])
  expect(readResults('', null).failures).toEqual(['jest did not finish'])
})

test('sums the results of several runs', () => {
  const one = { passed: 1, failures: ['a'], skipped: [] }
  const two = { passed: 2, failures: [], skipped: ['b'] }
  expect(sumResults(one, two)).toEqual({ passed: 3, failures: ['a'], skipped: ['b'] })
})

test('sets up only what the chosen tests import', async () => {
  const names = async (name: string): Promise<string[]> =>
    (await prerequisitesOf([path.join(import.meta.dirname, name)])).map((prerequisite) => prerequisite.name)
  expect(await names('compat/kcat.test.ts')).toEqual(['kcat'])
  expect(await names('compat/kafka-tools.test.ts')).toEqual(["Kafka's own tools"])
  expect(await names('layers.test.ts')).toEqual([])
})

test('knows the tests that run many processes at once', () => {
  const heavy = (name: string): boolean => isHeavy(path.join(import.meta.dirname, name))
  expect(heavy('compat/kcat.test.ts')).toBe(true)
  expect(heavy('provision/local/lifecycle.test.ts')).toBe(true)
  expect(heavy('layers.test.ts')).toBe(false)
})
