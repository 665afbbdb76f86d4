/**
 * The headers of requests and responses. Their versions follow from the API: a flexible version has request
 * header v2 and response header v1, any other request header v1 and response header v0; ApiVersions always
 * answers with header v0, so that a client of any age can read it (KIP-511).
 */
import type { ByteReader } from './reader.ts'
import { type AnyApi, t } from './schema.ts'
import { includesVersion } from './versions.ts'
import type { ByteWriter } from './writer.ts'

const API_VERSIONS_KEY = 18

export interface RequestHeader {
  readonly apiKey: number
  readonly apiVersion: number
  readonly correlationId: number
  readonly clientId: string | null
}

/** The first 8 bytes, which every request has whatever its API and version. */
export function decodeRequestPrefix(reader: ByteReader): Omit<RequestHeader, 'clientId'> {
  return { apiKey: reader.int16(), apiVersion: reader.int16(), correlationId: reader.int32() }
}

const clientIdCodec = t.string.kind.bind(0, false, true)

/** What follows the prefix: the client id, never compact, then in flexible versions the tagged fields. */
export function decodeClientId(reader: ByteReader, flexible: boolean): string | null {
  const clientId = clientIdCodec.read(reader) as string | null
  if (flexible) skipTaggedFields(reader)
  return clientId
}

function skipTaggedFields(reader: ByteReader): void {
  for (let count = reader.unsignedVarint(); count > 0; count -= 1) {
    reader.unsignedVarint()
    reader.bytes(reader.unsignedVarint())
  }
}

export function encodeRequestHeader(
  api: AnyApi,
  header: Omit<RequestHeader, 'apiKey'>,
  writer: ByteWriter,
): void {
  writer.int16(api.key)
  writer.int16(header.apiVersion)
  writer.int32(header.correlationId)
  clientIdCodec.write(writer, header.clientId)
  if (includesVersion(api.flexible, header.apiVersion)) writer.unsignedVarint(0)
}

/** Writes what precedes the body of an answer to `version` of `api`. */
export function encodeResponseHeader(
  api: AnyApi,
  version: number,
  correlationId: number,
  writer: ByteWriter,
): void {
  writer.int32(correlationId)
  if (hasTaggedResponseHeader(api, version)) writer.unsignedVarint(0)
}

/** Reads it, and returns the correlation id. */
export function decodeResponseHeader(api: AnyApi, version: number, reader: ByteReader): number {
  const correlationId = reader.int32()
  if (hasTaggedResponseHeader(api, version)) skipTaggedFields(reader)
  return correlationId
}

function hasTaggedResponseHeader(api: AnyApi, version: number): boolean {
  return api.key !== API_VERSIONS_KEY && includesVersion(api.flexible, version)
}
