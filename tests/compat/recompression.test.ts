/**
 * `compression.type` of a topic with real clients on both ends: librdkafka and the Java client write in every codec, the
 * broker reads what they wrote and stores it in the topic's codec, and both read that.
 */
import { readFileSync } from 'node:fs'
import path from 'node:path'

import { jest } from '@jest/globals'

import { CODECS } from '../../broker/protocol/compression.ts'
import { splitBatches } from '../../broker/protocol/record-batch.ts'
import { kafkaTools } from '../setup/kafka-tools.ts'
import { kcat } from '../setup/kcat.ts'
import { runKafkaTool } from '../support/kafka-tools-runner.ts'
import { describeWith } from '../support/requires.ts'
import { runProgram } from '../support/run-program.ts'
import { type BrokerProcess, startBroker } from '../support/start-broker.ts'
import { WireClient } from '../support/wire-client.ts'

const TYPES = CODECS.map((codec) => (codec === 'none' ? 'uncompressed' : codec))
const LINES = 300
const topicOf = (type: string): string => `stored-as-${type}`

/** Several blocks of every codec, neither all alike nor random. */
function linesOf(source: string): string[] {
  return Array.from({ length: LINES }, (_unused, index) => {
    const words = Array.from({ length: 60 }, (_word, place) => `${source}${(index * place * 7919) % 1009}`)
    return `${source} ${index} ${words.join(' ')}`
  })
}

const bothClients = {
  name: "kcat and Kafka's own tools",
  async find() {
    const [tools, program] = [await kafkaTools.find(), await kcat.find()]
    if (!tools.available) return tools
    return program.available
      ? { available: true as const, value: { tools: tools.value, program: program.value } }
      : program
  },
}

await describeWith(bothClients, bothClients.name, ({ tools, program }) => {
  jest.setTimeout(90_000)

  let broker: BrokerProcess
  const expected: Record<string, string[]> = {}

  const runKcat = (args: readonly string[], lines: readonly string[] = []): Promise<string> =>
    runProgram(program.path, ['-b', broker.address, ...args], {
      input: lines.map((line) => `${line}\n`).join(''),
    })
  const runTool = (
    tool: 'kafka-console-producer' | 'kafka-console-consumer',
    args: string[],
    input = '',
  ): Promise<string> => runKafkaTool(tools, tool, ['--bootstrap-server', broker.address, ...args], { input })

  async function writeWithKcat(type: string, codec: string): Promise<void> {
    const lines = linesOf(`kcat-${codec}-`)
    await runKcat(['-P', '-t', topicOf(type), '-z', codec], lines)
    expected[type]!.push(...lines)
  }

  async function writeWithJava(type: string, codec: string): Promise<void> {
    const lines = linesOf(`java-${codec}-`)
    const options = ['--topic', topicOf(type), '--compression-codec', codec, '--batch-size', '500000']
    await runTool('kafka-console-producer', options, lines.map((line) => `${line}\n`).join(''))
    expected[type]!.push(...lines)
  }

  beforeAll(async () => {
    broker = await startBroker()
    const client = new WireClient([broker.address])
    for (const type of TYPES) {
      expected[type] = []
      await client.createTopic(topicOf(type), {
        replicationFactor: 1,
        configs: { 'compression.type': type },
      })
    }
    await client.close()
    await Promise.all(
      TYPES.map(async (type) => {
        for (const codec of CODECS) await writeWithKcat(type, codec)
      }),
    )
    // What the broker makes of other codecs does not depend on the topic's: each of the Java client's is read once.
    const targets = { gzip: 'lz4', snappy: 'uncompressed', lz4: 'zstd', zstd: 'snappy', none: 'gzip' }
    await Promise.all(CODECS.map((codec) => writeWithJava(targets[codec], codec)))
  })

  afterAll(() => broker?.stop())

  test.each(TYPES)('every batch is stored as %s', (type) => {
    const log = readFileSync(path.join(broker.logDir, `${topicOf(type)}-0`, '00000000000000000000.log'))
    const batches = splitBatches(log)
    const codecs = new Set(batches.map(({ codec }) => codec))
    expect([...codecs]).toEqual([type === 'uncompressed' ? 'none' : type])
    expect(batches.every((batch) => batch.isIntact())).toBe(true)
  })

  test.each(TYPES)('kcat reads all that is stored as %s', async (type) => {
    const read = await runKcat(['-C', '-t', topicOf(type), '-o', 'beginning', '-e', '-q'])
    expect(read.split('\n').filter((line) => line !== '')).toEqual(expected[type])
  })

  test('the Java client reads all of it', async () => {
    const all = TYPES.flatMap((type) => expected[type]!)
    const how = ['--from-beginning', '--max-messages', String(all.length), '--timeout-ms', '20000']
    const read = await runTool('kafka-console-consumer', ['--include', 'stored-as-.*', ...how])
    expect(
      read
        .split('\n')
        .filter((line) => line !== '')
        .toSorted(),
    ).toEqual(all.toSorted())
  })
})
