/** Where a key belongs: Java's String.hashCode over UTF-16 units, so that clients, tools and Apache Kafka agree with us. */

/** `String.hashCode()`: a signed 32-bit number. */
export function javaHash(text: string): number {
  let hash = 0
  for (let index = 0; index < text.length; index++) hash = (Math.imul(hash, 31) + text.charCodeAt(index)) | 0
  return hash
}

/** The partition, of `partitionCount`, of an internal topic that keeps the state of `key` (a group, a transactional id). */
export function partitionOfKey(key: string, partitionCount: number): number {
  const hash = javaHash(key)
  return (hash === -0x8000_0000 ? 0 : Math.abs(hash)) % partitionCount
}
