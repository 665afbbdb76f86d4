/** All that can be asked of a partition, from a broker by its protocol and from a log that is open here, to compare. */
import { DescribeProducers } from '../../broker/protocol/apis/describe-producers.ts'
import { Fetch } from '../../broker/protocol/apis/fetch.ts'
import { ListOffsets } from '../../broker/protocol/apis/list-offsets.ts'
import { splitBatches } from '../../broker/protocol/record-batch.ts'
import { decodeRecords } from '../../broker/protocol/record-codec.ts'
import type { ActiveProducer } from '../../broker/storage/producer-state.ts'
import type { PartitionLog } from '../../broker/storage/partition-log.ts'
import type { TestClient } from './test-client.ts'

const READ_COMMITTED = 1
const MAX_BYTES = 10_000_000

/** What DescribeProducers tells. */
type Producer = Omit<ActiveProducer, 'lastOffset'>

export interface PartitionContents {
  /** Batch after batch, as they lie in the log. */
  readonly batches: readonly string[]
  readonly logStartOffset: number
  readonly logEndOffset: number
  readonly lastStableOffset: number
  readonly aborted: readonly { producerId: number; firstOffset: number }[]
  /** By producer id. */
  readonly producers: readonly Producer[]
  /** The offset that each of a few timestamps leads to. */
  readonly offsetsByTime: readonly (readonly [number, number])[]
}

/** What a broker tells of partition 0 of the topic, which it must lead. */
export async function contentsAt(client: TestClient, topic: string): Promise<PartitionContents> {
  const logStartOffset = (await fetchFrom(client, topic, 0, 0)).logStartOffset
  const all = await fetchAll(client, topic, logStartOffset, 0)
  const committed = await fetchAll(client, topic, logStartOffset, READ_COMMITTED)
  const { topics } = await client.request(DescribeProducers, 0, {
    topics: [{ name: topic, partitionIndexes: [0] }],
  })
  const producers = topics[0]!.partitions[0]!.activeProducers
  const times = timesIn(all.records)
  const offsetsByTime: [number, number][] = []
  for (const time of times) offsetsByTime.push([time, await offsetAt(client, topic, time)])
  return {
    batches: described(all.records),
    logStartOffset,
    logEndOffset: all.highWatermark,
    lastStableOffset: all.lastStableOffset,
    aborted: sortedAborted(committed.aborted),
    producers: sortedProducers(producers),
    offsetsByTime,
  }
}

/** The same of a log that is open here, everything in it taken as replicated. */
export function contentsOf(log: PartitionLog): PartitionContents {
  log.updateHighWatermark(log.logEndOffset)
  const { logStartOffset, logEndOffset, lastStableOffset } = log
  const parts: Buffer[] = []
  for (let offset = logStartOffset; offset < logEndOffset;) {
    const { records } = log.read(offset, MAX_BYTES, { upTo: logEndOffset, minOneBatch: true })
    if (records.length === 0) break
    parts.push(records)
    offset = splitBatches(records).at(-1)!.lastOffset + 1
  }
  const records = Buffer.concat(parts)
  const aborted = log.abortedTransactions(logStartOffset, lastStableOffset)
  return {
    batches: described(records),
    logStartOffset,
    logEndOffset,
    lastStableOffset,
    aborted: sortedAborted(aborted.map(({ producerId, firstOffset }) => ({ producerId, firstOffset }))),
    producers: sortedProducers(log.activeProducers()),
    offsetsByTime: timesIn(records).map((time) => [
      time,
      log.offsetForTimestamp(time, logEndOffset)?.offset ?? -1,
    ]),
  }
}

interface Fetched {
  readonly records: Buffer
  readonly highWatermark: number
  readonly lastStableOffset: number
  readonly logStartOffset: number
  readonly aborted: { producerId: number; firstOffset: number }[]
}

