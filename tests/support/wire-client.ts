/**
 * Talks to brokers in their own protocol, one request at a time, so that a test can look at exactly what a broker
 * answers. It finds leaders by Metadata and retries nothing but that.
 */
import { Peer } from '../../broker/network/peer.ts'
import { CreateTopics } from '../../broker/protocol/apis/create-topics.ts'
import { DeleteTopics } from '../../broker/protocol/apis/delete-topics.ts'
import { Fetch } from '../../broker/protocol/apis/fetch.ts'
import { Metadata } from '../../broker/protocol/apis/metadata.ts'
import { Produce } from '../../broker/protocol/apis/produce.ts'
import { errorName } from '../../broker/protocol/errors.ts'
import { splitBatches } from '../../broker/protocol/record-batch.ts'
import { decodeRecords } from '../../broker/protocol/record-codec.ts'
import type { AnyApi, DecodedResponse, RequestToSend } from '../../broker/protocol/schema.ts'
import { systemClock } from '../../broker/runtime/clock.ts'
import { batchOfTexts } from './records.ts'
import { waitUntil } from './wait-until.ts'

const TIMEOUT_MS = 5000
/** Nothing was appended: the leader is another one, or does not know yet that it is. */
const MOVED: ReadonlySet<string> = new Set(['NOT_LEADER_OR_FOLLOWER', 'UNKNOWN_TOPIC_OR_PARTITION'])

export interface PartitionView {
  readonly leader: number
  readonly leaderEpoch: number
  readonly isr: readonly number[]
}

export class WireClient {
  /** Whoever did not answer goes to the end. */
  #bootstrap: readonly string[]
  readonly #peers = new Map<string, Peer>()

  /** `bootstrap`: "host:port" of every broker. */
  constructor(bootstrap: readonly string[]) {
    this.#bootstrap = bootstrap
  }

