/**
 * BENCHMARKS.md: one section for each part, replaced when the part is run again, with machine, command and date, so that
 * every number can be told from where it comes.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { execa } from 'execa'
import { type Part, PARTS } from './cases.ts'
import { isReached, type Result, table } from './report.ts'

const FILE = path.resolve(import.meta.dirname, '../BENCHMARKS.md')
const KAFKA_VERSION = /kafka-clients-(\S+)\.jar/

const INTRODUCTION = `# Benchmarks

This broker and Apache Kafka's server, in turn on one machine, each with a fresh data directory and a replication factor
of 1, under Apache Kafka's own performance tools and kcat: \`npm run bench\` writes this page. Each number is the median of
the rounds, after a warm-up that does not count; the ratio is ours / Apache Kafka's. A GB is 10^9 bytes of record values
before compression; processor time is that of the server process alone, from \`/proc\`. Rates depend on what else the
machine does, ratios less so. Latency is measured by a client of its own that sends at a fixed rate (\`bench/latency.ts\`).
`

export interface Run {
  readonly command: string
  readonly rounds: number
  /** Where Kafka's jars are. */
  readonly classPath: string
}

/** Writes the results of the parts that were run, and leaves the others as they are. */
export async function keepResults(results: readonly Result[], run: Run): Promise<void> {
  const kept = readSections()
  const about = await describeRun(run)
  for (const part of PARTS) {
    const own = results.filter((result) => result.part === part)
    if (own.length > 0) kept.set(part, `${about}\n\n${summary(own)}\n\n${table(own)}`)
  }
  const sections = PARTS.flatMap((part) => {
    const text = kept.get(part)
    return text === undefined ? [] : [`## ${part}\n\n${text.trim()}\n`]
  })
  writeFileSync(FILE, [INTRODUCTION, ...sections].join('\n'))
  await execa('oxfmt', [FILE])
}

function readSections(): Map<Part, string> {
  if (!existsSync(FILE)) return new Map()
  const sections = readFileSync(FILE, 'utf8').split(/^## /m).slice(1)
  return new Map(
    sections.map((section) => {
      const end = section.indexOf('\n')
      return [section.slice(0, end).trim() as Part, section.slice(end)]
    }),
  )
}

function summary(results: readonly Result[]): string {
  const withGoal = results.map(isReached).filter((reached) => reached !== undefined)
  return `${withGoal.filter(Boolean).length} of ${withGoal.length} goals reached.`
}

async function describeRun({ command, rounds, classPath }: Run): Promise<string> {
  const processors = os.cpus()
  const memory = `${Math.round(os.totalmem() / 2 ** 30)} GiB`
  const java = /version "([^"]+)"/.exec((await execa('java', ['-version'], { reject: false })).stderr)?.[1]
  const jars = await execa('ls', [path.dirname(classPath)], { reject: false })
  const kafka = KAFKA_VERSION.exec(jars.stdout)?.[1]
  return [
    `\`${command}\`, ${rounds} rounds, ${new Date().toISOString().slice(0, 16).replace('T', ' ')} UTC.`,
    `${processors.length} × ${processors[0]?.model.trim()}, ${memory}, Linux ${os.release()}, node ${process.version},`,
    `Java ${java}, Apache Kafka ${kafka}. Load average at the end: ${os.loadavg()[0]!.toFixed(1)}.`,
  ].join('\n')
}
