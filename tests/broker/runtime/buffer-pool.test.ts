import { BufferPool } from '../../../broker/runtime/buffer-pool.ts'

describe('a pool of buffers', () => {
  test('gives what was given back to it, to whoever needs as much or less', () => {
    const pool = new BufferPool(1_000_000)
    const first = pool.take(70_000)
    expect(first).toHaveLength(131_072)
    pool.give(first)
    expect(pool.freeBytes).toBe(131_072)
    expect(pool.take(131_072)).toBe(first)
    expect(pool.freeBytes).toBe(0)
    expect(pool.take(65_537)).not.toBe(first)
  })

  test('has buffers of a power of two, at least of 4 KiB', () => {
    const pool = new BufferPool(1_000_000)
    expect([0, 1, 4096, 4097, 1_000_000].map((size) => pool.take(size).length)).toEqual([
      4096, 4096, 4096, 8192, 1_048_576,
    ])
  })

  test('keeps no more than it may', () => {
    const pool = new BufferPool(10_000)
    const buffers = [pool.take(4096), pool.take(4096), pool.take(4096)]
    for (const buffer of buffers) pool.give(buffer)
    expect(pool.freeBytes).toBe(8192)
  })
})
