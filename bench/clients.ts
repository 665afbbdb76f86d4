/**
 * The load: Apache Kafka's own performance tools and kcat (librdkafka), each run once to its end. They send random
 * capitals of the given size; what they report is told in bytes of record values, before compression.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import type { KafkaTools } from '../tests/setup/kafka-tools.ts'
import { runProgram } from '../tests/support/run-program.ts'

const RUN_TIMEOUT_MS = 180_000
const MEBIBYTE = 2 ** 20
/** What the scripts of the tools give their virtual machine. */
const JVM = ['-Xmx512M', '-server', '-XX:+UseG1GC', '-Dorg.slf4j.simpleLogger.defaultLogLevel=error']

export interface Load {
  readonly address: string
  readonly topic: string
  readonly recordBytes: number
  readonly records: number
}

export interface ProduceLoad extends Load {
  readonly acks: '1' | 'all'
  readonly codec: 'none' | 'lz4' | 'zstd'
}

export interface ClientResult {
  readonly bytesPerSecond: number
  /** Of producing, where the client tells: from send() to the acknowledgement. */
  readonly p99Ms?: number
}

export async function producerPerfTest(tools: KafkaTools, load: ProduceLoad): Promise<ClientResult> {
  const said = await runTool(tools, 'ProducerPerformance', [
    `--topic=${load.topic}`,
    `--num-records=${load.records}`,
    `--record-size=${load.recordBytes}`,
    '--throughput=-1',
    '--command-property',
    `bootstrap.servers=${load.address}`,
    `acks=${load.acks}`,
    `compression.type=${load.codec}`,
  ])
  const summary = /\(([\d.]+) MB\/sec\).* (\d+) ms 99th/.exec(said.trim().split('\n').at(-1) ?? '')
  if (summary === null) throw new Error(`kafka-producer-perf-test said:\n${said}`)
  return { bytesPerSecond: Number(summary[1]) * MEBIBYTE, p99Ms: Number(summary[2]) }
}

export async function consumerPerfTest(tools: KafkaTools, load: Load): Promise<ClientResult> {
  const said = await runTool(tools, 'ConsumerPerformance', [
    `--bootstrap-server=${load.address}`,
    `--topic=${load.topic}`,
    `--num-records=${load.records}`,
    '--timeout=60000',
  ])
  const row = said.split('\n').find((line) => /^\d{4}-/.test(line))
  const megabytesPerSecond = Number(row?.split(', ')[8])
  if (!(megabytesPerSecond > 0)) throw new Error(`kafka-consumer-perf-test said:\n${said}`)
  return { bytesPerSecond: megabytesPerSecond * MEBIBYTE }
}

function runTool({ java, classPath }: KafkaTools, tool: string, args: readonly string[]): Promise<string> {
  return runProgram(java, [...JVM, '-cp', classPath, `org.apache.kafka.tools.${tool}`, ...args], {
    timeoutMs: RUN_TIMEOUT_MS,
  })
}

/** `clients` processes of kcat, which share the records among them. */
export async function kcatProduce(load: ProduceLoad, clients: number): Promise<ClientResult> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'brokerkit-bench-'))
  const file = path.join(folder, 'records')
  writeFileSync(file, randomLines(load.recordBytes, Math.floor(load.records / clients)))
  try {
    return await timed(load, () =>
      kcat(clients, [
        '-P',
        '-b',
        load.address,
        '-t',
        load.topic,
        '-z',
        load.codec,
        '-X',
        `acks=${load.acks}`,
        '-l',
        file,
      ]),
    )
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** `clients` processes of kcat, each of which reads the whole topic: `load.records` is the sum. */
export function kcatConsume(load: Load, clients: number): Promise<ClientResult> {
  return timed(load, () =>
    kcat(clients, ['-C', '-b', load.address, '-t', load.topic, '-o', 'beginning', '-e', '-q', '-f', '']),
  )
}

async function kcat(clients: number, args: readonly string[]): Promise<void> {
  const runs = Array.from({ length: clients }, () => runProgram('kcat', args, { timeoutMs: RUN_TIMEOUT_MS }))
  await Promise.all(runs)
}

async function timed(load: Load, run: () => Promise<void>): Promise<ClientResult> {
  const startedMs = performance.now()
  await run()
  const seconds = (performance.now() - startedMs) / 1000
  return { bytesPerSecond: (load.records * load.recordBytes) / seconds }
}

/** Random capitals, as the performance tools send them. */
function randomLines(bytes: number, count: number): string {
  const line = (): string =>
    String.fromCharCode(...Array.from({ length: bytes }, () => 65 + Math.floor(Math.random() * 26)))
  const variants = Array.from({ length: Math.min(count, 500) }, line)
  return Array.from({ length: count }, (_unused, index) => `${variants[index % variants.length]}\n`).join('')
}
