/**
 * One log directory, used in turn by Apache Kafka's server and by our storage, after clean stops and after crashes of
 * either: each finds what the other wrote, record for record, with the same offsets, producers and transactions, and
 * goes on from there. What our storage leaves is read by kafka-dump-log as well.
 */
import { readdirSync } from 'node:fs'
import path from 'node:path'

import { jest } from '@jest/globals'

import type { KafkaError } from '../../broker/protocol/errors.ts'
import { CrashingFiles } from '../support/crashing-files.ts'
import { kafkaTools } from '../setup/kafka-tools.ts'
import { runKafkaTool } from '../support/kafka-tools-runner.ts'
import { describeWith } from '../support/requires.ts'
import { COMPACTED, type Contents, SharedDirectory, TRANSACTIONS } from '../support/shared-directory.ts'
import { openLogs, storageConfig, TOPIC_ID } from '../support/log-scene.ts'
import { tempFolder } from '../support/temp-folder.ts'
import { producerBatch } from '../support/transactions.ts'

const newPath = tempFolder()

await describeWith(kafkaTools, 'a log directory that Apache Kafka and we use in turn', (tools) => {
  jest.setTimeout(120_000)

  let shared: SharedDirectory
  let before: Contents

  beforeAll(async () => {
    shared = new SharedDirectory(tools, newPath('shared'))
    await shared.startKafka()
    await shared.createTopics()
    await shared.writeByKafka('first')
    await shared.runTransactionsInKafka()
    await shared.compactedByKafka()
    before = await shared.asKafkaSays()
    await shared.endKafka('stop')
  })

  afterAll(async () => {
    await shared.endKafka('kill')
    await shared.close()
  })

  test('what Kafka wrote and closed is the same here', async () => {
    const withSame = before[COMPACTED]!.batches.filter((batch) => batch.includes('same='))
    expect(withSame.length).toBeLessThan(10)
    expect(before[TRANSACTIONS]!.aborted).toHaveLength(2)
    expect(before[TRANSACTIONS]!.producers.some(({ producerEpoch }) => producerEpoch > 0)).toBe(true)
    expect(before[TRANSACTIONS]!.lastStableOffset).toBeLessThan(before[TRANSACTIONS]!.logEndOffset)
    await shared.open()
    expect(shared.asWeSay()).toEqual(before)
  })

  test('what we add to it, kafka-dump-log finds without fault', async () => {
    await shared.writeByUs('second', 900_000)
    before = shared.asWeSay()
    expect(before[TRANSACTIONS]!.aborted).toHaveLength(2)
    await shared.close()
    const files = shared.topics.flatMap((topic) => {
      const directory = shared.partitionDir(topic)
      return readdirSync(directory).map((name) => path.join(directory, name))
    })
    const of = (pattern: RegExp): string => files.filter((name) => pattern.test(name)).join(',')
    const options = { withErrors: true }
    const dump = (...args: string[]): Promise<string> => runKafkaTool(tools, 'kafka-dump-log', args, options)
    const said = await Promise.all([
      dump('--deep-iteration', '--files', of(/\.log$/)),
      dump('--index-sanity-check', '--files', of(/\.(index|timeindex)$/)),
      dump('--verify-index-only', '--files', of(/\.(index|timeindex)$/)),
      dump('--files', of(/\.(txnindex|snapshot)$/)),
    ])
    expect(said.flatMap(complaintsIn)).toEqual([])
    expect(said[1]).toContain('passed sanity check')
    expect(said[3]).toMatch(
      /version: 0 producerId: 900002 firstOffset: \d+ lastOffset: \d+ lastStableOffset: \d+/,
    )
    expect(said[3]).toMatch(/producerId: 900000 producerEpoch: 0 .*lastSequence: 59 /)
  })

  test('and Kafka serves it', async () => {
    await shared.startKafka()
    expect(withoutCompacted(await shared.asKafkaSays(before))).toEqual(withoutCompacted(before))
  })

  test('and judges the sequences of producers as we do', async () => {
    const manager = await openLogs('/logs', new CrashingFiles())
    const log = await manager.create('t', 0, TOPIC_ID, storageConfig.topic(new Map()))
    const shift = before['in-none']!.logEndOffset
    for (const [producerId, epoch, sequence, count] of SEQUENCES) {
      const timestamp = Date.now()
      const values = Array.from({ length: count }, (_, index) => `${sequence}-${index}`)
      const make = (): Buffer => producerBatch(values, { producerId, epoch, sequence, timestamp })
      const ours = await log.appendAsLeader(make(), 0).then(
        ({ baseOffset }) => ({ errorCode: 0, baseOffset: baseOffset + shift }),
        (error: unknown) => ({ errorCode: (error as KafkaError).code, baseOffset: -1 }),
      )
      const { errorCode, baseOffset } = await shared.produceToKafka('in-none', make())
      const at = [producerId, epoch, sequence, count]
      expect({ at, errorCode, baseOffset }).toEqual({ at, ...ours })
    }
    await manager.close()
  })

  test('what Kafka had written when it was killed is the same here', async () => {
    await shared.writeByKafka('third')
    await shared.compactedByKafka()
    before = await shared.asKafkaSays()
    await shared.endKafka('kill')
    await shared.open()
    expect(shared.asWeSay()).toEqual(before)
  })

  test('what we had written when we were killed, Kafka serves', async () => {
    await shared.writeByUs('fourth', 910_000)
    before = shared.asWeSay()
    await shared.crash()
    await shared.startKafka()
    expect(withoutCompacted(await shared.asKafkaSays(before))).toEqual(withoutCompacted(before))
  })
})

const LAST = 2_147_483_647
/** Producer id, epoch, first sequence and number of records of each batch. */
const SEQUENCES = [
  // Repeats of the last five, and of an older one.
  ...[0, 1, 2, 3, 4, 5, 5, 3, 1, 0].map((sequence) => [1_000, 0, sequence, 1] as const),
  // A gap, a step back, the right one, the same with another length.
  [1_000, 0, 7, 1],
  [1_000, 0, 2, 3],
  [1_000, 0, 6, 2],
  [1_000, 0, 6, 3],
  // A new epoch begins with 0, and ends the old one.
  [1_000, 1, 8, 1],
  [1_000, 1, 0, 2],
  [1_000, 0, 8, 1],
  [1_000, 1, 0, 2],
  [1_000, 3, 0, 1],
  [1_000, 2, 0, 1],
  // A producer that is not known may begin anywhere, also around the end of the numbers.
  [1_001, 4, 17, 2],
  [1_001, 4, 19, 1],
  [1_002, 0, LAST - 1, 2],
  [1_002, 0, 0, 1],
  [1_002, 0, LAST - 1, 2],
  [1_003, 0, LAST, 3],
  [1_003, 0, 0, 1],
  [1_003, 0, 2, 1],
  [1_003, 0, LAST, 3],
] as const

/** Kafka compacts on as soon as it runs. */
function withoutCompacted(contents: Contents): Contents {
  return Object.fromEntries(Object.entries(contents).filter(([topic]) => topic !== COMPACTED))
}

function complaintsIn(said: string): string[] {
  const complaint = /isvalid: false|mismatch|^Found|out of order|exception|error|corrupt/i
  return said.split('\n').filter((line) => complaint.test(line))
}
