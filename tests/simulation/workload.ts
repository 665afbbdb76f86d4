/** What clients do all the time: an idempotent producer and a consumer for each partition. */
import { Fetch } from '../../broker/protocol/apis/fetch.ts'
import { InitProducerId } from '../../broker/protocol/apis/init-producer-id.ts'
import { Produce } from '../../broker/protocol/apis/produce.ts'
import { errorName } from '../../broker/protocol/errors.ts'
import { splitBatches } from '../../broker/protocol/record-batch.ts'
import { decodeRecords, encodeBatch } from '../../broker/protocol/record-codec.ts'
import type { Client, Leader } from './client.ts'
import type { History } from './history.ts'
import { between } from './random.ts'
import type { Story } from './story.ts'
import type { World } from './world.ts'

export const TOPIC = 'simulated'
const PRODUCE_TIMEOUT_MS = 4_000
const RETRY_MS = 100
const POLL_MS = 300
const MAX_BYTES = 1_000_000
/** Keys are padding: they make segments roll. */
const MAX_KEY_BYTES = 8_000

/** Nothing but trying again, elsewhere or later, is asked of a producer by these. */
const PASSING = new Set([
  'NOT_LEADER_OR_FOLLOWER',
  'UNKNOWN_TOPIC_OR_PARTITION',
  'LEADER_NOT_AVAILABLE',
  'REQUEST_TIMED_OUT',
  'NOT_ENOUGH_REPLICAS',
  'NOT_ENOUGH_REPLICAS_AFTER_APPEND',
  'KAFKA_STORAGE_ERROR',
  'FENCED_LEADER_EPOCH',
  'UNKNOWN_LEADER_EPOCH',
  'OFFSET_NOT_AVAILABLE',
])

export interface WorkloadOptions {
  readonly world: World
  readonly client: Client
  readonly story: Story
  /** By partition. */
  readonly histories: readonly History[]
}

export class Workload {
  readonly #o: WorkloadOptions
  #stopping = false
  #running: Promise<unknown> = Promise.resolve()

  constructor(options: WorkloadOptions) {
    this.#o = options
  }

  start(): void {
    const { histories } = this.#o
    this.#running = Promise.all(
      histories.flatMap((_history, index) => [this.#produce(index), this.#consume(index)]),
    )
  }

  /** Resolves when each producer has had its last record acknowledged. */
  async stop(): Promise<void> {
    this.#stopping = true
    await this.#running
  }

  async #producerId(): Promise<number> {
    for (;;) {
      const leader = await this.#o.client.leaderOf(TOPIC, 0)
      const request = { transactionalId: null, transactionTimeoutMs: 0 }
      const response =
        leader &&
        (await this.#o.client.send(leader.brokerId, InitProducerId, 4, request).catch(() => undefined))
      if (response?.errorCode === 0) return response.producerId
      await this.#o.world.sleep(RETRY_MS)
    }
  }

  async #produce(index: number): Promise<void> {
    const { world } = this.#o
    const producerId = await this.#producerId()
    let sequence = 0
    while (!this.#stopping) {
      const count = 1 + Math.floor(world.random() * 3)
      const values = Array.from({ length: count }, (_unused, at) => `p${index}-${sequence + at}`)
      await this.#deliver(index, values, { producerId, producerEpoch: 0, baseSequence: sequence })
      sequence += count
      await world.sleep(between(world.random, 1, 60))
    }
  }

  /** Sends until it is acknowledged. */
  async #deliver(
    index: number,
    values: readonly string[],
    producer: { producerId: number; producerEpoch: number; baseSequence: number },
  ): Promise<void> {
    const { world, client, story, histories } = this.#o
    const history = histories[index]!
    const timestamp = client.process.clock.now()
    const records = values.map((value) => ({
      timestamp,
      key: Buffer.alloc(Math.floor(world.random() * MAX_KEY_BYTES)),
      value: Buffer.from(value),
    }))
    for (let attempt = 1; ; attempt += 1) {
      const leader = await client.leaderOf(TOPIC, index)
      const answer = leader && (await this.#send(leader, index, encodeBatch(records, producer)))
      if (answer?.error === 'NONE') {
        if (attempt > 1) history.wasResent(answer.baseOffset, values.length)
        return history.acknowledged(values, answer.baseOffset, leader!.brokerId)
      }
      if (answer !== undefined && !PASSING.has(answer.error)) {
        story.violation(`${history.name}: ${answer.error} for ${values.join(', ')}, attempt ${attempt}`)
        return
      }
      await world.sleep(RETRY_MS)
    }
  }

  /** undefined when there was no answer: it may be there or not. */
  async #send(
    leader: Leader,
    index: number,
    records: Buffer,
  ): Promise<{ error: string; baseOffset: number } | undefined> {
    const request = {
      acks: -1,
      timeoutMs: PRODUCE_TIMEOUT_MS - 1_000,
      transactionalId: null,
      topicData: [{ name: TOPIC, partitionData: [{ index, records }] }],
    }
    const response = await this.#o.client
      .send(leader.brokerId, Produce, 9, request, PRODUCE_TIMEOUT_MS)
      .catch(() => undefined)
    const answer = response?.responses[0]?.partitionResponses[0]
    return answer && { error: errorName(answer.errorCode), baseOffset: answer.baseOffset }
  }

  async #consume(index: number): Promise<void> {
    const { world, client, histories, story } = this.#o
    const history = histories[index]!
    let position = 0
    while (!this.#stopping) {
      const leader = await client.leaderOf(TOPIC, index)
      const found = leader && (await fetchFrom(client, leader, index, position))
      if (found === undefined || found.records.size === 0) await world.sleep(RETRY_MS)
      if (found?.error === 'OFFSET_OUT_OF_RANGE') {
        story.violation(
          `${history.name}: a consumer at offset ${position} is out of range at broker ${leader!.brokerId}`,
        )
        return
      }
      for (const [offset, record] of found?.records ?? []) {
        if (offset < position) continue
        if (offset !== position) story.violation(`${history.name}: offset ${offset} follows ${position - 1}`)
        history.read(offset, record.value, record.leaderEpoch)
        position = offset + 1
      }
    }
  }
}

export interface Found {
  readonly error: string
  readonly highWatermark: number
  readonly records: ReadonlyMap<number, { readonly value: string; readonly leaderEpoch: number }>
}

/** Records from `offset` on, as a consumer reads them; undefined when there was no answer. */
export async function fetchFrom(
  client: Client,
  leader: Leader,
  index: number,
  offset: number,
): Promise<Found | undefined> {
  const partition = {
    partition: index,
    currentLeaderEpoch: leader.leaderEpoch,
    fetchOffset: offset,
    partitionMaxBytes: MAX_BYTES,
  }
  const request = {
    maxWaitMs: POLL_MS,
    minBytes: 1,
    topics: [{ topic: TOPIC, partitions: [partition] }],
    forgottenTopicsData: [],
  }
  const response = await client.send(leader.brokerId, Fetch, 12, request).catch(() => undefined)
  const answer = response?.responses[0]?.partitions[0]
  if (answer === undefined) return undefined
  const records = new Map<number, { value: string; leaderEpoch: number }>()
  for (const batch of splitBatches(answer.records ?? Buffer.alloc(0))) {
    for (const record of decodeRecords(batch)) {
      records.set(record.offset, { value: String(record.value), leaderEpoch: batch.leaderEpoch })
    }
  }
  return { error: errorName(answer.errorCode), highWatermark: answer.highWatermark, records }
}
