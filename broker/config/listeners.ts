/**
 * What the broker listens on and what it tells others to connect to: `listeners`, `advertised.listeners`,
 * `listener.security.protocol.map` and `inter.broker.listener.name`, checked together.
 */
import { ConfigError } from './config-error.ts'

export interface ListenerConfig {
  readonly name: string
  readonly securityProtocol: 'PLAINTEXT'
  /** Address to bind; "" for every address of the machine. */
  readonly host: string
  /** Port to bind; 0 for any free one. */
  readonly port: number
  readonly advertisedHost: string
  /** undefined: the port that was bound. */
  readonly advertisedPort: number | undefined
}

export interface ListenerSettings {
  readonly listeners: readonly string[]
  readonly advertised: readonly string[] | null
  readonly protocols: readonly string[]
  readonly interBrokerName: string | null
  /** What is advertised for a listener without a host. */
  readonly hostname: string
}

interface Address {
  readonly name: string
  readonly host: string
  readonly port: number
}

/** Throws ConfigError. The first listener is the inter-broker one unless a name is given. */
export function resolveListeners(settings: ListenerSettings): {
  listeners: ListenerConfig[]
  interBrokerListener: string
} {
  const bound = parseAddresses('listeners', settings.listeners)
  if (bound.length === 0)
    throw new ConfigError('listeners: must name at least one, such as PLAINTEXT://:9092')
  const advertised = parseAddresses('advertised.listeners', settings.advertised ?? [])
  const protocols = parseProtocols(settings.protocols)
  checkPorts(bound)
  checkNames(bound, advertised, settings.interBrokerName)
  const listeners = bound.map((address): ListenerConfig => {
    const other = advertised.find(({ name }) => name === address.name)
    const advertisedPort = other?.port ?? address.port
    return {
      ...address,
      securityProtocol: checkProtocol(address.name, protocols),
      advertisedHost: advertisedHost(address, other, settings.hostname),
      advertisedPort: advertisedPort === 0 ? undefined : advertisedPort,
    }
  })
  return { listeners, interBrokerListener: settings.interBrokerName ?? listeners[0]!.name }
}

function parseAddresses(key: string, values: readonly string[]): Address[] {
  const addresses = values.map((value) => {
    const match = /^([\w.-]+):\/\/(?:\[([^\]]*)\]|([^:[\]]*)):(\d{1,5})$/.exec(value)
    const port = Number(match?.[4])
    if (match === null || port > 65_535) {
      throw new ConfigError(`${key}: "${value}" must be NAME://host:port, such as PLAINTEXT://10.0.1.11:9092`)
    }
    return { name: match[1]!, host: match[2] ?? match[3]!, port }
  })
  for (const [index, { name }] of addresses.entries()) {
    if (addresses.findIndex((other) => other.name === name) !== index) {
      throw new ConfigError(`${key}: there are two listeners named ${name}; each needs a name of its own`)
    }
  }
  return addresses
}

function checkPorts(bound: readonly Address[]): void {
  for (const [index, { name, host, port }] of bound.entries()) {
    const other = bound.slice(0, index).find((earlier) => earlier.port === port && earlier.host === host)
    if (port !== 0 && other !== undefined) {
      throw new ConfigError(`listeners: ${other.name} and ${name} both want port ${port}`)
    }
  }
}

function checkNames(
  bound: readonly Address[],
  advertised: readonly Address[],
  interBroker: string | null,
): void {
  const names = bound.map(({ name }) => name)
  const known = `listeners has ${names.join(', ')}`
  const stranger = advertised.find(({ name }) => !names.includes(name))
  if (stranger !== undefined)
    throw new ConfigError(`advertised.listeners: ${stranger.name} is no listener; ${known}`)
  if (interBroker !== null && !names.includes(interBroker)) {
    throw new ConfigError(`inter.broker.listener.name: ${interBroker} is no listener; ${known}`)
  }
}

function parseProtocols(values: readonly string[]): Map<string, string> {
  const protocols = new Map([['PLAINTEXT', 'PLAINTEXT']])
  for (const value of values) {
    const [name, protocol, ...rest] = value.split(':').map((part) => part.trim())
    if (!name || !protocol || rest.length > 0) {
      throw new ConfigError(`listener.security.protocol.map: "${value}" must be NAME:PROTOCOL`)
    }
    protocols.set(name, protocol)
  }
  return protocols
}

function checkProtocol(name: string, protocols: ReadonlyMap<string, string>): 'PLAINTEXT' {
  const protocol = protocols.get(name)
  if (protocol === 'PLAINTEXT') return protocol
  throw new ConfigError(
    protocol === undefined
      ? `listeners: ${name} has no security protocol; add ${name}:PLAINTEXT to listener.security.protocol.map`
      : `listener.security.protocol.map: ${name}:${protocol} cannot be served; PLAINTEXT is the only protocol`,
  )
}

const EVERY_ADDRESS = new Set(['0.0.0.0', '::', '::0'])

function advertisedHost(bound: Address, advertised: Address | undefined, hostname: string): string {
  const host = advertised?.host ?? bound.host
  if (host === '') return hostname
  if (!EVERY_ADDRESS.has(host)) return host
  throw new ConfigError(
    `advertised.listeners: nobody can connect to ${host}; give the address that clients reach this machine by, such as ${bound.name}://10.0.1.11:${bound.port || 9092}`,
  )
}
