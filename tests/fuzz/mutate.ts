/** Damages bytes in the ways in which hostile or broken clients do: a few random changes, of one kind each. */
import type { Random } from './random.ts'

type Mutation = (bytes: Buffer, random: Random) => Buffer

/** Lengths that lie: negative, the largest, and what a varint of five bytes makes of them. */
const LYING_LENGTHS = [
  'ffffffff',
  '7fffffff',
  '80000000',
  '00ffffff',
  'ffffffff0f',
  'ffffffffffffffffff01',
  '7fff',
  'ff7f',
]

const MUTATIONS: readonly Mutation[] = [
  function flipBit(bytes, random) {
    const at = random.below(bytes.length)
    bytes[at] = bytes[at]! ^ (1 << random.below(8))
    return bytes
  },
  function setByte(bytes, random) {
    bytes[random.below(bytes.length)] = random.pick([0x00, 0x01, 0x7f, 0x80, 0xff])
    return bytes
  },
  function cut(bytes, random) {
    return bytes.subarray(0, random.below(bytes.length))
  },
  function remove(bytes, random) {
    const from = random.below(bytes.length)
    const to = from + 1 + random.below(8)
    return Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)])
  },
  function insert(bytes, random) {
    const at = random.below(bytes.length)
    return Buffer.concat([bytes.subarray(0, at), random.bytes(1 + random.below(8)), bytes.subarray(at)])
  },
  function repeat(bytes, random) {
    const from = random.below(bytes.length)
    const part = bytes.subarray(from, from + 1 + random.below(64))
    return Buffer.concat([bytes.subarray(0, from), part, part, bytes.subarray(from)])
  },
  function lieAboutLength(bytes, random) {
    const lie = Buffer.from(random.pick(LYING_LENGTHS), 'hex')
    lie.copy(bytes, random.below(bytes.length))
    return bytes
  },
]

export function mutate(bytes: Buffer, random: Random): Buffer {
  let mutated: Buffer = Buffer.from(bytes)
  for (let left = 1 + random.below(4); left > 0 && mutated.length > 0; left -= 1) {
    mutated = random.pick(MUTATIONS)(mutated, random)
  }
  return mutated
}
