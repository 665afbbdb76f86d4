/**
 * The broker's settings: server.properties, with overrides on top, checked as a whole when it is loaded.
 * `config.get('log.segment.bytes')` is a number, as its row in broker-keys.ts says.
 */
import { hostname } from 'node:os'
import { isDeepStrictEqual } from 'node:util'
import { BROKER_KEYS, type BrokerKey, type BrokerValue, isBrokerKey } from './broker-keys.ts'
import { ConfigError } from './config-error.ts'
import { type DynamicSettings, parseDynamic } from './dynamic-settings.ts'
import { whyIgnored } from './ignored-key.ts'
import { type ConfigValue, InvalidValueError, type KeyRow, parseValue } from './key-row.ts'
import { type MetricsAddress, parseMetricsAddress } from './metrics-address.ts'
import { type ListenerConfig, resolveListeners } from './listeners.ts'
import { parsePropertyLines } from './properties-file.ts'
import { TopicConfig } from './topic-config.ts'

export { TopicConfig } from './topic-config.ts'

type Values = ReadonlyMap<BrokerKey, ConfigValue>

/** Where a value was given, strongest first. */
const SOURCES = ['dynamicBroker', 'dynamicCluster', 'static'] as const
export type GivenSource = (typeof SOURCES)[number]

export interface GivenValue {
  readonly source: GivenSource
  readonly value: ConfigValue
}

const NOTHING: Values = new Map()

export class Config {
  /** Only the keys that were given. */
  readonly #given: Record<GivenSource, Values>
  /** What counts of those. */
  #values: Values
  readonly #listeners = new Set<(keys: ReadonlySet<string>) => void>()
  readonly listeners: readonly ListenerConfig[]
  /** Name of the listener by which brokers reach each other. */
  readonly interBrokerListener: string
  /** Where the metrics are served; undefined: nowhere. */
  readonly metricsAddress: MetricsAddress | undefined
  /** The directories of the partitions, at least one. */
  readonly logDirs: readonly string[]
  /** For people: keys that do nothing here. */
  readonly warnings: readonly string[]

  constructor(values: Values, warnings: readonly string[] = []) {
    this.#given = { dynamicBroker: NOTHING, dynamicCluster: NOTHING, static: values }
    this.#values = values
    this.warnings = warnings
    const resolved = resolveListeners({
      listeners: this.get('listeners'),
      advertised: this.get('advertised.listeners'),
      protocols: this.get('listener.security.protocol.map'),
      interBrokerName: this.get('inter.broker.listener.name'),
      hostname: hostname(),
    })
    this.listeners = resolved.listeners
    this.interBrokerListener = resolved.interBrokerListener
    const metricsListener = this.get('metrics.listener')
    this.metricsAddress = metricsListener === null ? undefined : parseMetricsAddress(metricsListener)
    const dirs = this.get('log.dirs') ?? []
    this.logDirs = dirs.length > 0 ? dirs : this.get('log.dir')
  }

  /** The value of the moment: settings of the cluster or of this broker win over server.properties. */
  get<Key extends BrokerKey>(key: Key): BrokerValue<Key> {
    const value = this.#values.get(key)
    return (value === undefined ? BROKER_KEYS[key].default : value) as BrokerValue<Key>
  }

  /** Whether the key was given, as opposed to being at its default. */
  isSet(key: BrokerKey): boolean {
    return this.#values.has(key)
  }

  /** Everywhere that the key was given, the one that counts first. */
  given(key: BrokerKey): GivenValue[] {
    return SOURCES.flatMap((source) => {
      const value = this.#given[source].get(key)
      return value === undefined ? [] : [{ source, value }]
    })
  }

