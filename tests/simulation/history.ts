/**
 * What clients were told of one partition, held against itself while it grows: an offset never has two values, and an
 * acknowledged record is where it was said to be. Whoever learns something reports it here.
 */
import type { Story } from './story.ts'

interface Seen {
  readonly value: string
  readonly leaderEpoch: number
}

export class History {
  readonly name: string
  readonly #story: Story
  /** By offset: what a consumer has read. */
  readonly #read = new Map<number, Seen>()
  /** By offset: what a producer was told. */
  readonly #acknowledged = new Map<number, string>()
  /** Which broker acknowledged records of a leader epoch. */
  readonly #leaders = new Map<number, number>()
  readonly #acknowledgedBy = new Map<number, number>()
  /** Offsets of records that were acknowledged after more than one attempt. */
  readonly #resent = new Set<number>()

  constructor(name: string, story: Story) {
    this.name = name
    this.#story = story
  }

  get acknowledgedCount(): number {
    return this.#acknowledged.size
  }

  /** `values` lie from `baseOffset` on, says `brokerId`. */
  acknowledged(values: readonly string[], baseOffset: number, brokerId: number): void {
    for (const [index, value] of values.entries()) {
      const offset = baseOffset + index
      const before = this.#acknowledged.get(offset) ?? this.#read.get(offset)?.value
      if (before !== undefined && before !== value) {
        this.#story.violation(`${this.name}: offset ${offset} acknowledged as ${value}, it was ${before}`)
      }
      this.#acknowledged.set(offset, value)
      this.#acknowledgedBy.set(offset, brokerId)
    }
  }

  read(offset: number, value: string, leaderEpoch: number): void {
    const before = this.#read.get(offset)
    const acknowledged = this.#acknowledged.get(offset)
    if (before !== undefined && (before.value !== value || before.leaderEpoch !== leaderEpoch)) {
      this.#story.violation(
        `${this.name}: offset ${offset} read as ${value} of epoch ${leaderEpoch}, before as ${before.value} of epoch ${before.leaderEpoch}`,
      )
    }
    if (acknowledged !== undefined && acknowledged !== value) {
      this.#story.violation(
        `${this.name}: offset ${offset} read as ${value}, acknowledged as ${acknowledged}`,
      )
    }
    this.#read.set(offset, { value, leaderEpoch })
  }

  /** `records`: the whole partition as it is at the end, by offset. */
  checkEnd(records: ReadonlyMap<number, Seen>): void {
    for (const [offset, { value, leaderEpoch }] of records) this.read(offset, value, leaderEpoch)
    this.#checkPresence(records)
    this.#checkOrder([...records.values()].map(({ value }) => value))
    for (const [offset, brokerId] of this.#acknowledgedBy) {
      const epoch = records.get(offset)?.leaderEpoch
      // A record that was sent again may be acknowledged by a later leader than the one whose epoch it bears.
      if (epoch === undefined || this.#resent.has(offset)) continue
      const other = this.#leaders.get(epoch) ?? brokerId
      if (other !== brokerId) {
        this.#story.violation(
          `${this.name}: brokers ${other} and ${brokerId} both acknowledged in epoch ${epoch}`,
        )
      }
      this.#leaders.set(epoch, brokerId)
    }
  }

  /** `count` records from `offset` on were acknowledged after more than one attempt. */
  wasResent(offset: number, count: number): void {
    for (let index = 0; index < count; index += 1) this.#resent.add(offset + index)
  }

  #checkPresence(records: ReadonlyMap<number, Seen>): void {
    for (const [offset, value] of this.#acknowledged) {
      const found = records.get(offset)?.value
      if (found !== value) {
        this.#story.violation(
          `${this.name}: LOST: ${value}, acknowledged at offset ${offset}, where there is ${found}`,
        )
      }
    }
    for (const [offset, { value }] of this.#read) {
      if (records.get(offset)?.value !== value) {
        this.#story.violation(`${this.name}: ${value} at offset ${offset} was read by a consumer and is gone`)
      }
    }
  }

  /** The idempotent producer's records are there once each, in its order. */
  #checkOrder(values: readonly string[]): void {
    const numbers = values.map((value) => Number(value.slice(value.indexOf('-') + 1)))
    const wrong = numbers.findIndex((number, index) => index > 0 && number <= numbers[index - 1]!)
    if (wrong > 0) {
      this.#story.violation(
        `${this.name}: ${values[wrong]} follows ${values[wrong - 1]}: out of order or twice`,
      )
    }
  }
}
