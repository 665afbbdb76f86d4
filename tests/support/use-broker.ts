/**
 * The parts of one broker (one-broker-parts.ts) for the tests of a file: opened before and closed after them, with the
 * topics that they speak of.
 */
import type { AppendInfo } from '../../broker/storage/append-info.ts'
import { type OneBrokerParts, openParts, type PartsOptions } from './one-broker-parts.ts'
import { batchOfTexts } from './records.ts'

export interface UsedBroker extends Omit<OneBrokerParts, 'close'> {
  /** Appends one batch with acks=all: these bytes, or records with these values. */
  append(topic: string, records: Buffer | readonly string[], index?: number): Promise<AppendInfo>
}

export interface BrokerUse extends PartsOptions {
  /** Partitions of each topic that is there at the beginning. */
  readonly topics?: Readonly<Record<string, number>>
  /** Whether each test gets a broker of its own; otherwise they share one. */
  readonly perTest?: boolean
}

/** To be called where tests are declared; what it returns is there while they run. */
export function useBroker(use: BrokerUse = {}): UsedBroker {
  let parts: OneBrokerParts
  const open = async (): Promise<void> => {
    parts = await openParts(use)
    for (const [name, partitions] of Object.entries(use.topics ?? {}))
      await parts.createTopic(name, partitions)
  }
  const close = (): Promise<void> => parts.close()
  if (use.perTest === true) {
    beforeEach(open)
    afterEach(close)
  } else {
    beforeAll(open)
    afterAll(close)
  }
  return {
    get config() {
      return parts.config
    },
    get logs() {
      return parts.logs
    },
    get metadata() {
      return parts.metadata
    },
    get replicas() {
      return parts.replicas
    },
    get fetchSessions() {
      return parts.fetchSessions
    },
    createTopic: (...args) => parts.createTopic(...args),
    partition: (...args) => parts.partition(...args),
    context: (...args) => parts.context(...args),
    append(topic, records, index = 0) {
      const batch = Buffer.isBuffer(records) ? records : batchOfTexts(records)
      return parts.partition(topic, index).append(batch, { acks: -1, timeoutMs: 1000 })
    },
  }
}
