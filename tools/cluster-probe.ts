/**
 * Does the cluster take and give back records? Proved with a record through every broker: a topic is made with one
 * partition led by each of them, with up to three replicas; a record is written there with acks=all and read back
 * from that same broker; the topic is deleted. A topic of its own for each run, since the leaders of one that stays
 * would be wherever the last failure has put them. Works against any Kafka.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'

import { Admin, Consumer, Producer, stringSerializers } from '@platformatic/kafka'
import type { ClusterMetadata, ClusterPartitionMetadata } from '@platformatic/kafka'

import { explain } from './client-errors.ts'
import { DeadlineError, withDeadline } from './deadline.ts'

/** The topics' names begin so; one that is left over (a probe was killed) may be deleted. */
export const PROBE_TOPIC_PREFIX = 'brokerkit-probe-'

const MAX_REPLICATION_FACTOR = 3
const POLL_MS = 50
const DELETE_TIMEOUT_MS = 2000
const UNKNOWN_REPLICA = /INVALID_REPLICA_ASSIGNMENT|INVALID_REPLICATION_FACTOR/

export interface ProbeOptions {
  /** `host:port` of some brokers; the others are found through them. */
  readonly bootstrap: readonly string[]
  /** Waits until this many brokers are registered. Without it: whoever is there. */
  readonly expectedBrokers?: number
  readonly timeoutMs?: number
  /** Ends the probe early; its reason is thrown. */
  readonly cancel?: AbortSignal
  /** Called as soon as a broker has passed. */
  readonly onBroker?: (passed: BrokerProbe) => void
}

export interface BrokerProbe {
  readonly id: number
  readonly host: string
  readonly port: number
  readonly partition: number
  readonly offset: number
  /** From the produce request to the record read back. */
  readonly elapsedMs: number
}

export interface ProbeResult {
  readonly clusterId: string
  readonly topic: string
  readonly replicationFactor: number
  readonly brokers: readonly BrokerProbe[]
}

/** The cluster did not pass; the message says at which broker and why. */
export class ProbeError extends Error {
  override name = 'ProbeError'
}

/** Writes and reads a record through each broker. Throws ProbeError; ends within `timeoutMs` (default 20 s). */
export async function probeCluster(options: ProbeOptions): Promise<ProbeResult> {
  const probe = new Probe(options)
  try {
    return await withDeadline(
      options.timeoutMs ?? 20_000,
      () => probe.doing,
      (signal) => probe.run(signal),
      options.cancel,
    )
  } catch (error) {
    options.cancel?.throwIfAborted()
    if (error instanceof ProbeError) throw error
    const reason = error instanceof DeadlineError ? error.message : `${probe.doing}: ${explain(error)}`
    throw new ProbeError(reason, { cause: error })
  } finally {
    await probe.close()
  }
}

class Probe {
  doing = 'connecting'
  readonly #options: ProbeOptions
  readonly #topic = `${PROBE_TOPIC_PREFIX}${randomUUID().slice(0, 8)}`
  #topicIsThere = false
  readonly #admin: Admin
  readonly #producer: Producer<string, string, string, string>
  readonly #consumer: Consumer

  constructor(options: ProbeOptions) {
    this.#options = options
    const base = {
      clientId: 'brokerkit-probe',
      bootstrapBrokers: [...options.bootstrap],
      connectTimeout: 2000,
      timeout: 5000,
      retries: 10,
      retryDelay: 200,
    }
    this.#admin = new Admin(base)
    this.#producer = new Producer({ ...base, serializers: stringSerializers })
    this.#consumer = new Consumer({ ...base, groupId: 'brokerkit-probe' })
  }

