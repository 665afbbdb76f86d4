/**
 * Tables of messages: each field with its type and the versions that have it. From one table come the decoder,
 * the encoder and the TypeScript types of both directions.
 *
 * A decoded message has every field, those that its version lacks at their defaults, so that a handler sees one
 * shape. To encode, fields with a default, or absent from some version, may be left out; what the version lacks
 * is dropped.
 */
import { type ByteReader, MalformedFrameError } from './reader.ts'
import { ByteWriter } from './writer.ts'

export interface VersionRange {
  readonly min: number
  readonly max: number
}

const EVERY_VERSION: VersionRange = { min: 0, max: 0x7fff }
const NO_VERSION: VersionRange = { min: 1, max: 0 }

/** "3", "3-5", "3+" or "none". */
export function parseVersions(text: string): VersionRange {
  if (text === 'none') return NO_VERSION
  const match = /^(\d+)(?:(\+)|-(\d+))?$/.exec(text)
  if (match === null) throw new RangeError(`"${text}" is not a version range such as "3", "3-5" or "3+"`)
  const min = Number(match[1])
  if (match[2] !== undefined) return { min, max: EVERY_VERSION.max }
  return { min, max: match[3] === undefined ? min : Number(match[3]) }
}

export function includesVersion(range: VersionRange, version: number): boolean {
  return version >= range.min && version <= range.max
}

interface Codec {
  read(reader: ByteReader): unknown
  write(writer: ByteWriter, value: unknown): void
}

/** A type of value; `bind` gives its codec for one version of the message. */
interface Kind {
  bind(version: number, flexible: boolean, nullable: boolean): Codec
  implicitDefault(version: number): unknown
}

interface FieldOptions {
  readonly versions: VersionRange
  readonly nullable: VersionRange
  readonly tagged: VersionRange
  readonly tag: number
  /** undefined: the kind's own (0, false, "", an empty array, a struct of defaults). */
  readonly defaultValue: unknown
}

/**
 * One field. `Out` is what decoding gives, `In` what encoding takes, `Optional` whether encoding may leave it out.
 */
export class Field<Out, In = Out, Optional extends boolean = false> {
  /** Carries the types; there is never a value. */
  declare readonly types: { out: Out; in: In; optional: Optional }
  readonly kind: Kind
  readonly options: FieldOptions

  constructor(kind: Kind, options: Partial<FieldOptions> = {}) {
    this.kind = kind
    this.options = {
      versions: EVERY_VERSION,
      nullable: NO_VERSION,
      tagged: NO_VERSION,
      tag: -1,
      defaultValue: undefined,
      ...options,
    }
  }

  #with<O, I, Opt extends boolean>(options: Partial<FieldOptions>): Field<O, I, Opt> {
    return new Field<O, I, Opt>(this.kind, { ...this.options, ...options })
  }

  /** The versions that have this field. */
  versions(range: string): Field<Out, In, true> {
    return this.#with({ versions: parseVersions(range) })
  }

  /** The versions in which it may be null; all of them unless told otherwise. */
  nullable(range = '0+'): Field<Out | null, In | null, Optional> {
    return this.#with({ nullable: parseVersions(range) })
  }

  /** The value where it is absent. */
  default(value: In): Field<Out, In, true> {
    return this.#with({ defaultValue: value })
  }

  /** Travels in the tagged block, and only when it differs from its default. */
  tagged(tag: number, range = '0+'): Field<Out, In, true> {
    return this.#with({ tag, tagged: parseVersions(range) })
  }
}

// oxlint-disable-next-line typescript/no-explicit-any -- a field of any type, and only inferred from
type AnyField = Field<any, any, boolean>
export type Fields = Readonly<Record<string, AnyField>>

type Flatten<T> = { [K in keyof T]: T[K] }
type OptionalKeys<F extends Fields> = {
  [K in keyof F]: F[K]['types']['optional'] extends true ? K : never
}[keyof F]

/** A struct as decoding gives it: every field present. */
export type Decoded<F extends Fields> = { [K in keyof F]: F[K]['types']['out'] }
/** A struct as encoding takes it. */
export type Encodable<F extends Fields> = Flatten<
  { readonly [K in Exclude<keyof F, OptionalKeys<F>>]: F[K]['types']['in'] } & {
    readonly [K in OptionalKeys<F>]?: F[K]['types']['in'] | undefined
  }
>

