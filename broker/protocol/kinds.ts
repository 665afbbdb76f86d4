/**
 * The types of values in messages, and how each is read and written: in flexible versions (KIP-482) lengths are
 * varints that count from 1, and every struct ends with a block of tagged fields.
 */
import { type ByteReader, MalformedFrameError } from './reader.ts'
import { includesVersion, type VersionRange } from './versions.ts'
import { ByteWriter } from './writer.ts'

export interface Codec {
  read(reader: ByteReader): unknown
  write(writer: ByteWriter, value: unknown): void
}

/** What a value is made of, for whoever walks over a message. */
export type Shape =
  | 'boolean'
  | 'int8'
  | 'int16'
  | 'uint16'
  | 'int32'
  | 'uint32'
  | 'int64'
  | 'float64'
  | 'uuid'
  | 'string'
  | 'bytes'
  | { readonly array: FieldTable }
  | { readonly struct: StructTable }

/** A type of value; `bind` gives its codec for one version of the message. */
export interface Kind {
  readonly shape: Shape
  bind(version: number, flexible: boolean, nullable: boolean): Codec
  implicitDefault(version: number): unknown
}

export interface FieldOptions {
  readonly versions: VersionRange
  readonly nullable: VersionRange
  readonly tagged: VersionRange
  readonly tag: number
  /** undefined: the kind's own (0, false, "", an empty array, a struct of defaults). */
  readonly defaultValue: unknown
}

/** A field as its struct sees it. */
export interface FieldTable {
  readonly kind: Kind
  readonly options: FieldOptions
}

export type StructTable = Readonly<Record<string, FieldTable>>

/** Values of a fixed size, the same in every version. */
export function fixedKind<T>(
  shape: Shape,
  read: (reader: ByteReader) => T,
  write: (writer: ByteWriter, value: T) => void,
  initial: T,
): Kind {
  const codec: Codec = { read, write: (writer, value) => write(writer, value as T) }
  return { shape, bind: () => codec, implicitDefault: () => initial }
}

/** Reads the length in front of a string, byte string or array: negative for null, which Apache Kafka writes as -1. */
function readLength(reader: ByteReader, flexible: boolean, short: boolean): number {
  if (flexible) return reader.unsignedVarint() - 1
  return short ? reader.int16() : reader.int32()
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

export const stringKind: Kind = {
  shape: 'string',
  implicitDefault: () => '',
  bind: (_version, flexible, nullable) =>
    lengthPrefixed<string>(flexible, nullable, true, {
      read: (reader, length) => reader.string(length),
      length: (value) => Buffer.byteLength(value),
      write: (writer, value, length) => writer.string(value, length),
    }),
}

const NO_BYTES = Buffer.alloc(0)

export const bytesKind: Kind = {
  shape: 'bytes',
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

export const recordsKind: Kind = {
  shape: 'bytes',
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

export function arrayKind(item: FieldTable): Kind {
  return {
    shape: { array: item },
    implicitDefault: () => [],
    bind(version, flexible, nullable) {
      const itemCodec = item.kind.bind(version, flexible, includesVersion(item.options.nullable, version))
      return lengthPrefixed<unknown[]>(flexible, nullable, false, {
        read(reader, length) {
          reader.takeElements(length)
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

function defaultOf(field: FieldTable, version: number): unknown {
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
export function structCodec(fields: StructTable, version: number, flexible: boolean): Codec {
  const untagged: BoundField[] = []
  const tagged = new Map<number, BoundField>()
  const absent: { name: string; field: FieldTable }[] = []
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

export function structKind(fields: StructTable): Kind {
  return {
    shape: { struct: fields },
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
