/** `npm run fuzz [-- --seed N] [--minutes M] [--case K]`: until the time is over or a case fails; --case runs that one only. */
import process from 'node:process'
import { parseArgs } from 'node:util'

import { FuzzFailure, MESSAGES, runCase } from './fuzz.ts'

const PROGRESS_EVERY_MS = 10_000

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    minutes: { type: 'string', default: '1' },
    case: { type: 'string' },
  },
})
const seed = Number(values.seed)
const endMs = performance.now() + Number(values.minutes) * 60_000
const only = values.case === undefined ? undefined : Number(values.case)
if ([seed, endMs, only ?? 0].some(Number.isNaN)) throw new Error('--seed, --minutes and --case are numbers')

console.log(`seed ${seed}: ${MESSAGES.length} messages in all their versions, and record batches`)
try {
  if (only === undefined) fuzzUntil(endMs)
  else runCase(seed, only)
} catch (error) {
  if (!(error instanceof FuzzFailure)) throw error
  console.log(error.message)
  process.exitCode = 1
}

function fuzzUntil(deadlineMs: number): void {
  let progressMs = performance.now() + PROGRESS_EVERY_MS
  let index = 0
  for (; performance.now() < deadlineMs; index += 1) {
    runCase(seed, index)
    if (performance.now() > progressMs) {
      console.log(`${index} cases`)
      progressMs += PROGRESS_EVERY_MS
    }
  }
  console.log(`${index} cases, none failed`)
}
