/** The limits on connections and requests, out of the settings of the moment. */
import type { Config } from '../config/config.ts'
import type { ConnectionLimits } from './connections.ts'

const DEFAULT_REQUEST_BYTES = 256 * 1024 * 1024

export function connectionLimits(config: Config): Omit<ConnectionLimits, 'rateOfAddress'> {
  let overridesText = ''
  let overrides: ReadonlyMap<string, number> = new Map()
  return {
    all: () => config.get('max.connections'),
    ofAddress(address) {
      const text = config.get('max.connections.per.ip.overrides')
      if (text !== overridesText) {
        overridesText = text
        overrides = parseOverrides(text)
      }
      return overrides.get(address) ?? config.get('max.connections.per.ip')
    },
    rate: () => config.get('max.connection.creation.rate'),
  }
}

/** "address:number,address:number"; what is not of this form counts for nothing. */
export function parseOverrides(text: string): ReadonlyMap<string, number> {
  const entries = text.split(',').flatMap((entry) => {
    const match = /^\s*\[?(.+?)\]?\s*:\s*(\d+)\s*$/.exec(entry)
    return match === null ? [] : [[match[1]!, Number(match[2])] as const]
  })
  return new Map(entries)
}

/** The budget of all requests together: never so little that the largest one allowed does not fit. */
export function requestMemoryBytes(config: Config): number {
  const bytes = config.get('queued.max.request.bytes')
  return Math.max(bytes < 0 ? DEFAULT_REQUEST_BYTES : bytes, config.get('socket.request.max.bytes'))
}
