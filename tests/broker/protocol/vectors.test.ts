/** Every message table against bytes that Apache Kafka's own classes wrote (tests/fixtures). */
import { readFileSync, readdirSync } from 'node:fs'
import { ByteReader } from '../../../broker/protocol/reader.ts'
import { type AnyApi, type Fields, type Message } from '../../../broker/protocol/schema.ts'
import { ByteWriter } from '../../../broker/protocol/writer.ts'

interface Vector {
  message: string
  version: number
  json: unknown
  hex: string
}

const root = new URL('../../../broker/protocol/', import.meta.url)
const messages = new Map<string, Message<Fields>>()
for (const folder of ['apis', 'records']) {
  for (const file of readdirSync(new URL(folder, root))) {
    const module = (await import(new URL(`${folder}/${file}`, root).href)) as Record<
      string,
      AnyApi | Message<Fields>
    >
    for (const table of Object.values(module)) {
      for (const message of 'request' in table ? [table.request, table.response] : [table]) {
        messages.set(message.name, message)
      }
    }
  }
}

const vectors = readFileSync(new URL('../../fixtures/protocol-vectors.jsonl', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Vector)
const served = vectors.filter(({ message, version }) => {
  const table = messages.get(message)
  return table !== undefined && version >= table.versions.min && version <= table.versions.max
})

/** Buffers as the vectors write them, fields that the vector does not mention left out. */
function asVector(value: unknown, like: unknown): unknown {
  if (Buffer.isBuffer(value)) return value.toString('base64')
  if (Array.isArray(value) && Array.isArray(like))
    return value.map((item, index) => asVector(item, like[index]))
  if (value !== null && typeof value === 'object' && like !== null && typeof like === 'object') {
    const struct = value as Record<string, unknown>
    return Object.fromEntries(
      Object.entries(like).map(([name, part]) => [name, asVector(struct[name], part)]),
    )
  }
  return value
}

describe('message tables', () => {
  test('there is a vector for both directions of every API in every version served', () => {
    const covered = new Set(served.map(({ message, version }) => `${message} v${version}`))
    const missing = [...messages.values()].flatMap(({ name, versions }) =>
      Array.from(
        { length: versions.max - versions.min + 1 },
        (_, index) => `${name} v${versions.min + index}`,
      ).filter((label) => !covered.has(label)),
    )
    expect(missing).toEqual([])
  })

  test.each(served.map((vector) => [`${vector.message} v${vector.version}`, vector] as const))(
    '%s decodes to what Apache Kafka encoded, and encodes to the same bytes',
    (_label, { message, version, json, hex }) => {
      const table = messages.get(message)!
      const reader = new ByteReader(Buffer.from(hex, 'hex'))
      const decoded = table.decode(version, reader)
      expect(reader.remaining).toBe(0)
      expect(asVector(decoded, json)).toEqual(json)
      const writer = new ByteWriter()
      table.encode(version, decoded, writer)
      expect(writer.toBuffer().toString('hex')).toBe(hex)
    },
  )

  test.each(served.map((vector) => [`${vector.message} v${vector.version}`, vector] as const))(
    '%s cut short anywhere is refused as malformed',
    (_label, { message, version, hex }) => {
      const table = messages.get(message)!
      const bytes = Buffer.from(hex, 'hex')
      for (let length = 0; length < bytes.length; length += 1) {
        expect(() => table.decode(version, new ByteReader(bytes.subarray(0, length)))).toThrow(
          expect.objectContaining({ name: 'MalformedFrameError' }),
        )
      }
    },
  )
})