  async run(signal: AbortSignal): Promise<ProbeResult> {
    const brokerIds = await this.#waitForBrokers(signal)
    await this.#createTopic(brokerIds, signal)
    const metadata = await this.#waitForLeaders(brokerIds, signal)
    const passed: BrokerProbe[] = []
    for (const id of brokerIds) {
      const result = await this.#throughBroker(metadata, id)
      passed.push(result)
      this.#options.onBroker?.(result)
    }
    return {
      clusterId: metadata.id,
      topic: this.#topic,
      replicationFactor: metadata.topics.get(this.#topic)!.partitions[0]!.replicas.length,
      brokers: passed,
    }
  }

  async close(): Promise<void> {
    if (this.#topicIsThere) await this.#deleteTopic()
    await Promise.allSettled([this.#consumer.close(true), this.#producer.close(true), this.#admin.close()])
  }

  /** Their ids, in order. Asked without a topic, which shows the brokers that are there now, and none that has just gone. */
  async #waitForBrokers(signal: AbortSignal): Promise<number[]> {
    const expected = this.#options.expectedBrokers ?? 1
    this.doing = `asking ${this.#options.bootstrap.join(',')} for the brokers of the cluster`
    for (;;) {
      const present = [...(await this.#metadata([])).brokers.keys()].toSorted((a, b) => a - b)
      if (present.length >= expected) return present
      this.doing = `waiting for ${expected} brokers; registered: ${present.join(', ') || 'none'}`
      await sleep(POLL_MS, undefined, { signal })
    }
  }

  /** Partition i is led by the i-th broker and followed by those after it. */
  async #createTopic(brokerIds: readonly number[], signal: AbortSignal): Promise<void> {
    this.doing = `creating topic ${this.#topic} on brokers ${brokerIds.join(', ')}`
    const replicas = Math.min(MAX_REPLICATION_FACTOR, brokerIds.length)
    const assignments = brokerIds.map((_id, partition) => ({
      partition,
      brokers: Array.from(
        { length: replicas },
        (_unused, index) => brokerIds[(partition + index) % brokerIds.length]!,
      ),
    }))
    this.#topicIsThere = true
    for (;;) {
      try {
        await this.#admin.createTopics({ topics: [this.#topic], partitions: -1, replicas: -1, assignments })
        return
      } catch (error) {
        // The broker that was asked may learn a moment later than others who is there.
        if (!UNKNOWN_REPLICA.test(explain(error))) throw error
      }
      await sleep(POLL_MS, undefined, { signal })
    }
  }

  /** Tidying up: a cluster that does not let topics be deleted keeps this one, and has passed all the same. */
  async #deleteTopic(): Promise<void> {
    const deleted = this.#admin.deleteTopics({ topics: [this.#topic] })
    await withDeadline(
      DELETE_TIMEOUT_MS,
      () => 'deleting the topic',
      () => deleted,
    ).catch(() => {})
  }

  /** A new topic's leaders are known a moment later. */
  async #waitForLeaders(brokerIds: readonly number[], signal: AbortSignal): Promise<ClusterMetadata> {
    this.doing = `waiting for the leaders of ${this.#topic}`
    for (;;) {
      const metadata = await this.#metadata([this.#topic])
      const partitions = metadata.topics.get(this.#topic)?.partitions ?? []
      const idle = brokerIds.filter((id) => !partitions.some(({ leader }) => leader === id))
      if (idle.length === 0) return metadata
      this.doing = `broker ${idle.join(', ')} leads no partition of ${this.#topic} (${describeLeaders(partitions)})`
      await sleep(POLL_MS, undefined, { signal })
    }
  }

  async #throughBroker(metadata: ClusterMetadata, id: number): Promise<BrokerProbe> {
    const { host, port } = metadata.brokers.get(id)!
    const topic = metadata.topics.get(this.#topic)!
    const partition = topic.partitions.findIndex(({ leader }) => leader === id)
    const where = `broker ${id} (${host}:${port})`
    const value = `probe ${randomUUID()}`
    const startedAt = performance.now()
    this.doing = `writing to ${where}, ${this.#topic}-${partition}, with acks=all`
    const sent = await this.#producer.send({
      acks: -1,
      messages: [{ topic: this.#topic, partition, key: `broker-${id}`, value }],
    })
    const offset = sent.offsets?.[0]?.offset ?? 0n
    this.doing = `reading from ${where}, ${this.#topic}-${partition} at offset ${offset}`
    const read = await this.#read(id, topic.id, partition, offset)
    if (read !== value) {
      const found = read === undefined ? 'nothing' : JSON.stringify(read.slice(0, 80))
      throw new ProbeError(`${where} gave back ${found} at ${this.#topic}-${partition} offset ${offset}`)
    }
    return { id, host, port, partition, offset: Number(offset), elapsedMs: performance.now() - startedAt }
  }

  /** The value at `offset` as that broker serves it. */
  async #read(node: number, topicId: string, partition: number, offset: bigint): Promise<string | undefined> {
    const response = await this.#consumer.fetch({
      node,
      maxWaitTime: 2000,
      minBytes: 1,
      maxBytes: 1024 * 1024,
      isolationLevel: 0,
      topics: [
        {
          topicId,
          partitions: [
            {
              partition,
              currentLeaderEpoch: -1,
              fetchOffset: offset,
              lastFetchedEpoch: -1,
              partitionMaxBytes: 1024 * 1024,
            },
          ],
        },
      ],
    })
    const batches = response.responses[0]?.partitions[0]?.records ?? []
    return batches
      .flatMap((batch) => batch.records.map((record) => ({ batch, record })))
      .find(({ batch, record }) => batch.firstOffset + BigInt(record.offsetDelta) === offset)
      ?.record.value?.toString()
  }

  #metadata(topics: string[]): Promise<ClusterMetadata> {
    return this.#admin.metadata({ topics, forceUpdate: true })
  }
}

function describeLeaders(partitions: readonly ClusterPartitionMetadata[]): string {
  if (partitions.length === 0) return 'it has no partition yet'
  return `leaders: ${partitions.map(({ leader }, index) => `${index}→${leader === -1 ? 'none' : leader}`).join(', ')}`
}