async function fetchFrom(
  client: TestClient,
  topic: string,
  fetchOffset: number,
  isolationLevel: number,
): Promise<Fetched> {
  const partitions = [{ partition: 0, fetchOffset, partitionMaxBytes: MAX_BYTES }]
  const { responses } = await client.request(Fetch, 12, {
    maxWaitMs: 0,
    minBytes: 0,
    isolationLevel,
    topics: [{ topic, partitions }],
  })
  const partition = responses[0]!.partitions[0]!
  const outOfRange = partition.errorCode === 1
  if (partition.errorCode !== 0 && !outOfRange) {
    throw new Error(`${topic}: fetch from ${fetchOffset} answered with error ${partition.errorCode}`)
  }
  if (outOfRange) {
    const earliest = await offsetAt(client, topic, -2)
    return fetchFrom(client, topic, earliest, isolationLevel)
  }
  const { records, highWatermark, lastStableOffset, logStartOffset, abortedTransactions } = partition
  const parts = records === null ? [] : [records].flat()
  return {
    records: Buffer.concat(parts),
    highWatermark,
    lastStableOffset,
    logStartOffset,
    aborted: [...(abortedTransactions ?? [])],
  }
}

async function fetchAll(
  client: TestClient,
  topic: string,
  from: number,
  isolationLevel: number,
): Promise<Fetched> {
  const parts: Buffer[] = []
  const aborted = new Map<string, { producerId: number; firstOffset: number }>()
  let offset = from
  for (;;) {
    const fetched = await fetchFrom(client, topic, offset, isolationLevel)
    for (const entry of fetched.aborted) aborted.set(`${entry.producerId} ${entry.firstOffset}`, entry)
    const batches = splitBatches(fetched.records)
    const last = batches.at(-1)
    if (last === undefined)
      return { ...fetched, records: Buffer.concat(parts), aborted: [...aborted.values()] }
    const fresh = batches.filter((batch) => batch.baseOffset >= offset)
    parts.push(...fresh.map(({ bytes }) => bytes))
    offset = last.lastOffset + 1
  }
}

async function offsetAt(client: TestClient, topic: string, timestamp: number): Promise<number> {
  const partitions = [{ partitionIndex: 0, timestamp }]
  const { topics } = await client.request(ListOffsets, 5, {
    replicaId: -1,
    topics: [{ name: topic, partitions }],
  })
  return topics[0]!.partitions[0]!.offset
}

/** A few timestamps that occur in these batches, and one after them all. */
function timesIn(records: Buffer): number[] {
  const times = splitBatches(records)
    .filter(({ isControl }) => !isControl)
    .flatMap((batch) => decodeRecords(batch).map(({ timestamp }) => timestamp))
  const few = times.filter((_, index) => index % Math.ceil(times.length / 5) === 0)
  return [...few, Math.max(0, ...times) + 1]
}

/** Header, size and checksum of each batch, and what its records say: equal when the bytes are. */
function described(records: Buffer): string[] {
  return splitBatches(records).map((batch) => {
    const texts = batch.isControl
      ? ['control']
      : decodeRecords(batch).map(({ key, value }) => `${String(key)}=${String(value)}`.slice(0, 30))
    const header = [
      batch.baseOffset,
      batch.lastOffset,
      batch.leaderEpoch,
      batch.codec,
      batch.attributes,
      batch.sizeBytes,
      batch.crc,
      batch.producerId,
      batch.producerEpoch,
      batch.baseSequence,
    ]
    return [...header, ...texts].join(' ')
  })
}

function sortedAborted<T extends { producerId: number; firstOffset: number }>(aborted: readonly T[]): T[] {
  return aborted.toSorted((a, b) => a.firstOffset - b.firstOffset)
}

function sortedProducers(producers: readonly Producer[]): Producer[] {
  return producers
    .map(
      ({
        producerId,
        producerEpoch,
        lastSequence,
        lastTimestamp,
        coordinatorEpoch,
        currentTxnStartOffset,
      }) => ({
        producerId,
        producerEpoch,
        lastSequence,
        lastTimestamp,
        coordinatorEpoch,
        currentTxnStartOffset,
      }),
    )
    .sort((a, b) => a.producerId - b.producerId)
}
