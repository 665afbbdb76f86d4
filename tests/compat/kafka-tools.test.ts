/** Apache Kafka's own tools, so the Java clients: kafka-topics, the console producer and the console consumer. */
import { writeFileSync } from 'node:fs'
import { jest } from '@jest/globals'

import { kafkaTools } from '../setup/kafka-tools.ts'
import { againstOneAndThreeBrokers } from '../support/compat-target.ts'
import { runKafkaTool } from '../support/kafka-tools-runner.ts'
import type { KafkaTool } from '../support/kafka-tools-runner.ts'
import { describeWith } from '../support/requires.ts'
import { tempFolder } from '../support/temp-folder.ts'

const newPath = tempFolder()

const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd']

await describeWith(kafkaTools, "Kafka's own tools", (tools) => {
  jest.setTimeout(90_000)

  againstOneAndThreeBrokers((target) => {
    const run = (tool: KafkaTool, args: readonly string[], input?: string): Promise<string> =>
      runKafkaTool(
        tools,
        tool,
        ['--bootstrap-server', target.bootstrap, ...args],
        input === undefined ? {} : { input },
      )
    const create = async (what: string, ...options: string[]): Promise<string> => {
      const topic = target.topic(what)
      const replicas = String(target.brokers)
      const said = await run('kafka-topics', [
        '--create',
        '--topic',
        topic,
        '--replication-factor',
        replicas,
        ...options,
      ])
      expect(said).toContain(`Created topic ${topic}.`)
      return topic
    }
    const produce = (topic: string, lines: readonly string[], ...options: string[]): Promise<string> =>
      run(
        'kafka-console-producer',
        [
          '--topic',
          topic,
          '--reader-property',
          'parse.key=true',
          '--reader-property',
          'key.separator=:',
          ...options,
        ],
        lines.map((line) => `${line}\n`).join(''),
      )
    const consume = async (topic: string, count: number, ...options: string[]): Promise<string[]> => {
      const how = ['--from-beginning', '--max-messages', String(count), '--timeout-ms', '20000']
      const form = ['--formatter-property', 'print.key=true', '--formatter-property', 'key.separator=:']
      const said = await run('kafka-console-consumer', ['--topic', topic, ...how, ...form, ...options])
      return said.split('\n').filter((line) => line !== '')
    }

    test('creates, lists, describes and deletes a topic', async () => {
      const topic = await create('tools-topic', '--partitions', '3', '--config', 'retention.ms=7200000')
      expect((await run('kafka-topics', ['--list'])).split('\n')).toContain(topic)
      const described = await run('kafka-topics', ['--describe', '--topic', topic])
      expect(described).toMatch(
        new RegExp(`PartitionCount: 3\\s+ReplicationFactor: ${target.brokers}\\s.*retention.ms=7200000`),
      )
      expect(described.match(/Leader: \d/g)).toHaveLength(3)
      await run('kafka-topics', ['--delete', '--topic', topic])
      expect((await run('kafka-topics', ['--list'])).split('\n')).not.toContain(topic)
    })

    test('is told why a topic cannot be created', async () => {
      const topic = await create('tools-twice')
      await expect(run('kafka-topics', ['--create', '--topic', topic])).rejects.toThrow('already exists')
      await expect(
        run('kafka-topics', ['--create', '--topic', target.topic('tools-wide'), '--replication-factor', '9']),
      ).rejects.toThrow(/replication factor/i)
    })

    test.each(CODECS)('writes with compression %s and keys, and reads the same', async (codec) => {
      const topic = await create(`tools-${codec}`, '--partitions', '2')
      const lines = Array.from(
        { length: 100 },
        (_unused, index) => `key-${index}:value ${index} ${'x'.repeat(100)}`,
      )
      await produce(topic, lines, '--compression-codec', codec)
      expect((await consume(topic, 100)).toSorted()).toEqual(lines.toSorted())
    })

    test('writes headers and reads them', async () => {
      const topic = await create('tools-headers')
      await run(
        'kafka-console-producer',
        ['--topic', topic, '--reader-property', 'parse.headers=true', '--reader-property', 'parse.key=true'],
        'trace:abc,source:console\tkey\tvalue\n',
      )
      const records = await consume(topic, 1, '--formatter-property', 'print.headers=true')
      expect(records).toEqual(['trace:abc,source:console:key:value'])
    })

    test('a group goes on where it stopped', async () => {
      const topic = await create('tools-group', '--partitions', '2')
      await produce(topic, ['a:1', 'b:2', 'c:3'])
      const first = await consume(topic, 3, '--group', `group-${topic}`)
      expect(first.toSorted()).toEqual(['a:1', 'b:2', 'c:3'])
      await produce(topic, ['d:4'])
      expect(await consume(topic, 1, '--group', `group-${topic}`)).toEqual(['d:4'])
    })

    test('deletes records, and asks for offsets by every kind of time', async () => {
      const topic = await create('tools-offsets', '--partitions', '1')
      await produce(topic, ['a:1', 'b:2', 'c:3', 'd:4'])
      const file = newPath('offsets.json')
      writeFileSync(file, JSON.stringify({ partitions: [{ topic, partition: 0, offset: 2 }], version: 1 }))
      const deleted = await run('kafka-delete-records', ['--offset-json-file', file])
      expect(deleted).toContain(`partition: ${topic}-0\tlow_watermark: 2`)
      const times = { earliest: 2, latest: 4, 'earliest-local': 2, '0': 2 }
      // With three brokers only the leader's answer is of interest, which is the same for every time.
      for (const [time, offset] of Object.entries(times).slice(0, target.brokers === 1 ? undefined : 1)) {
        const said = await run('kafka-get-offsets', ['--topic', topic, '--time', time])
        expect([time, said.trim()]).toEqual([time, `${topic}:0:${offset}`])
      }
    })

    test('sees where the partitions lie, and how large they are', async () => {
      const topic = await create('log-dirs', '--partitions', '2')
      await produce(topic, ['key:value'])
      const said = await run('kafka-log-dirs', ['--describe', '--topic-list', topic])
      interface Told {
        error: string | null
        partitions: { partition: string; size: number; offsetLag: number; isFuture: boolean }[]
      }
      const { brokers } = JSON.parse(said.trim().split('\n').at(-1)!) as { brokers: { logDirs: Told[] }[] }
      expect(brokers).toHaveLength(target.brokers)
      for (const { logDirs } of brokers) {
        expect(logDirs.map(({ error }) => error)).toEqual(logDirs.map(() => null))
        const partitions = logDirs.flatMap((told) => told.partitions)
        expect(partitions.map(({ partition }) => partition).toSorted()).toEqual([`${topic}-0`, `${topic}-1`])
        expect(partitions.map(({ size }) => size > 0).toSorted((a, b) => Number(a) - Number(b))).toEqual([
          false,
          true,
        ])
        expect(partitions.filter(({ offsetLag, isFuture }) => offsetLag !== 0 || isFuture)).toEqual([])
      }
    })

    test('asks for the versions of every API', async () => {
      const said = await run('kafka-broker-api-versions', [])
      expect(said.match(/\(id: \d+ /g)).toHaveLength(target.brokers)
      expect(said.match(/Produce\(0\): .*\[usable: \d+\]/g)).toHaveLength(target.brokers)
    })
  })
})
