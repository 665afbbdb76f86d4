/**
 * The seeded fuzzer of everything that decodes what comes from the network: every message of every API, in both
 * directions and all versions, and record batches with their compressed records.
 *
 * A case is one number under a seed, and the same two numbers are the same case. Each is one of three: bytes at random;
 * a valid encoding, damaged; a valid encoding, which must come back as it was. Whatever the bytes, the decoder gives a
 * value or the error that is meant for it, within a second, and what it makes is at most a small factor of the bytes.
 */
import { readdirSync } from 'node:fs'

import { isDeepStrictEqual } from 'node:util'
import { type Codec, CODECS, compress, decompress } from '../../broker/protocol/compression.ts'
import { crc32c } from '../../broker/protocol/crc32c.ts'
import { KafkaError } from '../../broker/protocol/errors.ts'
import { ByteReader, MalformedFrameError } from '../../broker/protocol/reader.ts'
import { splitBatches } from '../../broker/protocol/record-batch.ts'
import { decodeRecords, encodeBatch } from '../../broker/protocol/record-codec.ts'
import type { AnyApi, Fields, Message } from '../../broker/protocol/schema.ts'
import { ByteWriter } from '../../broker/protocol/writer.ts'
import { checkHeader } from '../../broker/storage/append-rules.ts'
import { RecordCheck, recordRules } from '../../broker/storage/record-check.ts'
import { storageConfig } from '../support/log-scene.ts'
import { generateStruct } from './generate.ts'
import { mutate } from './mutate.ts'
import { Random } from './random.ts'

/** Values that a decoder may make of one byte: structs have fields that their version lacks. */
const MAX_VALUES_PER_BYTE = 40
const MAX_CASE_MS = 1000
const MAX_RECORD_BYTES = 1024 * 1024

const protocol = new URL('../../broker/protocol/', import.meta.url)

/** Every message table of the broker. */
export const MESSAGES: readonly Message<Fields>[] = await loadMessages()

async function loadMessages(): Promise<Message<Fields>[]> {
  const files = ['apis', 'records'].flatMap((folder) =>
    readdirSync(new URL(folder, protocol)).map((file) => `${folder}/${file}`),
  )
  const modules = await Promise.all(
    files.map((file) => import(new URL(file, protocol).href) as Promise<Record<string, unknown>>),
  )
  const tables = modules.flatMap((module) => Object.values(module).filter(isTable))
  return tables.flatMap((table) => ('request' in table ? [table.request, table.response] : [table]))
}

function isTable(value: unknown): value is AnyApi | Message<Fields> {
  return typeof value === 'object' && value !== null && ('request' in value || 'decode' in value)
}

export class FuzzFailure extends Error {
  override readonly name = 'FuzzFailure'
}

/** Runs one case; throws FuzzFailure, which says how to run it again. */
export function runCase(seed: number, index: number): void {
  const random = new Random(seed, index)
  const before = process.threadCpuUsage()
  let what = 'a batch'
  try {
    if (random.chance(0.2)) {
      fuzzBatch(random)
    } else {
      const message = random.pick(MESSAGES)
      const version = message.versions.min + random.below(message.versions.max - message.versions.min + 1)
      what = `${message.name} v${version}`
      fuzzMessage(message, version, random)
    }
    // Of this thread: on a machine at work, time goes by without it.
    const { user, system } = process.threadCpuUsage(before)
    const tookMs = (user + system) / 1000
    if (tookMs > MAX_CASE_MS) throw new Error(`it took ${Math.round(tookMs)} ms of the processor`)
  } catch (error) {
    const again = `npm run fuzz -- --seed ${seed} --case ${index}`
    throw new FuzzFailure(`${what}: ${(error as Error).stack}\nagain: ${again}`, { cause: error })
  }
}

function fuzzMessage(message: Message<Fields>, version: number, random: Random): void {
  if (random.chance(0.2)) return decodeHostile(message, version, random.bytes(random.below(200)))
  const value = generateStruct(message.fields, version, random)
  const bytes = encode(message, version, value)
  if (random.chance(0.2)) return checkRoundTrip(message, version, bytes)
  decodeHostile(message, version, mutate(bytes, random))
}

