/** kcat 1.7 on librdkafka 2: what the C, Python, Go and .NET clients on librdkafka send. */
import { jest } from '@jest/globals'

import { kcat } from '../setup/kcat.ts'
import { againstOneAndThreeBrokers } from '../support/compat-target.ts'
import { describeWith } from '../support/requires.ts'
import { runProgram } from '../support/run-program.ts'

/** The fields of kcat's `-J` lines that the tests look at. */
interface Envelope {
  readonly partition: number
  readonly offset: number
  readonly key: string | null
  readonly payload: string
  readonly headers?: readonly string[]
}

const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd']

await describeWith(kcat, 'kcat', ({ path }) => {
  jest.setTimeout(60_000)

  againstOneAndThreeBrokers((target) => {
    const run = (args: readonly string[], input?: string): Promise<string> =>
      runProgram(path, ['-b', target.bootstrap, ...args], input === undefined ? {} : { input })
    const produce = (topic: string, lines: readonly string[], ...options: string[]): Promise<string> =>
      run(
        ['-P', '-t', topic, '-K', ':', '-X', 'acks=all', ...options],
        lines.map((line) => `${line}\n`).join(''),
      )
    const consume = async (topic: string, ...options: string[]): Promise<Envelope[]> =>
      parse(await run(['-C', '-t', topic, '-o', 'beginning', '-e', '-q', '-J', ...options]))
    const consumeInGroup = async (group: string, topic: string, ...options: string[]): Promise<Envelope[]> =>
      parse(await run(['-q', '-J', '-e', '-X', 'auto.offset.reset=earliest', ...options, '-G', group, topic]))

    test('lists every broker', async () => {
      const listed = JSON.parse(await run(['-L', '-J'])) as { brokers: unknown[] }
      expect(listed.brokers).toHaveLength(target.brokers)
    })

    test('writes to a topic that is made on the way, and reads it back in order', async () => {
      const topic = target.topic('kcat-new')
      await produce(topic, ['a:one', 'b:two', 'c:three'], '-p', '0')
      const records = await consume(topic, '-p', '0')
      expect(records.map(({ key, payload, offset }) => [key, payload, offset])).toEqual([
        ['a', 'one', 0],
        ['b', 'two', 1],
        ['c', 'three', 2],
      ])
    })

    test.each(CODECS)('writes with compression %s, keys and headers, and reads the same', async (codec) => {
      const topic = target.topic(`kcat-${codec}`)
      const lines = Array.from(
        { length: 200 },
        (_unused, index) => `key-${index}:value ${index} ${'x'.repeat(100)}`,
      )
      await produce(topic, lines, '-z', codec, '-H', 'trace=abc', '-H', 'source=kcat')
      const records = await consume(topic)
      expect(records.map(({ key, payload }) => `${key}:${payload}`).toSorted()).toEqual(lines.toSorted())
      expect(records[0]!.headers).toEqual(['trace', 'abc', 'source', 'kcat'])
    })

    test('writes idempotently', async () => {
      const topic = target.topic('kcat-idempotent')
      await produce(topic, ['a:1', 'b:2'], '-X', 'enable.idempotence=true')
      expect(await consume(topic)).toHaveLength(2)
    })

    test('asks for offsets by time', async () => {
      const topic = target.topic('kcat-offsets')
      await produce(topic, ['a:1', 'b:2', 'c:3'], '-p', '0')
      expect(await run(['-Q', '-t', `${topic}:0:-1`])).toBe(`${topic} [0] offset 3`)
      expect(await run(['-Q', '-t', `${topic}:0:-2`])).toBe(`${topic} [0] offset 0`)
    })

    test('a group goes on where it stopped', async () => {
      const topic = target.topic('kcat-group')
      await produce(topic, ['a:1', 'b:2', 'c:3'])
      const first = await consumeInGroup(`group-${topic}`, topic)
      expect(first.map(({ payload }) => payload).toSorted()).toEqual(['1', '2', '3'])
      await produce(topic, ['d:4'])
      const second = await consumeInGroup(`group-${topic}`, topic)
      expect(second.map(({ payload }) => payload)).toEqual(['4'])
    })
  })
})

function parse(lines: string): Envelope[] {
  return lines
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Envelope)
}
