/** What one broker counts and measures, in a registry of its own so that several brokers fit in one process. */
import { Counter, Gauge, Registry } from 'prom-client'
import { Histogram } from './histogram.ts'
import { type MetricNameOf, METRICS, type MetricRow } from './metric-table.ts'

export type RequestOutcome = 'answered' | 'failed' | 'unanswered'

/** Of one API. Counted here rather than by the library, as this is on the way of every request. */
interface RequestSeries {
  readonly outcomes: Record<RequestOutcome, number>
  readonly seconds: Histogram
}

const REQUEST_SECONDS = 'kafka_network_request_seconds'

/** One value, or one for each value of the metric's label. */
export type Reading = number | Iterable<readonly [label: string, value: number]>

/** What Prometheus expects in front of the text. */
export const METRICS_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

export class Metrics {
  readonly #registry = new Registry()
  readonly #requests = new Map<string, RequestSeries>()

  constructor() {
    const requests = this.#requests
    const { labelNames, ...settings } = settingsOf('kafka_network_requests_total')
    this.#registry.registerMetric(
      new Counter({
        ...settings,
        labelNames,
        registers: [],
        collect() {
          this.reset()
          for (const [api, { outcomes }] of requests) {
            for (const [outcome, count] of Object.entries(outcomes)) {
              if (count > 0) this.inc({ api, outcome }, count)
            }
          }
        },
      }),
    )
  }

  countRequest(api: string, outcome: RequestOutcome, durationMs: number): void {
    let series = this.#requests.get(api)
    if (series === undefined) {
      const seconds = new Histogram(METRICS[REQUEST_SECONDS].buckets)
      series = { outcomes: { answered: 0, failed: 0, unanswered: 0 }, seconds }
      this.#requests.set(api, series)
    }
    series.outcomes[outcome] += 1
    series.seconds.observe(durationMs / 1000)
  }

  /** A value that is asked for when the metrics are read. */
  watch(name: MetricNameOf<'counter' | 'gauge'>, read: () => Reading): void {
    const settings = settingsOf(name)
    const label = settings.labelNames[0]
    const each = (add: (labels: Record<string, string>, value: number) => void): void => {
      const reading = read()
      if (typeof reading === 'number') return add({}, reading)
      for (const [of, value] of reading) add({ [label!]: of }, value)
    }
    const metric: Counter | Gauge =
      METRICS[name].type === 'counter'
        ? new Counter({
            ...settings,
            registers: [],
            collect() {
              this.reset()
              each((labels, value) => this.inc(labels, value))
            },
          })
        : new Gauge({
            ...settings,
            registers: [],
            collect() {
              this.reset()
              each((labels, value) => this.set(labels, value))
            },
          })
    this.#registry.registerMetric(metric)
  }

  /** All metrics in Prometheus' text format. */
  async text(): Promise<string> {
    return `${await this.#registry.metrics()}\n${this.#requestTimes().join('\n')}\n`
  }

  #requestTimes(): string[] {
    const samples = [...this.#requests].flatMap(([api, { seconds }]) =>
      seconds.samples(REQUEST_SECONDS, `api="${api}"`),
    )
    const { help, type } = METRICS[REQUEST_SECONDS]
    return [`# HELP ${REQUEST_SECONDS} ${help}`, `# TYPE ${REQUEST_SECONDS} ${type}`, ...samples]
  }
}

function settingsOf(name: keyof typeof METRICS): { name: string; help: string; labelNames: string[] } {
  const { help, labels = [] }: MetricRow = METRICS[name]
  return { name, help, labelNames: [...labels] }
}
