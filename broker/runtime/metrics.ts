/** What one broker counts and measures, in a registry of its own so that several brokers fit in one process. */
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { type MetricNameOf, METRICS, type MetricRow } from './metric-table.ts'

export type RequestOutcome = 'answered' | 'failed' | 'unanswered'

type RequestSeries = Readonly<Record<RequestOutcome, Counter.Internal>> & {
  readonly seconds: Histogram.Internal<string>
}

/** One value, or one for each value of the metric's label. */
export type Reading = number | Iterable<readonly [label: string, value: number]>

/** What Prometheus expects in front of the text. */
export const METRICS_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

export class Metrics {
  readonly #registry = new Registry()
  readonly #requests = new Counter({
    ...settingsOf('kafka_network_requests_total'),
    registers: [this.#registry],
  })
  readonly #requestSeconds = new Histogram({
    ...settingsOf('kafka_network_request_seconds'),
    registers: [this.#registry],
  })

  /** By API: the series of each, looked up once, as this is on the way of every request. */
  readonly #series = new Map<string, RequestSeries>()

  countRequest(api: string, outcome: RequestOutcome, durationMs: number): void {
    let series = this.#series.get(api)
    if (series === undefined) {
      series = {
        answered: this.#requests.labels({ api, outcome: 'answered' }),
        failed: this.#requests.labels({ api, outcome: 'failed' }),
        unanswered: this.#requests.labels({ api, outcome: 'unanswered' }),
        seconds: this.#requestSeconds.labels({ api }),
      }
      this.#series.set(api, series)
    }
    series[outcome].inc()
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
  text(): Promise<string> {
    return this.#registry.metrics()
  }
}

function settingsOf(name: keyof typeof METRICS): {
  name: string
  help: string
  labelNames: string[]
  buckets?: number[]
} {
  const { help, labels = [], buckets }: MetricRow = METRICS[name]
  return { name, help, labelNames: [...labels], ...(buckets === undefined ? {} : { buckets: [...buckets] }) }
}