function fixed<T>(
  read: (reader: ByteReader) => T,
  write: (writer: ByteWriter, value: T) => void,
  initial: T,
): Field<T> {
  const codec: Codec = { read, write: (writer, value) => write(writer, value as T) }
  return new Field<T>({ bind: () => codec, implicitDefault: () => initial })
}

/** Reads the length in front of a string, byte string or array: -1 for null. */
function readLength(reader: ByteReader, flexible: boolean, short: boolean): number {
  if (flexible) return reader.unsignedVarint() - 1
  const length = short ? reader.int16() : reader.int32()
  if (length < -1)
    throw new MalformedFrameError(`the length ${length} at byte ${reader.position} is negative`)
  return length
}

function writeLength(writer: ByteWriter, length: number, flexible: boolean, short: boolean): void {
  if (flexible) writer.unsignedVarint(length + 1)
  else if (!short) writer.int32(length)
  else if (length <= 0x7fff) writer.int16(length)
  else throw new RangeError(`a string of ${length} bytes does not fit a non-flexible version (32767 bytes)`)
}

/** Wraps a codec of non-null values whose length goes in front, null being the length -1. */
function lengthPrefixed<T>(
  flexible: boolean,
  nullable: boolean,
  short: boolean,
  body: {
    read(reader: ByteReader, length: number): T
    length(value: T): number
    write(writer: ByteWriter, value: T, length: number): void
  },
): Codec {
  return {
    read(reader) {
      const length = readLength(reader, flexible, short)
      if (length >= 0) return body.read(reader, length)
      if (nullable) return null
      throw new MalformedFrameError(`null at byte ${reader.position}, where the field may not be null`)
    },
    write(writer, value) {
      if (value === null) {
        if (!nullable) throw new TypeError('null in a field that may not be null in this version')
        return writeLength(writer, -1, flexible, short)
      }
      const length = body.length(value as T)
      writeLength(writer, length, flexible, short)
      body.write(writer, value as T, length)
    },
  }
}

const stringKind: Kind = {
  implicitDefault: () => '',
  bind: (_version, flexible, nullable) =>
    lengthPrefixed<string>(flexible, nullable, true, {
      read: (reader, length) => reader.string(length),
      length: (value) => Buffer.byteLength(value),
      write: (writer, value, length) => writer.string(value, length),
    }),
}

const NO_BYTES = Buffer.alloc(0)

const bytesKind: Kind = {
  implicitDefault: () => NO_BYTES,
  bind: (_version, flexible, nullable) =>
    lengthPrefixed<Buffer>(flexible, nullable, false, {
      read: (reader, length) => reader.bytes(length),
      length: (value) => value.length,
      write: (writer, value) => writer.bytes(value),
    }),
}

/** Several buffers that follow one another on the wire: batches read from several segments. */
export type RecordsToSend = Buffer | readonly Buffer[]

const recordsKind: Kind = {
  implicitDefault: () => NO_BYTES,
  bind: (_version, flexible, nullable) =>
    lengthPrefixed<RecordsToSend>(flexible, nullable, false, {
      read: (reader, length) => reader.bytes(length),
      length: (value) =>
        Buffer.isBuffer(value) ? value.length : value.reduce((sum, part) => sum + part.length, 0),
      write(writer, value) {
        if (Buffer.isBuffer(value)) writer.bytes(value)
        else for (const part of value) writer.bytes(part)
      },
    }),
}

function arrayKind(item: AnyField): Kind {
  return {
    implicitDefault: () => [],
    bind(version, flexible, nullable) {
      const itemCodec = item.kind.bind(version, flexible, includesVersion(item.options.nullable, version))
      return lengthPrefixed<unknown[]>(flexible, nullable, false, {
        read(reader, length) {
          // Every element takes a byte at least, so a count beyond what is left is a lie.
          if (length > reader.remaining) {
            throw new MalformedFrameError(
              `an array of ${length} elements at byte ${reader.position}, where ${reader.remaining} bytes are left`,
            )
          }
          const items: unknown[] = []
          for (let index = 0; index < length; index += 1) items.push(itemCodec.read(reader))
          return items
        },
        length: (value) => value.length,
        write(writer, value) {
          for (const element of value) itemCodec.write(writer, element)
        },
      })
    },
  }
}

interface BoundField {
  readonly name: string
  readonly codec: Codec
  readonly defaultValue: unknown
}

function defaultOf(field: AnyField, version: number): unknown {
  return field.options.defaultValue === undefined
    ? field.kind.implicitDefault(version)
    : field.options.defaultValue
}

