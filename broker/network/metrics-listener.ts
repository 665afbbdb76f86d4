/** Serves the metrics over HTTP at `metrics.listener`, and nothing else: GET /metrics, in Prometheus' text format. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { MetricsAddress } from '../config/metrics-address.ts'
import type { Logger } from '../runtime/logger.ts'
import { METRICS_CONTENT_TYPE, type Metrics } from '../runtime/metrics.ts'
import { ListenError, whyNotListening } from './listen-error.ts'

const PATH = '/metrics'
const REQUEST_TIMEOUT_MS = 5_000
/** Prometheus has one; people with curl a few. */
const MAX_CONNECTIONS = 20

export class MetricsListener {
  readonly #address: MetricsAddress
  readonly #metrics: Metrics
  readonly #logger: Logger
  readonly #server: Server

  constructor(address: MetricsAddress, metrics: Metrics, logger: Logger) {
    this.#address = address
    this.#metrics = metrics
    this.#logger = logger
    const limits = { requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS }
    this.#server = createServer(limits, (request, response) => void this.#answer(request, response))
    this.#server.maxConnections = MAX_CONNECTIONS
  }

  /** "http://host:port/metrics", with the port that was bound. */
  get url(): string {
    const { port } = this.#server.address() as AddressInfo
    const { host } = this.#address
    return `http://${host.includes(':') ? `[${host}]` : host}:${port}${PATH}`
  }

  /** Binds, at exactly the address that was given. Rejects with ListenError. */
  async open(): Promise<void> {
    const { host, port } = this.#address
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (error: NodeJS.ErrnoException) => {
        reject(
          new ListenError(`metrics.listener: cannot listen on ${host}:${port}: ${whyNotListening(error)}`),
        )
      })
      this.#server.listen({ host, port }, resolve)
    })
    this.#server.removeAllListeners('error')
    this.#server.on('error', (error) => this.#logger.error({ err: error }, 'serving the metrics failed'))
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url?.split('?')[0]
    if (path !== PATH) return refuse(response, 404, `there is only ${PATH} here`)
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD')
      return refuse(response, 405, `${request.method} is not served; GET is`)
    }
    try {
      const text = await this.#metrics.text()
      response.writeHead(200, {
        'content-type': METRICS_CONTENT_TYPE,
        'content-length': Buffer.byteLength(text),
      })
      response.end(request.method === 'GET' ? text : undefined)
    } catch (error) {
      this.#logger.error({ err: error }, 'the metrics cannot be read')
      refuse(response, 500, 'the metrics cannot be read; the log of the broker says why')
    }
  }

  /** Closes at once, whatever is under way. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => {
      this.#server.close(resolve)
    })
    this.#server.closeAllConnections()
    await closed
  }
}

function refuse(response: ServerResponse, status: number, reason: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' })
  response.end(`${reason}\n`)
}
