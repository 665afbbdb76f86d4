/**
 * The files of a partition, as Apache Kafka's own kafka-dump-log reads them: what our broker writes must be what
 * Kafka's code takes for a sound log.
 */
import { mkdirSync, readdirSync } from 'node:fs'
import path from 'node:path'

import { jest } from '@jest/globals'
import { CompressionTypes, Kafka, logLevel } from 'kafkajs'

import { kafkaTools } from '../setup/kafka-tools.ts'
import { runKafkaTool } from '../support/kafka-tools-runner.ts'
import { describeWith } from '../support/requires.ts'
import { startBroker } from '../support/start-broker.ts'
import { tempFolder } from '../support/temp-folder.ts'
import { WireClient } from '../support/wire-client.ts'

const TOPIC = 'dumped'
const SENDS = 60
const RECORDS_PER_SEND = 10
/** A few sends fill the indexes of a segment, so that the next one begins. */
const CONFIGS = { 'segment.index.bytes': '60', 'index.interval.bytes': '1000' }
const newPath = tempFolder()

await describeWith(kafkaTools, 'kafka-dump-log', (tools) => {
  jest.setTimeout(90_000)

  let directory: string
  let files: string[]

  /** What the broker leaves after a clean stop. */
  beforeAll(async () => {
    const folder = newPath('broker')
    mkdirSync(folder)
    const broker = await startBroker({ folder })
    const client = new WireClient([broker.address])
    await client.createTopic(TOPIC, { replicationFactor: 1, configs: CONFIGS })
    await client.close()
    const kafka = new Kafka({ brokers: [broker.address], logLevel: logLevel.NOTHING })
    const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 })
    await producer.connect()
    for (let send = 0; send < SENDS; send++) {
      const messages = Array.from({ length: RECORDS_PER_SEND }, (_, index) => ({
        partition: 0,
        key: `key-${send}-${index}`,
        value: `value ${index} ${'x'.repeat(200)}`,
        headers: { send: String(send) },
      }))
      const compression = send % 3 === 0 ? CompressionTypes.GZIP : CompressionTypes.None
      await producer.send({ topic: TOPIC, acks: -1, messages, compression })
    }
    await producer.disconnect()
    await broker.end('SIGTERM')
    directory = path.join(broker.logDir, `${TOPIC}-0`)
    files = readdirSync(directory).sort()
  })

  /** Dumps all files with this suffix. The tool says on stderr what it finds wrong, and exits with 0 nevertheless. */
  async function dump(suffix: string, ...options: string[]): Promise<string> {
    const paths = files.filter((name) => name.endsWith(suffix)).map((name) => path.join(directory, name))
    expect(paths).not.toEqual([])
    return runKafkaTool(tools, 'kafka-dump-log', ['--files', paths.join(','), ...options], {
      withErrors: true,
    })
  }

  function complaintsIn(said: string): string[] {
    const complaint = /isvalid: false|mismatch|^Found|out of order|exception|error|corrupt/i
    return said.split('\n').filter((line) => complaint.test(line))
  }

  test('reads every record of every segment', async () => {
    const said = await dump('.log', '--deep-iteration', '--print-data-log')
    const offsets = [...said.matchAll(/^\| offset: (\d+) /gm)].map(([, offset]) => Number(offset))
    expect(offsets).toEqual(Array.from({ length: SENDS * RECORDS_PER_SEND }, (_, index) => index))
    expect(said.match(/^Dumping /gm)!.length).toBeGreaterThan(5)
    expect(said.match(/isvalid: true/g)).toHaveLength(SENDS)
    expect(said.match(/compresscodec: gzip/g)).toHaveLength(SENDS / 3)
    expect(complaintsIn(said)).toEqual([])
    // The tool begins each file with the offset -1, so it reports the first batch of every segment but the first as a
    // gap; those of Apache Kafka's own broker as well. Any other gap would be one of ours.
    const bases = files.filter((name) => name.endsWith('.log')).map((name) => Number.parseInt(name, 10))
    const gaps = [...said.matchAll(/^\s*(-?\d+) is followed by (\d+)$/gm)].map(([, from, to]) => [
      from,
      Number(to),
    ])
    expect(gaps.toSorted(([, a], [, b]) => Number(a) - Number(b))).toEqual(
      bases.slice(1).map((base) => ['-1', base]),
    )
  })

  test.each(['.index', '.timeindex'])('finds every entry of each %s right', async (suffix) => {
    const said = await dump(suffix)
    expect(complaintsIn(said)).toEqual([])
    const entries = said.match(/^(offset: \d+ position: \d+|timestamp: \d+ offset: \d+)$/gm) ?? []
    expect(entries.length).toBeGreaterThan(files.filter((name) => name.endsWith(suffix)).length / 2)
  })

  test('reads the snapshots of the producers', async () => {
    const said = await dump('.snapshot')
    const last = `producerEpoch: 0 .*lastSequence: ${SENDS * RECORDS_PER_SEND - 1} lastOffset: ${SENDS * RECORDS_PER_SEND - 1} `
    expect(said).toMatch(new RegExp(`^producerId: \\d+ ${last}`, 'm'))
  })
})
