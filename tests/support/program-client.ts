/**
 * The same tests for clients in other languages. Each is a small program, `PROGRAM BOOTSTRAP COMMAND ARGUMENT…`:
 *
 *   create TOPIC PARTITIONS REPLICAS   delete TOPIC   topics (prints {"topic"} lines)
 *   produce TOPIC CODEC                records as JSON lines on standard input, acks=all, idempotent
 *   consume TOPIC GROUP COUNT          prints that many records as JSON lines, and commits them
 */
import { againstOneAndThreeBrokers } from './compat-target.ts'
import { runProgram } from './run-program.ts'

const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd']
const TIMEOUT_MS = 60_000

interface TestRecord {
  readonly key: string
  readonly value: string
  readonly headers: Readonly<Record<string, string>>
}

/** `program`: the executable and the arguments that go before all others. */
export function describeProgramClient([executable, ...prefix]: readonly [string, ...string[]]): void {
  againstOneAndThreeBrokers((target) => {
    const run = async <T>(args: readonly string[], input?: readonly TestRecord[]): Promise<T[]> => {
      const lines = input?.map((record) => `${JSON.stringify(record)}\n`).join('')
      const options = lines === undefined ? {} : { input: lines }
      const printed = await runProgram(executable, [...prefix, target.bootstrap, ...args], options)
      return printed.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line) as T]))
    }
    const create = async (what: string, partitions: number): Promise<string> => {
      const topic = target.topic(what)
      await run(['create', topic, String(partitions), String(target.brokers)])
      return topic
    }
    const topics = async (): Promise<string[]> =>
      (await run<{ topic: string }>(['topics'])).map(({ topic }) => topic)

    test(
      'creates, lists and deletes a topic',
      async () => {
        const topic = await create('program-topic', 3)
        expect(await topics()).toContain(topic)
        await run(['delete', topic])
        expect(await topics()).not.toContain(topic)
      },
      TIMEOUT_MS,
    )

    test(
      'writes with each compression, keys and headers, and a group reads the same',
      async () => {
        const topic = await create('program-records', 3)
        const written = CODECS.map((codec) =>
          Array.from({ length: 100 }, (_unused, index) => ({
            key: `${codec}-${index}`,
            value: `value ${index} ${'x'.repeat(100)}`,
            headers: { codec, trace: `trace-${index}` },
          })),
        )
        for (const [index, codec] of CODECS.entries()) await run(['produce', topic, codec], written[index])
        const total = String(written.flat().length)
        const read = await run<TestRecord>(['consume', topic, `group-${topic}`, total])
        expect(byKey(read)).toEqual(byKey(written.flat()))
      },
      TIMEOUT_MS,
    )

    test(
      'a group goes on where it stopped',
      async () => {
        const topic = await create('program-group', 2)
        const record = (value: string): TestRecord => ({ key: value, value, headers: {} })
        await run(['produce', topic, 'none'], ['1', '2', '3'].map(record))
        const first = await run<TestRecord>(['consume', topic, `group-${topic}`, '3'])
        expect(first.map(({ value }) => value).toSorted()).toEqual(['1', '2', '3'])
        await run(['produce', topic, 'none'], [record('4')])
        const second = await run<TestRecord>(['consume', topic, `group-${topic}`, '1'])
        expect(second.map(({ value }) => value)).toEqual(['4'])
      },
      TIMEOUT_MS,
    )
  })
}

function byKey(records: readonly TestRecord[]): TestRecord[] {
  return records.toSorted((a, b) => (a.key < b.key ? -1 : 1))
}
