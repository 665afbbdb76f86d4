/** Random numbers that a seed repeats (mulberry32, after a hash of the seed's parts). */

export class Random {
  #state: number

  /** The same parts give the same numbers. */
  constructor(...parts: readonly number[]) {
    this.#state = 0x9e3779b9
    for (const part of parts) {
      this.#state = Math.imul(this.#state ^ part, 0x85ebca6b)
      this.#state ^= this.#state >>> 13
    }
  }

  /** [0, 1) */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let mixed = this.#state
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  /** A whole number from 0 to `limit` - 1. */
  below(limit: number): number {
    return Math.floor(this.next() * limit)
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!
  }

  bytes(length: number): Buffer {
    const bytes = Buffer.allocUnsafe(length)
    for (let index = 0; index < length; index += 1) bytes[index] = this.below(256)
    return bytes
  }
}
