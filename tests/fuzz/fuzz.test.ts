/** The fuzzer for a bounded number of cases: those of a fixed seed, and others each time, whose seed a failure names. */
import { MESSAGES, runCase } from './fuzz.ts'

const CASES = 6000

test.each([
  ['the fixed seed', 1],
  ['a seed of this run', Date.now() % 1_000_000],
])(
  'no decoder fails on hostile bytes: %s',
  (_name, seed) => {
    for (let index = 0; index < CASES; index += 1) runCase(seed, index)
    expect(MESSAGES.length).toBeGreaterThan(40)
  },
  60_000,
)
