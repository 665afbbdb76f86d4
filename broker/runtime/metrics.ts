/**
 * What one broker counts and measures, in a registry of its own so that several brokers fit in one process.
 * Names are `kafka_<part>_<thing>_<unit>`.
 */
import { Counter, Gauge, Histogram, Registry } from 'prom-client'

const REQUEST_SECONDS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

export type RequestOutcome = 'answered' | 'failed' | 'unanswered'

type RequestSeries = Readonly<Record<RequestOutcome, Counter.Internal>> & {
  readonly seconds: Histogram.Internal<'api'>
}

export class Metrics {
  readonly #registry = new Registry()
  readonly #requests = new Counter({
    name: 'kafka_network_requests_total',
    help: 'Requests by API and outcome: answered, failed (an error nobody expected) or unanswered (acks=0).',
    labelNames: ['api', 'outcome'],
    registers: [this.#registry],
  })
  readonly #requestSeconds = new Histogram({
    name: 'kafka_network_request_seconds',
    help: 'From the whole request being there to its answer being encoded, waits included.',
    labelNames: ['api'],
    buckets: REQUEST_SECONDS,
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
  watch(name: string, help: string, read: () => number): void {
    const gauge: Gauge = new Gauge({ name, help, registers: [], collect: () => gauge.set(read()) })
    this.#registry.registerMetric(gauge)
  }

  /** All metrics in Prometheus' text format. */
  text(): Promise<string> {
    return this.#registry.metrics()
  }
}
