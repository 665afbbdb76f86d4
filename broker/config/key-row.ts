/**
 * One configuration key: its type, default and bounds. `broker-keys.ts` and `topic-keys.ts` are tables of these;
 * parsing, the types of `config.get(key)`, DescribeConfigs and the warnings about keys come from them.
 *
 * 64-bit numbers are doubles here: Java's Long.MAX_VALUE ("never", "no limit") is read as 2^63 and written as Java
 * writes it.
 */

export type KeyType = 'boolean' | 'int' | 'short' | 'long' | 'double' | 'string' | 'list'

export interface KeyRow {
  readonly type: KeyType
  /** null: not set, which the doc explains. */
  readonly default: boolean | number | string | readonly string[] | null
  readonly min?: number
  readonly max?: number
  /** One value outside of these bounds that is allowed too. */
  readonly orElse?: number
  /** The only values allowed; of a list, the only elements. */
  readonly values?: readonly string[]
  /** There is no usable default: it must be given. */
  readonly required?: true
  /**
   * Of a broker's key: it can change while brokers run, for all of the cluster or for one of them. Without this it is
   * read once, at start.
   */
  readonly dynamic?: 'cluster'
  /** Accepted and shown, but nothing here does anything about it: why. */
  readonly withoutEffect?: string
  readonly doc: string
}

type Scalar<Row extends KeyRow> = Row['type'] extends 'boolean'
  ? boolean
  : Row['type'] extends 'string'
    ? Text<Row>
    : Row['type'] extends 'list'
      ? readonly Text<Row>[]
      : number
type Text<Row extends KeyRow> = Row extends { readonly values: readonly (infer Value)[] } ? Value : string

/** The type of a key's value: null only where the default is null and the key is not required. */
export type ValueOf<Row extends KeyRow> = Row extends { readonly required: true }
  ? Scalar<Row>
  : Row['default'] extends null
    ? Scalar<Row> | null
    : Scalar<Row>

export type ConfigValue = boolean | number | string | readonly string[] | null

/** What `parseValue` throws: a clause such as `must be at least 1`, to be put behind the key and its value. */
export class InvalidValueError extends Error {
  override readonly name = 'InvalidValueError'
}

export const LONG_MAX = 2 ** 63
export const INT_MAX = 2 ** 31 - 1
export const KiB = 1024
export const MiB = 1024 * KiB
export const GiB = 1024 * MiB

const bounds: Readonly<Record<'int' | 'short' | 'long', readonly [number, number]>> = {
  int: [-(2 ** 31), 2 ** 31 - 1],
  short: [-(2 ** 15), 2 ** 15 - 1],
  long: [-LONG_MAX, LONG_MAX],
}

/** Reads the text form of a value; throws InvalidValueError. Surrounding blanks do not count. */
export function parseValue(row: KeyRow, text: string): ConfigValue {
  return parsers[row.type](row, text.trim())
}

const parsers: Readonly<Record<KeyType, (row: KeyRow, text: string) => ConfigValue>> = {
  boolean: parseBoolean,
  int: (row, text) => parseNumber(row, 'int', text),
  short: (row, text) => parseNumber(row, 'short', text),
  long: (row, text) => parseNumber(row, 'long', text),
  double: (row, text) => parseNumber(row, 'double', text),
  string: (row, text) => checkAllowed(row, text),
  list: parseList,
}

function parseBoolean(_row: KeyRow, text: string): boolean {
  if (!/^(true|false)$/i.test(text)) throw new InvalidValueError('must be true or false')
  return text.toLowerCase() === 'true'
}

function parseList(row: KeyRow, text: string): readonly string[] {
  const elements = text.split(',').map((element) => element.trim())
  const given = elements.filter((element) => element !== '')
  return [...new Set(given)].map((element) => checkAllowed(row, element))
}

function parseNumber(row: KeyRow, type: 'int' | 'short' | 'long' | 'double', text: string): number {
  const isNumber = type === 'double' ? text !== '' && Number.isFinite(Number(text)) : /^[+-]?\d+$/.test(text)
  if (!isNumber)
    throw new InvalidValueError(type === 'double' ? 'must be a number' : 'must be a whole number')
  const value = Number(text)
  if (value === row.orElse) return value
  const [lowest, highest] = type === 'double' ? [-Infinity, Infinity] : bounds[type]
  const min = Math.max(row.min ?? lowest, lowest)
  const max = Math.min(row.max ?? highest, highest)
  if (value < min) throw new InvalidValueError(`must be at least ${formatValue(min, type)}`)
  if (value > max) throw new InvalidValueError(`must be at most ${formatValue(max, type)}`)
  return value
}

function checkAllowed(row: KeyRow, text: string): string {
  if (row.values === undefined || row.values.includes(text)) return text
  const last = row.values.at(-1)
  const others = row.values.slice(0, -1)
  throw new InvalidValueError(`must be ${others.length === 0 ? '' : `${others.join(', ')} or `}${last}`)
}

/** The text form, as Java writes it; null for a key that is not set. */
export function formatValue(value: NonNullable<ConfigValue>, type: KeyType): string
export function formatValue(value: ConfigValue, type: KeyType): string | null
export function formatValue(value: ConfigValue, type: KeyType): string | null {
  if (value === null) return null
  if (typeof value === 'number') return type === 'double' ? formatDouble(value) : formatInteger(value)
  return typeof value === 'object' ? value.join(',') : String(value)
}

function formatInteger(value: number): string {
  if (value >= LONG_MAX) return '9223372036854775807'
  return value <= -LONG_MAX ? '-9223372036854775808' : String(value)
}

/** `0.5`, `1.0`, and `1.0E7` for what is large or tiny. */
function formatDouble(value: number): string {
  const size = Math.abs(value)
  if (value === 0 || (size >= 1e-3 && size < 1e7)) return withFraction(String(value))
  const [digits, exponent] = value.toExponential().split('e') as [string, string]
  return `${withFraction(digits)}E${exponent.replace('+', '')}`
}

const withFraction = (digits: string): string => (digits.includes('.') ? digits : `${digits}.0`)
