/**
 * End-to-end latency at a fixed light rate: one record a request, sent when it is due whether or not the one before was
 * answered, and read by a long poll. The official tool, kafka-e2e-latency, sends the next record when the last one has
 * come back and knows whole milliseconds only. From just before the request is written until the answer that holds the
 * record is there. The client is the same for both servers, and so is its own part in the time.
 */
import { Fetch } from '../broker/protocol/apis/fetch.ts'
import { Produce } from '../broker/protocol/apis/produce.ts'
import { errorName } from '../broker/protocol/errors.ts'
import { splitBatches } from '../broker/protocol/record-batch.ts'
import { batchOfTexts } from '../tests/support/records.ts'
import { withTopics } from './topics.ts'
import { TestClient } from '../tests/support/test-client.ts'

const PRODUCE_VERSION = 9
const FETCH_VERSION = 12
const TIMEOUT_MS = 10_000
const POLL_MS = 500
const TICK_MS = 1

export interface LatencyLoad {
  readonly address: string
  /** Of one partition, empty. */
  readonly topic: string
  readonly recordsPerSecond: number
  readonly seconds: number
  readonly recordBytes: number
}

export interface Percentiles {
  readonly p50Ms: number
  readonly p99Ms: number
  readonly p999Ms: number
}

export async function measureLatency(load: LatencyLoad): Promise<Percentiles> {
  await withTopics(load.address, (client) => client.write(load.topic, 0, ['the partition has a leader']))
  const producer = await TestClient.connect(load.address)
  const consumer = await TestClient.connect(load.address)
  const sentMs: number[] = []
  const total = load.recordsPerSecond * load.seconds
  try {
    const [latencies] = await Promise.all([
      receiveAll(consumer, load.topic, total, sentMs),
      sendAll(producer, load, total, sentMs),
      awaitAnswers(producer, total),
    ])
    // The first tenth warms up both sides.
    const counted = latencies.slice(Math.floor(total / 10)).toSorted((a, b) => a - b)
    const at = (part: number): number => counted[Math.floor((counted.length - 1) * part)]!
    return { p50Ms: at(0.5), p99Ms: at(0.99), p999Ms: at(0.999) }
  } finally {
    producer.close()
    consumer.close()
  }
}

/** Sends every record when it is due; `sentMs` gets the time of each. */
function sendAll(client: TestClient, load: LatencyLoad, total: number, sentMs: number[]): Promise<void> {
  const value = 'x'.repeat(load.recordBytes)
  const startedMs = performance.now()
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      const due = Math.min(total, ((performance.now() - startedMs) * load.recordsPerSecond) / 1000)
      while (sentMs.length < due) {
        const records = batchOfTexts([value])
        sentMs.push(performance.now())
        client.send(Produce, PRODUCE_VERSION, {
          acks: -1,
          timeoutMs: TIMEOUT_MS,
          topicData: [{ name: load.topic, partitionData: [{ index: 0, records }] }],
        })
      }
      if (sentMs.length < total) return
      clearInterval(timer)
      resolve()
    }, TICK_MS)
  })
}

async function awaitAnswers(client: TestClient, total: number): Promise<void> {
  for (let correlationId = 1; correlationId <= total; correlationId += 1) {
    const { responses } = await client.receive(Produce, PRODUCE_VERSION, correlationId)
    const code = responses[0]!.partitionResponses[0]!.errorCode
    if (code !== 0) throw new Error(`Produce was answered with ${errorName(code)}`)
  }
}

/** One producer, one partition, one record a batch: after the first, which does not count, they come as they were sent. */
async function receiveAll(
  client: TestClient,
  topic: string,
  total: number,
  sentMs: readonly number[],
): Promise<number[]> {
  const latencies: number[] = []
  while (latencies.length < total) {
    const { responses } = await client.request(Fetch, FETCH_VERSION, {
      maxWaitMs: POLL_MS,
      minBytes: 1,
      topics: [
        {
          topic,
          partitions: [{ partition: 0, fetchOffset: 1 + latencies.length, partitionMaxBytes: 1_000_000 }],
        },
      ],
      forgottenTopicsData: [],
    })
    const nowMs = performance.now()
    const { errorCode, records } = responses[0]!.partitions[0]!
    if (errorCode !== 0) throw new Error(`Fetch was answered with ${errorName(errorCode)}`)
    for (const _batch of splitBatches(records ?? Buffer.alloc(0))) {
      latencies.push(nowMs - sentMs[latencies.length]!)
    }
  }
  return latencies
}
