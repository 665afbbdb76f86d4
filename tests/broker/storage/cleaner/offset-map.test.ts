import * as fc from 'fast-check'
import { OffsetMap, SLOT_BYTES } from '../../../../broker/storage/cleaner/offset-map.ts'

const key = (text: string): Buffer => Buffer.from(text)

test('a key has the offset that it was put with last', () => {
  const map = new OffsetMap({ expectedKeys: 10, maxBytes: 1 << 20, loadFactor: 0.9 })
  map.put(key('a'), 0)
  map.put(key('b'), 1)
  map.put(key('a'), 7)
  expect(map.get(key('a'))).toBe(7)
  expect(map.get(key('b'))).toBe(1)
  expect(map.get(key('c'))).toBe(-1)
  expect(map.size).toBe(2)
})

test('an empty key and offset 0 are a key and an offset like others', () => {
  const map = new OffsetMap({ expectedKeys: 1, maxBytes: 1 << 20, loadFactor: 0.9 })
  expect(map.get(key(''))).toBe(-1)
  map.put(key(''), 0)
  expect(map.get(key(''))).toBe(0)
})

test('a full map takes known keys and refuses new ones', () => {
  const map = new OffsetMap({ expectedKeys: 1000, maxBytes: 10 * SLOT_BYTES, loadFactor: 0.5 })
  expect(map.capacity).toBe(5)
  for (let offset = 0; offset < 5; offset++) expect(map.put(key(`k${offset}`), offset)).toBe(true)
  expect(map.utilization).toBe(1)
  expect(map.put(key('another'), 5)).toBe(false)
  expect(map.put(key('k3'), 6)).toBe(true)
  expect(map.get(key('k3'))).toBe(6)
  expect(map.get(key('another'))).toBe(-1)
})

test('a load factor of 1 and more leaves the free slot at which a search ends', () => {
  const map = new OffsetMap({ expectedKeys: 1000, maxBytes: 10 * SLOT_BYTES, loadFactor: 3 })
  expect(map.capacity).toBe(9)
  for (let offset = 0; offset < 9; offset++) map.put(key(`k${offset}`), offset)
  expect(map.get(key('absent'))).toBe(-1)
})

test('all expected keys fit', () => {
  for (const expectedKeys of [0, 1, 2, 9, 10, 1000]) {
    const map = new OffsetMap({ expectedKeys, maxBytes: 1 << 20, loadFactor: 0.9 })
    expect(map.capacity).toBeGreaterThanOrEqual(expectedKeys)
  }
})

test('it answers as a plain map does, however keys collide', () => {
  const puts = fc.array(fc.tuple(fc.nat(60), fc.nat()), { maxLength: 200 })
  fc.assert(
    fc.property(puts, (entries) => {
      const map = new OffsetMap({ expectedKeys: 61, maxBytes: 1 << 20, loadFactor: 0.95 })
      const plain = new Map<number, number>()
      for (const [name, offset] of entries) {
        expect(map.put(key(`k${name}`), offset)).toBe(true)
        plain.set(name, offset)
      }
      for (let name = 0; name <= 60; name++) expect(map.get(key(`k${name}`))).toBe(plain.get(name) ?? -1)
      expect(map.size).toBe(plain.size)
    }),
    { numRuns: 50 },
  )
})