  #peer(address: string): Peer {
    let peer = this.#peers.get(address)
    if (peer === undefined) {
      const [host, port] = address.split(':')
      peer = new Peer({
        host: host!,
        port: Number(port),
        clientId: 'wire-client',
        maxFrameBytes: 100_000_000,
        clock: systemClock,
      })
      this.#peers.set(address, peer)
    }
    return peer
  }

  /** Sends to the broker at `address`. */
  send<A extends AnyApi>(
    address: string,
    api: A,
    version: number,
    request: RequestToSend<A>,
  ): Promise<DecodedResponse<A>> {
    return this.#peer(address).request(api, version, request, TIMEOUT_MS)
  }

  /** Sends to the first broker that answers. */
  async sendToAny<A extends AnyApi>(
    api: A,
    version: number,
    request: RequestToSend<A>,
  ): Promise<DecodedResponse<A>> {
    let failure: unknown
    for (const address of this.#bootstrap) {
      try {
        return await this.send(address, api, version, request)
      } catch (error) {
        failure = error
        this.#bootstrap = [...this.#bootstrap.filter((other) => other !== address), address]
      }
    }
    throw failure
  }

  async createTopic(
    name: string,
    o: { partitions?: number; replicationFactor?: number; configs?: Record<string, string> } = {},
  ): Promise<void> {
    const configs = Object.entries(o.configs ?? {}).map(([key, value]) => ({ name: key, value }))
    const { partitions = 1, replicationFactor = 3 } = o
    const response = await this.sendToAny(CreateTopics, 7, {
      topics: [{ name, numPartitions: partitions, replicationFactor, assignments: [], configs }],
    })
    const { errorCode, errorMessage } = response.topics[0]!
    if (errorCode !== 0) throw new Error(`${name}: ${errorName(errorCode)}: ${errorMessage}`)
  }

  async deleteTopic(name: string): Promise<void> {
    const response = await this.sendToAny(DeleteTopics, 5, { topicNames: [name], timeoutMs: TIMEOUT_MS })
    const { errorCode } = response.responses[0]!
    if (errorCode !== 0) throw new Error(`${name}: ${errorName(errorCode)}`)
  }

  /** The partitions of a topic as `address`, or the first broker that answers, knows them; empty for no such topic. */
  async partitions(topic: string, address?: string): Promise<PartitionView[]> {
    const request = { topics: [{ name: topic }], allowAutoTopicCreation: false }
    const response =
      address === undefined
        ? await this.sendToAny(Metadata, 12, request)
        : await this.send(address, Metadata, 12, request)
    return (response.topics[0]?.partitions ?? [])
      .toSorted((a, b) => a.partitionIndex - b.partitionIndex)
      .map(({ leaderId, leaderEpoch, isrNodes }) => ({ leader: leaderId, leaderEpoch, isr: isrNodes }))
  }

  /** Waits until every partition of the topic is led and has `size` replicas in sync. */
  async waitForIsr(topic: string, size: number, timeoutMs = 20_000): Promise<void> {
    let last: PartitionView[] = []
    await waitUntil(
      async () => {
        last = await this.partitions(topic).catch(() => [])
        return last.length > 0 && last.every(({ leader, isr }) => leader >= 0 && isr.length === size)
      },
      `${topic} has ${size} replicas in sync`,
      timeoutMs,
    ).catch((error: unknown) => {
      throw new Error(`${String(error)}; it has ${JSON.stringify(last)}`)
    })
  }

  /** Waits until every one of these brokers knows them and no others. */
  async waitForBrokers(addresses: readonly string[]): Promise<void> {
    const known = async (address: string): Promise<string[]> => {
      const { brokers } = await this.send(address, Metadata, 12, { topics: [] })
      return brokers.map(({ host, port }) => `${host}:${port}`)
    }
    await waitUntil(async () => {
      const views = await Promise.all(addresses.map((address) => known(address)))
      return views.every((view) => view.toSorted().join() === addresses.toSorted().join())
    }, `${addresses.length} brokers know each other`)
  }

  async #leaderAddress(topic: string, index: number): Promise<string> {
    const metadata = await this.sendToAny(Metadata, 12, {
      topics: [{ name: topic }],
      allowAutoTopicCreation: false,
    })
    const partition = metadata.topics[0]?.partitions.find(({ partitionIndex }) => partitionIndex === index)
    const broker = metadata.brokers.find(({ nodeId }) => nodeId === partition?.leaderId)
    if (broker === undefined) throw new Error(`${topic}-${index} has no leader`)
    return `${broker.host}:${broker.port}`
  }

  /** Appends one batch of these values at the leader; the name of the error, or NONE. */
  async produce(
    topic: string,
    index: number,
    values: readonly string[],
    o: { acks?: number; timeoutMs?: number } = {},
  ): Promise<string> {
    return this.produceTo(await this.#leaderAddress(topic, index), topic, index, values, o)
  }

  /** The same with acks=all, and again while the leader is not found or not ready; rejects otherwise. */
  async write(topic: string, index: number, values: readonly string[]): Promise<void> {
    let error = ''
    await waitUntil(async () => {
      error = await this.produce(topic, index, values).catch(String)
      return !MOVED.has(error)
    }, `${topic}-${index} has a leader`)
    if (error !== 'NONE') throw new Error(`${topic}-${index}: ${error}`)
  }

  /** The same at the broker at `address`, whoever leads. */
  async produceTo(
    address: string,
    topic: string,
    index: number,
    values: readonly string[],
    o: { acks?: number; timeoutMs?: number } = {},
  ): Promise<string> {
    const records = batchOfTexts(values)
    const response = await this.send(address, Produce, 9, {
      acks: o.acks ?? -1,
      timeoutMs: o.timeoutMs ?? TIMEOUT_MS,
      topicData: [{ name: topic, partitionData: [{ index, records }] }],
    })
    return errorName(response.responses[0]!.partitionResponses[0]!.errorCode)
  }

  /** Every value of the partition below the leader's high watermark, in order. */
  async readAll(topic: string, index: number): Promise<string[]> {
    const address = await this.#leaderAddress(topic, index)
    const values: string[] = []
    for (let offset = 0; ;) {
      const response = await this.send(address, Fetch, 12, {
        maxWaitMs: 0,
        minBytes: 1,
        topics: [
          {
            topic,
            partitions: [{ partition: index, fetchOffset: offset, partitionMaxBytes: 10_000_000 }],
          },
        ],
        forgottenTopicsData: [],
      })
      const { errorCode, highWatermark, records } = response.responses[0]!.partitions[0]!
      if (errorCode !== 0) throw new Error(`${topic}-${index} at ${offset}: ${errorName(errorCode)}`)
      for (const batch of splitBatches(records ?? Buffer.alloc(0))) {
        for (const record of decodeRecords(batch)) values.push(record.value?.toString() ?? '')
        offset = batch.lastOffset + 1
      }
      if (offset >= highWatermark) return values
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#peers.values()].map((peer) => peer.close()))
  }
}