  /** Takes over what the cluster says now. `problem` is told of settings that cannot be read; they do not count. */
  applyDynamic(
    settings: DynamicSettings,
    problem: (key: string, text: string, reason: string) => void,
  ): void {
    const before = this.#values
    this.#given.dynamicCluster = parseDynamic(settings.cluster, problem)
    this.#given.dynamicBroker = parseDynamic(settings.broker, problem)
    this.#values = new Map(SOURCES.toReversed().flatMap((source) => [...this.#given[source]]))
    const keys = new Set([...before.keys(), ...this.#values.keys()])
    const changed = [...keys].filter((key) => !isDeepStrictEqual(before.get(key), this.#values.get(key)))
    if (changed.length > 0) for (const listener of this.#listeners) listener(new Set(changed))
  }

  /** Calls `listener` with the keys whose values have changed, after each change; the result ends it. */
  onChange(listener: (keys: ReadonlySet<string>) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  get brokerId(): number {
    return this.get('node.id')
  }

  /** The settings of a topic with these overrides. */
  topic(overrides: ReadonlyMap<string, string>): TopicConfig {
    return new TopicConfig(this, overrides)
  }
}

interface Given {
  readonly key: string
  readonly value: string
  /** Where it was given, for error messages. */
  readonly place: string
}

export interface LoadOptions {
  /** From `--override key=value`; they win over the file. */
  readonly overrides?: Readonly<Record<string, string>>
  /** Name of the file, for error messages. */
  readonly file?: string
}

/** Reads the text of a server.properties, or its entries. Throws ConfigError, which names everything that is wrong. */
export function loadConfig(
  source: string | Readonly<Record<string, string>>,
  options: LoadOptions = {},
): Config {
  const file = options.file ?? 'server.properties'
  const given = [
    ...(typeof source === 'string'
      ? parsePropertyLines(source).map(({ key, value, line }) => ({ key, value, place: `${file}:${line}` }))
      : givenBy(source, file)),
    ...givenBy(options.overrides ?? {}, '--override'),
  ]
  const lastByKey = new Map(given.map((entry) => [entry.key, entry]))
  const { values, warnings } = parseAll([...lastByKey.values()])
  takeOlderName(values, file)
  checkRequired(values, file)
  try {
    return new Config(values, warnings)
  } catch (error) {
    if (error instanceof ConfigError) throw new ConfigError(`${file}: ${error.message}`)
    throw error
  }
}

function givenBy(entries: Readonly<Record<string, string>>, place: string): Given[] {
  return Object.entries(entries).map(([key, value]) => ({ key, value, place }))
}

function parseAll(given: readonly Given[]): { values: Map<BrokerKey, ConfigValue>; warnings: string[] } {
  const values = new Map<BrokerKey, ConfigValue>()
  const warnings: string[] = []
  const problems: string[] = []
  for (const { key, value, place } of given) {
    if (!isBrokerKey(key)) {
      warnings.push(`${place}: ${key} ${whyIgnored(key)}`)
      continue
    }
    const row: KeyRow = BROKER_KEYS[key]
    if (row.withoutEffect !== undefined) warnings.push(`${place}: ${key} has no effect: ${row.withoutEffect}`)
    try {
      values.set(key, parseValue(row, value))
    } catch (error) {
      if (!(error instanceof InvalidValueError)) throw error
      problems.push(`${place}: ${key}=${value}: ${error.message}`)
    }
  }
  if (problems.length > 0) throw new ConfigError(problems.join('; '))
  return { values, warnings }
}

function takeOlderName(values: Map<BrokerKey, ConfigValue>, file: string): void {
  const older = values.get('broker.id')
  if (older === undefined || older === -1) return
  const id = values.get('node.id') ?? older
  if (id !== older)
    throw new ConfigError(`${file}: node.id=${String(id)} and broker.id=${String(older)} differ; give one`)
  if (typeof id === 'number' && id < 0) throw new ConfigError(`${file}: broker.id=${id}: must be at least 0`)
  values.set('node.id', id)
}

function checkRequired(values: Values, file: string): void {
  const rows: readonly (readonly [string, KeyRow])[] = Object.entries(BROKER_KEYS)
  const missing = rows.filter(([key, row]) => row.required === true && !values.has(key as BrokerKey))
  if (missing.length === 0) return
  throw new ConfigError(missing.map(([key, row]) => `${file}: ${key} is missing. ${row.doc}`).join(' '))
}
