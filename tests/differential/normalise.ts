/**
 * A decoded answer in a form that two brokers can agree on: error codes by name, batches by their records, arrays of
 * structs as objects by what identifies each (their order means nothing), and a word in the place of what must differ:
 * ids, ports, the time, texts for people.
 */
import { errorName } from '../../broker/protocol/errors.ts'
import { splitBatches } from '../../broker/protocol/record-batch.ts'
import { decodeRecords } from '../../broker/protocol/record-codec.ts'
import { ZERO_UUID } from '../../broker/protocol/schema.ts'
import type { Scene } from './scene.ts'

/** Times from here on were taken from a clock during the run; those in the cases lie before. */
const RUN_BEGINS_MS = Date.now() - 60_000
const GENERATED_ID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|^[A-Za-z0-9_-]{22}$/

type Rule = (value: unknown, scene: Scene) => unknown

const text: Rule = () => '(text)'
const time: Rule = (value) => (typeof value === 'number' && value >= RUN_BEGINS_MS ? '(now)' : value)
const given: Rule = (value) => (typeof value === 'number' && value > 0 ? '(given)' : value)
const errorByName: Rule = (value) => errorName(value as number)
const generated: Rule = (value) =>
  typeof value === 'string' && GENERATED_ID.test(value) ? '(generated)' : value

/** By the name of the field. */
const RULES: Readonly<Record<string, Rule>> = {
  errorCode: errorByName,
  topicConfigErrorCode: errorByName,
  errorMessage: text,
  batchIndexErrorMessage: text,
  documentation: text,
  clusterId: text,
  port: given,
  sessionId: given,
  producerId: (value) => (typeof value === 'number' && value >= 0 ? '(given)' : value),
  memberId: generated,
  leader: generated,
  topicId: (value, scene) => (value === ZERO_UUID ? null : `(id of ${scene.topicName(value as string)})`),
  logDir: text,
  totalBytes: given,
  usableBytes: given,
  timestamp: time,
  logAppendTimeMs: time,
  lastTimestamp: time,
}

/** What tells the elements of an array of structs apart, the first that is there. */
const IDENTITY = [
  'resourceName',
  'apiKey',
  'groupId',
  'partitionIndex',
  'partition',
  'index',
  'name',
  'topic',
  'topicName',
  'topicId',
  'key',
  'nodeId',
  'brokerId',
  'memberId',
]

export function normalise(value: unknown, scene: Scene, field = ''): unknown {
  if (field === 'records') return normaliseRecords(value as Buffer | null)
  const rule = RULES[field]
  if (rule !== undefined && !isStruct(value)) return rule(value, scene)
  if (Buffer.isBuffer(value)) return value.toString('hex')
  if (Array.isArray(value)) return normaliseArray(value, scene)
  if (!isStruct(value)) return value
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, normalise(part, scene, name)]))
}

function isStruct(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !Buffer.isBuffer(value)
}

function normaliseArray(items: readonly unknown[], scene: Scene): unknown {
  if (items.length === 0) return []
  if (!items.every(isStruct))
    return items.map((item) => JSON.stringify(normalise(item, scene))).toSorted((a, b) => (a < b ? -1 : 1))
  const keyed: Record<string, unknown> = {}
  const structs = items.map((item) => normalise(item, scene) as Record<string, unknown>)
  for (const struct of structs.toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))) {
    const name = identityOf(struct)
    let key = name
    for (let count = 2; key in keyed; count += 1) key = `${name} (${count})`
    keyed[key] = struct
  }
  return keyed
}

function identityOf(struct: Record<string, unknown>): string {
  const field = IDENTITY.find((name) => struct[name] !== undefined && struct[name] !== null)
  const value = field === undefined ? 'item' : struct[field]
  const shown = typeof value === 'string' && value.length > 60 ? `${value.slice(0, 60)}…` : String(value)
  return shown === '' && typeof struct['topicId'] === 'string' ? struct['topicId'] : shown
}

function normaliseRecords(bytes: Buffer | null): unknown {
  if (bytes === null) return null
  return splitBatches(bytes).map((batch) => ({
    baseOffset: batch.baseOffset,
    lastOffset: batch.lastOffset,
    codec: batch.codec,
    timestampType: batch.timestampType,
    isTransactional: batch.isTransactional,
    isControl: batch.isControl,
    isIdempotent: batch.producerId >= 0,
    baseSequence: batch.baseSequence,
    records: decodeRecords(batch).map(({ offset, timestamp, key, value, headers }) => ({
      offset,
      timestamp: timestamp >= RUN_BEGINS_MS ? '(now)' : timestamp,
      key: key?.toString() ?? null,
      value: value?.toString() ?? null,
      headers: headers.map((header) => `${header.key}=${header.value?.toString() ?? 'null'}`),
    })),
  }))
}
