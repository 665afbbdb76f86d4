/**
 * The groups of one partition of `__consumer_offsets`, while this broker leads it: their state machines and their
 * committed offsets.
 */
import { KafkaError } from '../../protocol/errors.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Logger } from '../../runtime/logger.ts'
import type { AppendState, StateOwner, StateRecord } from '../state-topic.ts'
import type { GroupSettings } from './admission.ts'
import { ClassicGroup } from './classic-group.ts'
import { decodeGroupRecord, groupRecord, offsetRecord } from './group-records.ts'
import { type GroupRequest, LiveGroup } from './live-group.ts'
import type { Replies, Request, StoredGroup } from './messages.ts'
import { type CommittedOffset, CommittedOffsets } from './offsets.ts'

/** One offset to commit. */
export interface OffsetToCommit {
  readonly topic: string
  readonly partition: number
  readonly committed: Omit<CommittedOffset, 'logOffset'>
}

export interface GroupShardOptions {
  readonly settings: GroupSettings
  readonly append: AppendState
  readonly clock: Clock
  readonly logger: Logger
}

const NO_OFFSETS = new CommittedOffsets()

export class GroupShard implements StateOwner {
  readonly #options: GroupShardOptions
  readonly #groups = new Map<string, LiveGroup>()
  /** While the log is replayed. */
  readonly #stored = new Map<string, StoredGroup>()
  readonly #storedOffsets = new Map<string, CommittedOffsets>()
  readonly #unknownKeyTypes = new Set<number>()

  constructor(options: GroupShardOptions) {
    this.#options = options
  }

  replay(record: StateRecord, logOffset: number): void {
    const decoded = decodeGroupRecord(record)
    if (decoded.kind === 'unknown') {
      this.#unknownKeyTypes.add(decoded.keyType)
    } else if (decoded.kind === 'offset') {
      const { group, topic, partition, value } = decoded
      const offsets = this.#storedOffsets.get(group) ?? new CommittedOffsets()
      if (value === null) offsets.delete(topic, partition, logOffset)
      else offsets.set(topic, partition, { ...value, logOffset })
      this.#storedOffsets.set(group, offsets)
    } else if (decoded.value === null) {
      this.#stored.delete(decoded.group)
    } else {
      this.#stored.set(decoded.group, decoded.value)
    }
  }

  start(): void {
    const { logger } = this.#options
    if (this.#unknownKeyTypes.size > 0) {
      logger.warn({ keyTypes: [...this.#unknownKeyTypes] }, 'records of unknown types were passed over')
    }
    for (const [id, offsets] of this.#storedOffsets) if (!offsets.isEmpty) this.#open(id, offsets)
    for (const id of this.#stored.keys()) this.#open(id)
    this.#stored.clear()
    this.#storedOffsets.clear()
    for (const group of this.#groups.values()) group.resume()
  }

  stop(): void {
    for (const group of this.#groups.values()) group.unload()
    this.#groups.clear()
  }

  /** Hands a member's request to its group. A group that nobody knows is a new, empty one. */
  async ask<Kind extends Request['kind']>(
    groupId: string,
    request: GroupRequest<Kind>,
    signal?: AbortSignal,
  ): Promise<Replies[Kind]> {
    return await this.#open(groupId).ask(request, signal)
  }

  has(groupId: string): boolean {
    return this.#groups.has(groupId)
  }

  /** What the group has committed. */
  offsets(groupId: string): CommittedOffsets {
    return this.#groups.get(groupId)?.offsets ?? NO_OFFSETS
  }

  /** Stores offsets, all or none; rejects with a KafkaError that the client can be told. */
  async commit(groupId: string, offsets: readonly OffsetToCommit[]): Promise<void> {
    const records = offsets.map(({ topic, partition, committed }) =>
      offsetRecord(groupId, topic, partition, committed),
    )
    const first = await this.#appendOffsets(records)
    const { offsets: present } = this.#open(groupId)
    for (const [index, { topic, partition, committed }] of offsets.entries()) {
      present.set(topic, partition, { ...committed, logOffset: first + index })
    }
  }

  async #appendOffsets(records: readonly StateRecord[]): Promise<number> {
    try {
      return await this.#options.append(records)
    } catch (error) {
      if (
        error instanceof KafkaError &&
        ['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE'].includes(error.error)
      ) {
        throw new KafkaError('INVALID_COMMIT_OFFSET_SIZE', error.detail)
      }
      throw error
    }
  }

  /** Forgets what was committed to a topic that has been deleted. */
  async forgetTopic(topic: string): Promise<void> {
    for (const [id, { offsets }] of this.#groups) {
      const partitions = offsets.partitions(topic)
      if (partitions.length === 0) continue
      const first = await this.#options.append(
        partitions.map((partition) => offsetRecord(id, topic, partition, null)),
      )
      for (const [index, partition] of partitions.entries()) offsets.delete(topic, partition, first + index)
      this.#forgetIfBlank(id)
    }
  }

  #open(id: string, offsets?: CommittedOffsets): LiveGroup {
    let group = this.#groups.get(id)
    if (group === undefined) {
      group = this.#create(id, offsets)
      this.#groups.set(id, group)
    }
    return group
  }

  #create(id: string, offsets = new CommittedOffsets()): LiveGroup {
    const { settings, append, clock, logger } = this.#options
    const stored = this.#stored.get(id)
    const machine =
      stored === undefined ? new ClassicGroup(id, settings) : ClassicGroup.restore(id, settings, stored)
    return new LiveGroup(machine, {
      offsets,
      clock,
      logger,
      store: (group) => append([groupRecord(id, group)]),
      onBlank: () => this.#forgetIfBlank(id),
    })
  }

  #forgetIfBlank(id: string): void {
    if (this.#groups.get(id)?.isBlank === true) this.#groups.delete(id)
  }
}