function isDefault(value: unknown, defaultValue: unknown): boolean {
  if (value === defaultValue || value === undefined) return true
  if (Array.isArray(value) && Array.isArray(defaultValue))
    return value.length === 0 && defaultValue.length === 0
  if (Buffer.isBuffer(value) && Buffer.isBuffer(defaultValue)) return value.equals(defaultValue)
  if (value === null || defaultValue === null || typeof value !== 'object') return false
  const expected = defaultValue as Record<string, unknown>
  return Object.entries(value).every(([name, part]) => isDefault(part, expected[name]))
}

/** The codec of a struct, one loop over its fields; in flexible versions the tagged block ends it. */
function structCodec(fields: Fields, version: number, flexible: boolean): Codec {
  const untagged: BoundField[] = []
  const tagged = new Map<number, BoundField>()
  const absent: { name: string; field: AnyField }[] = []
  for (const [name, field] of Object.entries(fields)) {
    const { options } = field
    if (!includesVersion(options.versions, version)) {
      absent.push({ name, field })
      continue
    }
    const nullable = includesVersion(options.nullable, version)
    const codec = field.kind.bind(version, flexible, nullable)
    const bound = { name, codec, defaultValue: defaultOf(field, version) }
    if (includesVersion(options.tagged, version)) tagged.set(options.tag, bound)
    else untagged.push(bound)
  }
  const tags = [...tagged.keys()].toSorted((a, b) => a - b)

  const readTagged = (reader: ByteReader, out: Record<string, unknown>): void => {
    for (const { name, defaultValue } of tagged.values()) out[name] = defaultValue
    for (let count = reader.unsignedVarint(); count > 0; count -= 1) {
      const tag = reader.unsignedVarint()
      const size = reader.unsignedVarint()
      const end = reader.position + size
      const bound = tagged.get(tag)
      if (bound === undefined) {
        reader.bytes(size)
        continue
      }
      out[bound.name] = bound.codec.read(reader)
      if (reader.position !== end) {
        throw new MalformedFrameError(
          `the tagged field ${bound.name} is not the ${size} bytes that it claims`,
        )
      }
    }
  }

  const writeTagged = (writer: ByteWriter, value: Record<string, unknown>): void => {
    const present = tags.filter((tag) => {
      const bound = tagged.get(tag)!
      return !isDefault(value[bound.name], bound.defaultValue)
    })
    writer.unsignedVarint(present.length)
    for (const tag of present) {
      const { name, codec } = tagged.get(tag)!
      const body = new ByteWriter(64)
      codec.write(body, value[name])
      writer.unsignedVarint(tag)
      writer.unsignedVarint(body.size)
      writer.append(body)
    }
  }

  return {
    read(reader) {
      const out: Record<string, unknown> = {}
      for (const { name, codec } of untagged) out[name] = codec.read(reader)
      for (const { name, field } of absent) out[name] = defaultOf(field, version)
      if (flexible) readTagged(reader, out)
      return out
    },
    write(writer, value) {
      const struct = value as Record<string, unknown>
      for (const { name, codec, defaultValue } of untagged) {
        const part = struct[name]
        codec.write(writer, part === undefined ? defaultValue : part)
      }
      if (flexible) writeTagged(writer, struct)
    },
  }
}

function structKind(fields: Fields): Kind {
  return {
    implicitDefault: (version) =>
      Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, defaultOf(field, version)])),
    bind(version, flexible, nullable) {
      const codec = structCodec(fields, version, flexible)
      if (!nullable) return codec
      return {
        read: (reader) => (reader.int8() < 0 ? null : codec.read(reader)),
        write(writer, value) {
          writer.int8(value === null ? -1 : 1)
          if (value !== null) codec.write(writer, value)
        },
      }
    },
  }
}

function struct<F extends Fields>(fields: F): Field<Decoded<F>, Encodable<F>> {
  return new Field(structKind(fields))
}

function array<Out, In, Optional extends boolean>(item: Field<Out, In, Optional>): Field<Out[], readonly In[]>
function array<F extends Fields>(fields: F): Field<Decoded<F>[], readonly Encodable<F>[]>
function array(item: AnyField | Fields): AnyField {
  return new Field(arrayKind(item instanceof Field ? item : struct(item)))
}

