/**
 * Loses power at every change of seeded workloads on a log, for as many seeds as wanted:
 *   npm run crash -- --seed 1 --runs 100 [--steps 60]
 * Each failure names its seed and change; the exit code is 1 when there was one.
 */
import process from 'node:process'
import { parseArgs } from 'node:util'

import { changesOf, checkCrash } from './support/crash-check.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    runs: { type: 'string', default: '10' },
    steps: { type: 'string', default: '60' },
  },
})
const numberOf = (text: string): number => {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text)
  throw new Error(`"${text}" is not a number from 1 on: npm run crash -- --seed 1 --runs 10 --steps 60`)
}
const first = numberOf(values.seed)
const end = first + numberOf(values.runs)
const steps = numberOf(values.steps)

/** Of one seed: those that follow are mostly of one cause. */
const SHOWN = 3
let failures = 0
for (let seed = first; seed < end; seed++) {
  const changes = await changesOf(seed, steps)
  const before = failures
  for (let crashAt = 0; crashAt <= changes; crashAt++) {
    try {
      await checkCrash({ seed, steps, crashAt })
    } catch (error) {
      failures += 1
      if (failures - before <= SHOWN) console.error((error as Error).message)
    }
  }
  console.log(`seed ${seed}: ${changes + 1} crashes, ${failures - before} failures`)
}
process.exitCode = failures === 0 ? 0 : 1
