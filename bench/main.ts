/**
 * `npm run bench [-- parts] [--quick] [--rounds n] [--only text] [--json]`: compares this broker with Apache Kafka's server,
 * in one run on one machine, and keeps the tables in BENCHMARKS.md. Parts: produce, consume, connections, latency,
 * resources; all of them unless named. `--quick` makes the cases smaller; `--only` runs the cases whose names hold the
 * text, and `--json` prints every round: neither is kept.
 *
 * `npm run bench -- profile produce` (or consume) shows where this broker's time goes under that load.
 */
import { parseArgs } from 'node:util'
import { CASES, type Part, PARTS } from './cases.ts'
import { requireKafkaTools } from './contenders.ts'
import { keepResults } from './keep.ts'
import { profile } from './profile.ts'
import { table } from './report.ts'
import { runAll } from './run.ts'

const QUICK_SCALE = 0.25

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '3' },
    only: { type: 'string', default: '' },
  },
})

async function main(): Promise<void> {
  const report = (line: string): void => console.error(line)
  const tools = await requireKafkaTools(report)
  const [first, load = 'produce'] = positionals
  if (first === 'profile') {
    if (load !== 'produce' && load !== 'consume') throw new Error(`profile ${load}: give produce or consume`)
    console.log(await profile(load, tools, report))
    return
  }
  const parts = positionals.length === 0 ? PARTS : positionals.map(partOf)
  const rounds = Number(values.rounds)
  if (!(rounds >= 1)) throw new Error(`--rounds ${values.rounds}: must be 1 or more`)
  const cases = CASES.filter(({ part, name }) => parts.includes(part) && name.includes(values.only))
  const results = await runAll({
    cases,
    withResources: parts.includes('resources'),
    rounds,
    scale: values.quick ? QUICK_SCALE : 1,
    tools,
    report,
  })
  if (values.json) console.log(JSON.stringify(results, undefined, 2))
  else console.log(table(results))
  if (values.json || values.only !== '') return
  const command = `npm run bench -- ${process.argv.slice(2).join(' ')}`.replace(/ -- $/, '')
  await keepResults(results, { command, rounds, classPath: tools.classPath })
}

function partOf(name: string): Part {
  const part = PARTS.find((known) => known === name)
  if (part === undefined) throw new Error(`${name} is no part; there are ${PARTS.join(', ')}, and profile`)
  return part
}

await main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
})
