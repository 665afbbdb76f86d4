/** An HTTP proxy before one etcd member that loses replies, or holds requests back, for the paths it is told to. */
import http from 'node:http'
import type { AddressInfo } from 'node:net'

export type Treatment = 'pass' | 'lose the reply' | 'hold the request'

export class SwallowingProxy {
  readonly #server: http.Server
  readonly #target: string
  readonly #held: (() => Promise<void>)[] = []
  /** How the next requests to this path are treated, in order; afterwards they pass. */
  readonly plan = new Map<string, Treatment[]>()

  private constructor(target: string) {
    this.#target = target
    this.#server = http.createServer((request, response) => void this.#serve(request, response))
  }

  /** `target` is "host:port". */
  static async start(target: string): Promise<SwallowingProxy> {
    const proxy = new SwallowingProxy(target)
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve))
    return proxy
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Sends on what was held back, as a member does that was frozen, and waits for the answers, which nobody gets. */
  async release(): Promise<number> {
    const held = this.#held.splice(0)
    for (const send of held) await send()
    return held.length
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async #serve(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const path = request.url ?? ''
    const treatment = this.plan.get(path)?.shift() ?? 'pass'
    const send = (to?: http.ServerResponse): Promise<void> => this.#forward(path, Buffer.concat(chunks), to)
    if (treatment === 'hold the request') this.#held.push(() => send())
    else if (treatment === 'lose the reply') {
      await send()
      response.destroy()
    } else await send(response)
  }

  #forward(path: string, body: Buffer, to?: http.ServerResponse): Promise<void> {
    return new Promise((resolve) => {
      const onward = http.request(`http://${this.#target}${path}`, { method: 'POST' }, (answer) => {
        answer.once('end', resolve)
        to?.writeHead(answer.statusCode ?? 502, answer.headers)
        if (to === undefined) answer.resume()
        else answer.pipe(to)
      })
      onward.once('error', () => {
        to?.destroy()
        resolve()
      })
      to?.once('close', () => onward.destroy())
      onward.end(body)
    })
  }
}
