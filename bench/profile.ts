/** Where this broker's time goes: runs it under V8's sampling profiler and lists the functions by their own time. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import type { KafkaTools } from '../tests/setup/kafka-tools.ts'
import { startBroker } from '../tests/support/start-broker.ts'
import { withTopics } from './topics.ts'
import { consumerPerfTest, producerPerfTest } from './clients.ts'

const TOPIC = 'profile'
const RECORDS = 500_000
const ROWS = 45
const ROOT = path.resolve(import.meta.dirname, '..')

interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
  }[]
  readonly samples: readonly number[]
  /** Microseconds since the sample before. */
  readonly timeDeltas: readonly number[]
}

/** Runs the load and returns the list as text. */
export async function profile(
  load: 'produce' | 'consume',
  tools: KafkaTools,
  report: (line: string) => void,
): Promise<string> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'brokerkit-profile-'))
  try {
    const broker = await startBroker({ nodeOptions: ['--cpu-prof', `--cpu-prof-dir=${folder}`] })
    try {
      await withTopics(broker.address, (client) => client.createTopic(TOPIC, { replicationFactor: 1 }))
      const options = { address: broker.address, topic: TOPIC, recordBytes: 1000, records: RECORDS }
      const produced = await producerPerfTest(tools, { ...options, acks: 'all', codec: 'none' })
      report(`produced at ${(produced.bytesPerSecond / 1e6).toFixed(1)} MB/s`)
      const passes = load === 'consume' ? 6 : 0
      for (let pass = 1; pass <= passes; pass += 1) {
        const consumed = await consumerPerfTest(tools, options)
        report(`consumed at ${(consumed.bytesPerSecond / 1e6).toFixed(1)} MB/s`)
      }
    } finally {
      await broker.stop()
    }
    const [file] = readdirSync(folder)
    return describe(JSON.parse(readFileSync(path.join(folder, file!), 'utf8')) as CpuProfile)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function describe({ nodes, samples, timeDeltas }: CpuProfile): string {
  const names = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]))
  const own = new Map<string, number>()
  for (const [index, id] of samples.entries()) {
    const name = names.get(id)!
    if (name !== '(idle)') own.set(name, (own.get(name) ?? 0) + timeDeltas[index]!)
  }
  const total = [...own.values()].reduce((sum, time) => sum + time, 0)
  const rows = [...own].toSorted(([, a], [, b]) => b - a).slice(0, ROWS)
  const share = (time: number): string => `${((time / total) * 100).toFixed(1).padStart(5)} %`
  return rows.map(([name, time]) => `${share(time)}  ${name}`).join('\n')
}

function nameOf({ functionName, url, lineNumber }: CpuProfile['nodes'][number]['callFrame']): string {
  const name = functionName === '' ? '(anonymous)' : functionName
  if (url === '') return name
  const file = url.startsWith('file:') ? path.relative(ROOT, new URL(url).pathname) : url
  return `${name}  ${file}:${lineNumber + 1}`
}
