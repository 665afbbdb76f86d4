/** A client that writes with acks=all without a pause, and keeps account of what was acknowledged. */
import { Kafka, logLevel, type Producer } from 'kafkajs'

const RECORDS_PER_SEND = 20
const REQUEST_TIMEOUT_MS = 2_000

export class Ledger {
  readonly topic: string
  /** The values that were acknowledged, in the order in which they were sent. */
  readonly acknowledged: string[] = []
  /** The longest time without an acknowledgement, in milliseconds. */
  longestGapMs = 0
  failedSends = 0
  readonly #producer: Producer
  readonly #padding: string
  #lastMs = performance.now()
  #count = 0
  #stop = false
  #writing: Promise<void> = Promise.resolve()

  private constructor(topic: string, producer: Producer, padding: string) {
    this.topic = topic
    this.#padding = padding
    this.#producer = producer
  }

  /** Values are as long as they must be, and `paddingBytes` more. */
  static async open(bootstrap: readonly string[], topic: string, paddingBytes = 0): Promise<Ledger> {
    const kafka = new Kafka({
      clientId: 'ledger',
      brokers: [...bootstrap],
      logLevel: logLevel.NOTHING,
      connectionTimeout: 1_000,
      requestTimeout: REQUEST_TIMEOUT_MS,
      retry: { initialRetryTime: 50, maxRetryTime: 500, retries: 100 },
    })
    const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 })
    await producer.connect()
    return new Ledger(topic, producer, ' '.repeat(paddingBytes))
  }

  /** Writes this many records to partition 0 and waits for their acknowledgement. */
  async write(records: number): Promise<void> {
    for (let left = records; left > 0; left -= RECORDS_PER_SEND)
      await this.#send(Math.min(left, RECORDS_PER_SEND))
  }

  /** Writes in the background until `stopWriting`. */
  startWriting(): void {
    this.#stop = false
    this.longestGapMs = 0
    this.#lastMs = performance.now()
    this.#writing = (async () => {
      while (!this.#stop) await this.#send(RECORDS_PER_SEND)
    })()
  }

  async stopWriting(): Promise<void> {
    this.#stop = true
    await this.#writing
  }

  async close(): Promise<void> {
    await this.stopWriting()
    await this.#producer.disconnect()
  }

  async #send(records: number): Promise<void> {
    const values = Array.from({ length: records }, () => `record ${this.#count++}${this.#padding}`)
    const messages = values.map((value) => ({ value, partition: 0 }))
    try {
      await this.#producer.send({ topic: this.topic, acks: -1, messages })
    } catch {
      this.failedSends += 1
      return
    }
    this.acknowledged.push(...values)
    this.longestGapMs = Math.max(this.longestGapMs, performance.now() - this.#lastMs)
    this.#lastMs = performance.now()
  }
}
