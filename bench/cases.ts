/** The cases: each is run against both servers in turn. Their sizes are bounded in bytes, so that a run is in time. */
import type { KafkaTools } from '../tests/setup/kafka-tools.ts'
import {
  consumerPerfTest,
  kcatConsume,
  kcatProduce,
  producerPerfTest,
  type ClientResult,
  type ProduceLoad,
} from './clients.ts'
import type { Contender } from './contenders.ts'
import { measureLatency } from './latency.ts'
import type { Measured } from './measures.ts'
import { cpuSeconds } from './process-usage.ts'

const MB = 1_000_000
const GB = 1_000_000_000

export interface Scene {
  readonly contender: Contender
  readonly tools: KafkaTools
  /** Of this case and no other. */
  readonly topic: string
  /** Factor on the sizes: below 1 for a quick run. */
  readonly scale: number
}

export interface Case {
  readonly part: Part
  readonly name: string
  readonly partitions: number
  /** Before the first round, once for each server. */
  prepare?(scene: Scene): Promise<void>
  run(scene: Scene): Promise<Measured>
}

export const PARTS = ['produce', 'consume', 'connections', 'latency', 'resources'] as const
export type Part = (typeof PARTS)[number]

interface Shape {
  readonly recordBytes: 100 | 1000
  readonly acks: ProduceLoad['acks']
  readonly codec: ProduceLoad['codec']
  readonly partitions: number
}

const BYTES = { 100: 100 * MB, 1000: 300 * MB } as const

function loadOf(shape: Shape, { contender, topic, scale }: Scene): ProduceLoad {
  const records = Math.floor((BYTES[shape.recordBytes] * scale) / shape.recordBytes)
  return { address: contender.address, topic, records, ...shape }
}

/** Runs the client and adds what the server's process used meanwhile. */
async function underLoad(
  { contender }: Scene,
  bytes: number,
  run: () => Promise<ClientResult>,
): Promise<ClientResult & { cpu: number }> {
  const before = cpuSeconds(contender.pid)
  const result = await run()
  return { ...result, cpu: (cpuSeconds(contender.pid) - before) / (bytes / GB) }
}

async function produceMeasured(
  scene: Scene,
  load: ProduceLoad,
  run: () => Promise<ClientResult>,
): Promise<Measured> {
  const { bytesPerSecond, cpu, p99Ms } = await underLoad(scene, load.records * load.recordBytes, run)
  const p99 = p99Ms === undefined ? {} : { produceP99: p99Ms }
  return { produceRate: bytesPerSecond / MB, produceCpu: cpu, ...p99 }
}

function produceCase(shape: Shape): Case {
  const { recordBytes, acks, codec, partitions } = shape
  return {
    part: 'produce',
    name: `${recordBytes} B, acks=${acks}, ${codec}, ${count(partitions, 'partition')}`,
    partitions,
    run: (scene) => {
      const load = loadOf(shape, scene)
      return produceMeasured(scene, load, () => producerPerfTest(scene.tools, load))
    },
  }
}

function kcatProduceCase(part: Part, clients: number, shape: Shape): Case {
  const { recordBytes, acks, partitions } = shape
  return {
    part,
    name: `kcat ×${clients} produces ${recordBytes} B, acks=${acks}, ${count(partitions, 'partition')}`,
    partitions,
    run: (scene) => {
      const load = loadOf(shape, scene)
      return produceMeasured(scene, load, () => kcatProduce(load, clients))
    },
  }
}

const STORED: Shape = { recordBytes: 1000, acks: '1', codec: 'none', partitions: 1 }

function consumeCase(part: Part, client: 'perf test' | 'kcat', clients: number, partitions: number): Case {
  // Many clients share what one would read, so that a case stays as long as the others.
  const share = 1 / clients
  const stored = (scene: Scene): ProduceLoad => loadOf(STORED, { ...scene, scale: scene.scale * share })
  return {
    part,
    name: `${client}${clients === 1 ? '' : ` ×${clients}`} consumes 1000 B, ${count(partitions, 'partition')}`,
    partitions,
    prepare: async (scene) => void (await producerPerfTest(scene.tools, stored(scene))),
    run: async (scene) => {
      const load = stored(scene)
      const total = { ...load, records: load.records * clients }
      const { bytesPerSecond, cpu } = await underLoad(scene, total.records * load.recordBytes, () =>
        client === 'kcat' ? kcatConsume(total, clients) : consumerPerfTest(scene.tools, load),
      )
      return { consumeRate: bytesPerSecond / MB, consumeCpu: cpu }
    },
  }
}

const LATENCY_RATE = 500

const latencyCase: Case = {
  part: 'latency',
  name: `end to end at ${LATENCY_RATE} records/s of 1000 B, acks=all`,
  partitions: 1,
  async run({ contender, topic, scale }) {
    const { p50Ms, p99Ms, p999Ms } = await measureLatency({
      address: contender.address,
      topic,
      recordsPerSecond: LATENCY_RATE,
      seconds: Math.max(4, Math.round(20 * scale)),
      recordBytes: 1000,
    })
    return { latencyP50: p50Ms, latencyP99: p99Ms, latencyP999: p999Ms }
  },
}

export const CASES: readonly Case[] = [
  ...([1000, 100] as const).flatMap((recordBytes) =>
    (['1', 'all'] as const).flatMap((acks) =>
      (['none', 'lz4', 'zstd'] as const).map((codec) =>
        produceCase({ recordBytes, acks, codec, partitions: 1 }),
      ),
    ),
  ),
  ...[12, 100].map((partitions) =>
    produceCase({ recordBytes: 1000, acks: 'all', codec: 'none', partitions }),
  ),
  kcatProduceCase('produce', 1, { recordBytes: 1000, acks: 'all', codec: 'none', partitions: 1 }),
  ...[1, 12, 100].map((partitions) => consumeCase('consume', 'perf test', 1, partitions)),
  consumeCase('consume', 'kcat', 1, 1),
  kcatProduceCase('connections', 50, { recordBytes: 1000, acks: 'all', codec: 'none', partitions: 12 }),
  consumeCase('connections', 'kcat', 50, 12),
  latencyCase,
]

function count(number: number, thing: string): string {
  return `${number} ${thing}${number === 1 ? '' : 's'}`
}
