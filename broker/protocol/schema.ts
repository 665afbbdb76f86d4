/**
 * Tables of messages: each field with its type and the versions that have it. From one table come the decoder,
 * the encoder and the TypeScript types of both directions.
 *
 * A decoded message has every field, those that its version lacks at their defaults, so that a handler sees one
 * shape. To encode, fields with a default, or absent from some version, may be left out; what the version lacks
 * is dropped.
 */
import {
  arrayKind,
  bytesKind,
  type Codec,
  type FieldOptions,
  fixedKind,
  type Kind,
  recordsKind,
  type RecordsToSend,
  type Shape,
  stringKind,
  structCodec,
  structKind,
} from './kinds.ts'
import type { ByteReader } from './reader.ts'
import { EVERY_VERSION, includesVersion, NO_VERSION, parseVersions, type VersionRange } from './versions.ts'
import type { ByteWriter } from './writer.ts'

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
  shape: Shape,
  read: (reader: ByteReader) => T,
  write: (writer: ByteWriter, value: T) => void,
  initial: T,
): Field<T> {
  return new Field<T>(fixedKind(shape, read, write, initial))
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
    'boolean',
    (reader) => reader.boolean(),
    (writer, value) => writer.boolean(value),
    false,
  ),
  int8: fixed(
    'int8',
    (reader) => reader.int8(),
    (writer, value) => writer.int8(value),
    0,
  ),
  int16: fixed(
    'int16',
    (reader) => reader.int16(),
    (writer, value) => writer.int16(value),
    0,
  ),
  uint16: fixed(
    'uint16',
    (reader) => reader.uint16(),
    (writer, value) => writer.uint16(value),
    0,
  ),
  int32: fixed(
    'int32',
    (reader) => reader.int32(),
    (writer, value) => writer.int32(value),
    0,
  ),
  uint32: fixed(
    'uint32',
    (reader) => reader.uint32(),
    (writer, value) => writer.uint32(value),
    0,
  ),
  int64: fixed(
    'int64',
    (reader) => reader.int64(),
    (writer, value) => writer.int64(value),
    0,
  ),
  float64: fixed(
    'float64',
    (reader) => reader.float64(),
    (writer, value) => writer.float64(value),
    0,
  ),
  /** 22 characters of base64url; ZERO_UUID where there is none. */
  uuid: fixed(
    'uuid',
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
  readonly fields: F
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
    fields: table.fields,
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
