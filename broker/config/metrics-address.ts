/** `metrics.listener`: where the metrics are served. */
import { ConfigError } from './config-error.ts'

export interface MetricsAddress {
  readonly host: string
  /** 0 for any free one. */
  readonly port: number
}

/** "http://host:port" or "host:port"; an IPv6 address in brackets. Throws ConfigError. */
export function parseMetricsAddress(text: string): MetricsAddress {
  const match = /^(?:http:\/\/)?(?:\[([^\]]+)\]|([^:/[\]]+)):(\d{1,5})\/?$/.exec(text)
  const port = Number(match?.[3])
  if (match === null || port > 65_535) {
    throw new ConfigError(
      `metrics.listener: "${text}" must be http://host:port, such as http://127.0.0.1:9404; http://0.0.0.0:9404 is every address of the machine`,
    )
  }
  return { host: match[1] ?? match[2]!, port }
}
