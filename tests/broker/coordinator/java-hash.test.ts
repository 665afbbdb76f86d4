import { javaHash, partitionOfKey } from '../../../broker/coordinator/java-hash.ts'

/** From Java: "…".hashCode(). */
test.each([
  ['', 0],
  ['a', 97],
  ['console-consumer-12345', 158455506],
  ['polygenelubricants', -2147483648],
  ['größe', 98762257],
  ['🙂', 1772965],
])('the hash of %p is %p, as in Java', (text, hash) => {
  expect(javaHash(text)).toBe(hash)
})

test('a group whose hash has no positive counterpart belongs to partition 0', () => {
  expect(partitionOfKey('polygenelubricants', 50)).toBe(0)
})

test('every group belongs to a partition that exists', () => {
  for (let index = 0; index < 1000; index++) {
    const partition = partitionOfKey(`group-${index}-ünïcödé`, 50)
    expect(partition).toBeGreaterThanOrEqual(0)
    expect(partition).toBeLessThan(50)
  }
})
