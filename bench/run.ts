/** Runs the cases against both servers in turn, round after round. */
import type { KafkaTools } from '../tests/setup/kafka-tools.ts'
import { type Case, type Part, type Scene } from './cases.ts'
import { withTopics } from './topics.ts'
import { consumerPerfTest, producerPerfTest } from './clients.ts'
import { type Contender, type ContenderName, startContender } from './contenders.ts'
import { type Measured, type MeasureName } from './measures.ts'
import { cpuSeconds, residentBytes } from './process-usage.ts'
import type { Result } from './report.ts'

const MEBIBYTE = 2 ** 20
const NAMES: readonly ContenderName[] = ['ours', 'kafka']
const SETTLE_MS = 5_000
const IDLE_MS = 10_000
const WARM_UP_RECORDS = 300_000

export interface RunOptions {
  readonly cases: readonly Case[]
  readonly withResources: boolean
  readonly rounds: number
  readonly scale: number
  readonly tools: KafkaTools
  readonly report: (line: string) => void
}

export async function runAll(options: RunOptions): Promise<Result[]> {
  const results = new ResultList()
  if (options.withResources) await measureStarts(options, results)
  const contenders: Contender[] = []
  try {
    for (const name of NAMES) contenders.push(await startContender(name, options.tools))
    if (options.withResources) await measureIdle(contenders, options, results)
    for (const contender of contenders) await warmUp(contender, options)
    for (const [index, one] of options.cases.entries()) {
      await runCase(one, `bench-${index}`, contenders, options, results)
    }
    if (options.withResources) {
      for (const { name, pid } of contenders) {
        results.add('resources', 'one server', name, { loadedMemory: residentBytes(pid) / MEBIBYTE })
      }
    }
  } finally {
    for (const contender of contenders) await contender.stop()
  }
  return results.all
}

/** The values of each round, gathered by case, measure and server. */
class ResultList {
  readonly #results = new Map<string, { -readonly [K in keyof Result]: Result[K] }>()

  add(part: Part, name: string, contender: ContenderName, measured: Measured): void {
    for (const [measure, value] of Object.entries(measured) as [MeasureName, number][]) {
      const key = `${name} ${measure}`
      const result = this.#results.get(key) ?? { part, case: name, measure, ours: [], kafka: [] }
      result[contender] = [...result[contender], value]
      this.#results.set(key, result)
    }
  }

  get all(): Result[] {
    return [...this.#results.values()]
  }
}

async function measureStarts({ rounds, tools, report }: RunOptions, results: ResultList): Promise<void> {
  for (let round = 1; round <= rounds; round += 1) {
    for (const name of NAMES) {
      const contender = await startContender(name, tools)
      await contender.stop()
      results.add('resources', 'one server', name, { startSeconds: contender.startSeconds })
      report(`start-up, round ${round}, ${name}: ${contender.startSeconds.toFixed(2)} s`)
    }
  }
}

/** Both at once, as neither has anything to do. */
async function measureIdle(
  contenders: readonly Contender[],
  { report }: RunOptions,
  results: ResultList,
): Promise<void> {
  await delay(SETTLE_MS)
  const before = contenders.map(({ pid }) => cpuSeconds(pid))
  await delay(IDLE_MS)
  for (const [index, { name, pid }] of contenders.entries()) {
    const idleCpu = ((cpuSeconds(pid) - before[index]!) / (IDLE_MS / 1000)) * 100
    const idleMemory = residentBytes(pid) / MEBIBYTE
    results.add('resources', 'one server', name, { idleCpu, idleMemory })
    report(`idle, ${name}: ${idleCpu.toFixed(2)} % of a core, ${idleMemory.toFixed(0)} MiB`)
  }
}

/** What a virtual machine or node compiles on its way is no part of the comparison. */
async function warmUp(contender: Contender, { tools, report, scale }: RunOptions): Promise<void> {
  const topic = 'bench-warm-up'
  const records = Math.max(100_000, Math.floor(WARM_UP_RECORDS * scale))
  const load = { address: contender.address, topic, recordBytes: 1000, records }
  report(`warming up ${contender.name}`)
  await withTopics(contender.address, (client) => client.createTopic(topic, { replicationFactor: 1 }))
  await producerPerfTest(tools, { ...load, acks: 'all', codec: 'none' })
  await consumerPerfTest(tools, load)
  await withTopics(contender.address, (client) => client.deleteTopic(topic))
}

/** A topic of its own for each server and, where a round writes, for each round. */
async function runCase(
  one: Case,
  prefix: string,
  contenders: readonly Contender[],
  options: RunOptions,
  results: ResultList,
): Promise<void> {
  const { rounds, tools, scale, report } = options
  const topics: string[] = []
  const sceneOf = async (contender: Contender, topic: string): Promise<Scene> => {
    topics.push(topic)
    await withTopics(contender.address, (client) =>
      client.createTopic(topic, { partitions: one.partitions, replicationFactor: 1 }),
    )
    return { contender, tools, topic, scale }
  }
  const prepared = new Map<ContenderName, Scene>()
  if (one.prepare !== undefined) {
    for (const contender of contenders) {
      const scene = await sceneOf(contender, prefix)
      await one.prepare(scene)
      prepared.set(contender.name, scene)
    }
  }
  for (let round = 1; round <= rounds; round += 1) {
    for (const contender of contenders) {
      const scene = prepared.get(contender.name) ?? (await sceneOf(contender, `${prefix}-${round}`))
      const measured = await one.run(scene)
      results.add(one.part, one.name, contender.name, measured)
      report(`${one.name}, round ${round}, ${contender.name}: ${describe(measured)}`)
    }
  }
  for (const contender of contenders) {
    await withTopics(contender.address, async (client) => {
      for (const topic of new Set(topics)) await client.deleteTopic(topic)
    })
  }
}

function describe(measured: Measured): string {
  return Object.entries(measured)
    .map(([measure, value]) => `${measure} ${value.toFixed(2)}`)
    .join(', ')
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms)
  })
}
