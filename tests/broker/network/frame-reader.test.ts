import * as fc from 'fast-check'
import { FrameReader } from '../../../broker/network/frame-reader.ts'
import { MalformedFrameError } from '../../../broker/protocol/reader.ts'

const MAX_BYTES = 8 * 1024 * 1024

function framed(body: Buffer): Buffer {
  const prefix = Buffer.alloc(4)
  prefix.writeInt32BE(body.length)
  return Buffer.concat([prefix, body])
}

describe('a frame reader', () => {
  test('gives the same frames wherever the bytes are cut', () => {
    const bodies = fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 8 })
    const cuts = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1 })
    fc.assert(
      fc.property(bodies, cuts, (sent, sizes) => {
        const bytes = Buffer.concat(sent.map((body) => framed(Buffer.from(body))))
        const reader = new FrameReader(MAX_BYTES)
        const received: Buffer[] = []
        for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
          const end = at + sizes[turn % sizes.length]!
          received.push(...reader.push(bytes.subarray(at, end)))
          at = end
        }
        expect(received.map((frame) => [...frame])).toEqual(sent.map((body) => [...body]))
      }),
    )
  })

  test('assembles a frame larger than its first allocation', () => {
    const body = Buffer.alloc(5 * 1024 * 1024 + 3, 'kafka')
    const bytes = framed(body)
    const reader = new FrameReader(MAX_BYTES)
    const frames: Buffer[] = []
    for (let at = 0; at < bytes.length; at += 65_536)
      frames.push(...reader.push(bytes.subarray(at, at + 65_536)))
    expect(frames).toHaveLength(1)
    expect(frames[0]!.equals(body)).toBe(true)
  })

  test('does not copy a frame that lies whole in a chunk', () => {
    const chunk = framed(Buffer.from('whole'))
    const [frame] = new FrameReader(MAX_BYTES).push(chunk)
    expect(frame!.buffer).toBe(chunk.buffer)
  })

  test.each([-1, -(2 ** 31), MAX_BYTES + 1, 2 ** 31 - 1])('refuses a frame of %i bytes', (size) => {
    const prefix = Buffer.alloc(4)
    prefix.writeInt32BE(size)
    expect(() => new FrameReader(MAX_BYTES).push(prefix)).toThrow(MalformedFrameError)
  })

  test('takes little memory for a large frame that does not come', () => {
    const prefix = Buffer.alloc(5)
    prefix.writeInt32BE(100 * 1024 * 1024)
    const before = process.memoryUsage().arrayBuffers
    const readers = Array.from({ length: 20 }, () => new FrameReader(100 * 1024 * 1024))
    for (const reader of readers) reader.push(prefix)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(40 * 1024 * 1024)
  })
})
