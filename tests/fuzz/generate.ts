/** Random values of a message, from its table: what a client may send in a version, edges included. */
import type { FieldTable, Shape, StructTable } from '../../broker/protocol/kinds.ts'
import { includesVersion } from '../../broker/protocol/versions.ts'
import type { Random } from './random.ts'

const MAX_ELEMENTS = 4
const NULL_CHANCE = 0.15
const LEFT_OUT_CHANCE = 0.5

const TEXTS = ['', 'a', 'topic-1', 'é', '漢字', '\u0000', '😀', 'x'.repeat(249), 'y'.repeat(300)]

type Generator = (random: Random) => unknown

/** Small numbers, and those at the edges of a type that its encoding keeps exactly. */
function integer(...edges: readonly number[]): Generator {
  return (random) => (random.chance(0.5) ? random.below(100) : random.pick(edges))
}

const GENERATORS: Readonly<Record<Extract<Shape, string>, Generator>> = {
  boolean: (random) => random.chance(0.5),
  int8: integer(-1, 127, -128),
  int16: integer(-1, 32_767, -32_768),
  uint16: integer(65_535),
  int32: integer(-1, 2 ** 31 - 1, -(2 ** 31)),
  uint32: integer(2 ** 32 - 1),
  int64: integer(-1, 2 ** 53, -(2 ** 53), 2 ** 32, -(2 ** 32) - 1, -(2 ** 63)),
  float64: (random) => random.pick([0, 1.5, -1e300, Infinity]),
  uuid: (random) => random.bytes(16).toString('base64url'),
  string: (random) => random.pick(TEXTS),
  bytes: (random) => random.bytes(random.pick([0, 1, 61, 100, 2000])),
}

export function generateStruct(
  fields: StructTable,
  version: number,
  random: Random,
): Record<string, unknown> {
  const value: Record<string, unknown> = {}
  for (const [name, field] of Object.entries(fields)) {
    const { options } = field
    if (!includesVersion(options.versions, version)) continue
    // A tagged field that is left out takes its default.
    if (includesVersion(options.tagged, version) && random.chance(LEFT_OUT_CHANCE)) continue
    value[name] = generateField(field, version, random)
  }
  return value
}

function generateField({ kind, options }: FieldTable, version: number, random: Random): unknown {
  const nullable = includesVersion(options.nullable, version)
  if (nullable && random.chance(NULL_CHANCE)) return null
  return generateShape(kind.shape, version, random)
}

function generateShape(shape: Shape, version: number, random: Random): unknown {
  if (typeof shape === 'string') return GENERATORS[shape](random)
  if ('struct' in shape) return generateStruct(shape.struct, version, random)
  return Array.from({ length: random.below(MAX_ELEMENTS) }, () => generateField(shape.array, version, random))
}
