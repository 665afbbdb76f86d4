/** A bounded number of simulations, always of the same seeds; `npm run sim` runs others. */
import path from 'node:path'
import { runProgram } from '../support/run-program.ts'

const MAIN = path.join(import.meta.dirname, 'main.ts')
const TIMEOUT_MS = 300_000

/** Fails, with the story of the run, when a promise was broken. */
function simulate(...options: readonly string[]): Promise<string> {
  return runProgram(process.execPath, [MAIN, ...options], { timeoutMs: TIMEOUT_MS })
}

test(
  'no acknowledged record is lost, twice there or out of order, whatever happens to brokers, links and quorum',
  async () => {
    const report = await simulate('--seed', '1', '--runs', '200', '--seconds', '20')
    const lines = report.split('\n').filter((line) => line.startsWith('seed '))
    expect(lines).toHaveLength(200)
    expect(lines.filter((line) => !line.includes(': ok, '))).toEqual([])
    // Something happened in them.
    const acknowledged = lines.map((line) => Number(/(\d+) acknowledged/.exec(line)?.[1]))
    expect(Math.min(...acknowledged)).toBeGreaterThan(0)
  },
  TIMEOUT_MS,
)

test(
  'a seed repeats its run step by step',
  async () => {
    const outline = async (): Promise<string> =>
      (await simulate('--seed', '4711', '--seconds', '30')).replace(/in [\d.]+ s /, '')
    expect(await outline()).toBe(await outline())
  },
  TIMEOUT_MS,
)