function encode(message: Message<Fields>, version: number, value: Record<string, unknown>): Buffer {
  const writer = new ByteWriter()
  message.encode(version, value, writer)
  return writer.toBuffer()
}

function checkRoundTrip(message: Message<Fields>, version: number, bytes: Buffer): void {
  const reader = new ByteReader(bytes)
  const decoded = message.decode(version, reader) as Record<string, unknown>
  if (reader.remaining !== 0) throw new Error(`${reader.remaining} of its own bytes are left over`)
  const again = encode(message, version, decoded)
  if (!again.equals(bytes)) throw new Error(`${bytes.toString('hex')} comes back as ${again.toString('hex')}`)
  const decodedAgain = message.decode(version, new ByteReader(again))
  if (!isDeepStrictEqual(decodedAgain, decoded)) throw new Error('the same bytes decode to different values')
}

function decodeHostile(message: Message<Fields>, version: number, bytes: Buffer): void {
  let decoded: unknown
  try {
    decoded = message.decode(version, new ByteReader(bytes))
  } catch (error) {
    if (error instanceof MalformedFrameError) return
    throw error
  }
  const values = countValues(decoded)
  const allowed = MAX_VALUES_PER_BYTE * (bytes.length + 1)
  if (values > allowed) throw new Error(`${bytes.length} bytes became ${values} values, more than ${allowed}`)
}

function countValues(value: unknown): number {
  if (Buffer.isBuffer(value) || value === null || typeof value !== 'object') return 1
  return Object.values(value).reduce<number>((sum, part) => sum + countValues(part), 1)
}

const TOPIC = storageConfig.topic(new Map([['cleanup.policy', 'compact']]))
const NOW_MS = 1_700_000_000_000
const RULES = recordRules(TOPIC, NOW_MS)

function fuzzBatch(random: Random): void {
  const codec = random.pick(CODECS)
  const batch = randomBatch(codec, random)
  const damaged = random.chance(0.3) ? damagedInside(batch, codec, random) : mutate(batch, random)
  // Damage that a checksum finds is the easy part: most of the time, it holds.
  if (random.chance(0.8) && damaged.length > 21) damaged.writeUInt32BE(crc32c(damaged.subarray(21)), 17)
  try {
    const view = checkHeader(damaged, 'client', TOPIC)
    const plain = decompress(view.codec ?? 'none', view.recordBytes, MAX_RECORD_BYTES)
    new RecordCheck(view, plain, RULES).advance(Infinity)
  } catch (error) {
    if (!(error instanceof KafkaError)) throw error
  }
  try {
    for (const view of splitBatches(damaged)) decodeRecords(view)
  } catch (error) {
    if (!(error instanceof KafkaError)) throw error
  }
}

function randomBatch(codec: Codec, random: Random): Buffer {
  const records = Array.from({ length: 1 + random.below(5) }, () => ({
    timestamp: NOW_MS + random.below(1000),
    key: random.chance(0.5) ? null : random.bytes(random.below(20)),
    value: random.chance(0.2) ? null : random.bytes(random.below(200)),
    headers: Array.from({ length: random.below(3) }, () => ({
      key: 'h',
      value: random.chance(0.3) ? null : random.bytes(random.below(10)),
    })),
  }))
  return encodeBatch(records, { codec })
}

/** Records damaged before they are compressed: the codec finds nothing wrong. */
function damagedInside(batch: Buffer, codec: Codec, random: Random): Buffer {
  const plain = randomBatch('none', random)
  const damaged = mutate(plain.subarray(61), random)
  const whole = Buffer.concat([batch.subarray(0, 61), compress(codec, damaged)])
  whole.writeInt32BE(whole.length - 12, 8)
  whole.writeInt32BE(plain.readInt32BE(57), 57)
  whole.writeInt32BE(plain.readInt32BE(23), 23)
  return whole
}
