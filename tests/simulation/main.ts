/**
 * `npm run sim [-- --seed N] [--runs M] [--seconds S] [--partitions P] [--story]`: runs simulations with the seeds N, N+1, …
 * Ends with 1 when one of them found a violation; the line that it prints repeats that run exactly.
 */
import { Command, InvalidArgumentError } from 'commander'
import { Simulation, type SimulationResult } from './simulation.ts'

interface Options {
  readonly seed: number
  readonly runs: number
  readonly seconds: number
  readonly partitions: number
  readonly story?: boolean
}

const LINES_OF_A_FAILURE = 120

function positive(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1) throw new InvalidArgumentError('a whole number from 1 on')
  return value
}

const program = new Command('npm run sim --')
  .description(
    'Three brokers, clients and faults on a simulated clock, network and disk; the seed repeats a run.',
  )
  .option('--seed <n>', 'first seed', positive, 1 + Math.floor(Math.random() * 2 ** 31))
  .option('--runs <n>', 'how many seeds', positive, 1)
  .option('--seconds <n>', 'simulated time with faults, of each run', positive, 60)
  .option('--partitions <n>', 'partitions that are written to', positive, 3)
  .option('--story', 'print all that happened, also of runs that are fine')
  .parse()

const options = program.opts<Options>()

function report(result: SimulationResult, tookMs: number): void {
  const { seed, violations, story, acknowledged, faults, simulatedMs, happenings } = result
  const verdict = violations.length === 0 ? 'ok' : 'VIOLATED'
  console.log(
    `seed ${seed}: ${verdict}, ${acknowledged} acknowledged, ${faults} faults, ${Math.round(simulatedMs / 1000)} s simulated in ${(tookMs / 1000).toFixed(1)} s (${happenings} steps)`,
  )
  if (options.story === true) console.log(story.join('\n'))
  else if (violations.length > 0) console.log(story.slice(-LINES_OF_A_FAILURE).join('\n'))
  for (const violation of violations) console.log(`  ${violation}`)
}

let failed: number[] = []
for (let seed = options.seed; seed < options.seed + options.runs; seed += 1) {
  const startedMs = performance.now()
  const { seconds, partitions } = options
  const result = await new Simulation({ seed, durationMs: seconds * 1000, partitions }).run()
  report(result, performance.now() - startedMs)
  if (result.violations.length > 0) failed = [...failed, seed]
}
if (failed.length > 0) {
  console.log(`${failed.length} of ${options.runs} runs violated what is promised. To repeat the first:`)
  console.log(
    `  npm run sim -- --seed ${failed[0]} --seconds ${options.seconds} --partitions ${options.partitions} --story`,
  )
}
process.exit(failed.length > 0 ? 1 : 0)