/** The types that fields are made of. Integers are numbers; int64 is exact up to 2^53 (see ByteReader.int64). */
export const t = {
  boolean: fixed(
    (reader) => reader.boolean(),
    (writer, value) => writer.boolean(value),
    false,
  ),
  int8: fixed(
    (reader) => reader.int8(),
    (writer, value) => writer.int8(value),
    0,
  ),
  int16: fixed(
    (reader) => reader.int16(),
    (writer, value) => writer.int16(value),
    0,
  ),
  uint16: fixed(
    (reader) => reader.uint16(),
    (writer, value) => writer.uint16(value),
    0,
  ),
  int32: fixed(
    (reader) => reader.int32(),
    (writer, value) => writer.int32(value),
    0,
  ),
  uint32: fixed(
    (reader) => reader.uint32(),
    (writer, value) => writer.uint32(value),
    0,
  ),
  int64: fixed(
    (reader) => reader.int64(),
    (writer, value) => writer.int64(value),
    0,
  ),
  float64: fixed(
    (reader) => reader.float64(),
    (writer, value) => writer.float64(value),
    0,
  ),
  /** 22 characters of base64url; ZERO_UUID where there is none. */
  uuid: fixed(
    (reader) => reader.uuid(),
    (writer, value) => writer.uuid(value),
    'AAAAAAAAAAAAAAAAAAAAAA',
  ),
  string: new Field<string>(stringKind),
  bytes: new Field<Buffer>(bytesKind),
  /** Record batches, opaque here: a view of the frame when decoded, sent from where they lie when encoded. */
  records: new Field<Buffer, RecordsToSend>(recordsKind),
  array,
  struct,
} as const

/** The zero UUID in text form: "no id". */
export const ZERO_UUID = 'AAAAAAAAAAAAAAAAAAAAAA'

/** A versioned message: both directions of one table. */
export interface Message<F extends Fields> {
  readonly name: string
  readonly versions: VersionRange
  readonly flexible: VersionRange
  /** Throws MalformedFrameError where the bytes do not follow the table. */
  decode(version: number, reader: ByteReader): Decoded<F>
  encode(version: number, value: Encodable<F>, writer: ByteWriter): void
}

export function defineMessage<const F extends Fields>(table: {
  name: string
  versions: string
  flexible: string
  fields: F
}): Message<F> {
  const versions = parseVersions(table.versions)
  const flexible = parseVersions(table.flexible)
  const codecs = new Map<number, Codec>()
  const codecOf = (version: number): Codec => {
    let codec = codecs.get(version)
    if (codec === undefined) {
      if (!includesVersion(versions, version)) {
        throw new RangeError(`${table.name} has versions ${table.versions}, not ${version}`)
      }
      codec = structCodec(table.fields, version, includesVersion(flexible, version))
      codecs.set(version, codec)
    }
    return codec
  }
  return {
    name: table.name,
    versions,
    flexible,
    decode: (version, reader) => codecOf(version).read(reader) as Decoded<F>,
    encode: (version, value, writer) => codecOf(version).write(writer, value),
  }
}

/** One API of the protocol: its key and the tables of its two messages. */
export interface Api<Request extends Fields = Fields, Response extends Fields = Fields> {
  readonly key: number
  readonly name: string
  readonly versions: VersionRange
  readonly flexible: VersionRange
  readonly request: Message<Request>
  readonly response: Message<Response>
}

export function defineApi<const Request extends Fields, const Response extends Fields>(table: {
  key: number
  name: string
  /** The versions that the tables describe, and that are served. */
  versions: string
  flexible: string
  request: Request
  response: Response
}): Api<Request, Response> {
  const { key, name, versions, flexible } = table
  return {
    key,
    name,
    versions: parseVersions(versions),
    flexible: parseVersions(flexible),
    request: defineMessage({ name: `${name}Request`, versions, flexible, fields: table.request }),
    response: defineMessage({ name: `${name}Response`, versions, flexible, fields: table.response }),
  }
}

// oxlint-disable-next-line typescript/no-explicit-any -- any API, and only inferred from
export type AnyApi = Api<any, any>

/** What a handler of `A` receives. */
export type RequestOf<A extends AnyApi> = A extends Api<infer Request, infer _> ? Decoded<Request> : never
/** What a handler of `A` answers. */
export type ResponseOf<A extends AnyApi> =
  A extends Api<infer _, infer Response> ? Encodable<Response> : never
/** What a client of `A` sends. */
export type RequestToSend<A extends AnyApi> =
  A extends Api<infer Request, infer _> ? Encodable<Request> : never
/** What a client of `A` gets back. */
export type DecodedResponse<A extends AnyApi> =
  A extends Api<infer _, infer Response> ? Decoded<Response> : never
/** What a message's bytes decode to. */
export type DecodedMessage<M> = M extends Message<infer F> ? Decoded<F> : never
