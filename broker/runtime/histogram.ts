/** A histogram of Prometheus' kind, made for being observed on the way of every request: two additions and a search. */

export class Histogram {
  readonly #bounds: readonly number[]
  /** Of each bucket alone; the last one is for what is above every bound. */
  readonly #counts: number[]
  #sum = 0

  /** `bounds`: upper ones, rising. */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds
    this.#counts = Array.from({ length: bounds.length + 1 }, () => 0)
  }

  observe(value: number): void {
    let bucket = 0
    while (bucket < this.#bounds.length && value > this.#bounds[bucket]!) bucket += 1
    this.#counts[bucket]! += 1
    this.#sum += value
  }

  /** The samples in Prometheus' text format, a line each; `labels` as they stand between the braces. */
  samples(name: string, labels: string): string[] {
    let count = 0
    const buckets = this.#counts.map((own, index) => {
      count += own
      return `${name}_bucket{${labels},le="${this.#bounds[index] ?? '+Inf'}"} ${count}`
    })
    return [...buckets, `${name}_sum{${labels}} ${this.#sum}`, `${name}_count{${labels}} ${count}`]
  }
}
