/** The names of the files of a partition: Kafka's, twenty digits of the first offset and a suffix. */

export const SEGMENT_SUFFIXES = ['.log', '.index', '.timeindex', '.txnindex'] as const
export type SegmentSuffix = (typeof SEGMENT_SUFFIXES)[number]
export type OffsetSuffix = SegmentSuffix | '.snapshot'

/**
 * What follows the name of a segment's file while it is not in use: written by the cleaner, on its way to replace
 * others (KIP-58's order: .cleaned, .swap, none), about to be removed, or set aside by a recovery for people to look at.
 */
export const CLEANED = '.cleaned'
export const SWAP = '.swap'
export const DELETED = '.deleted'
export const LOST = '.lost'
export type SegmentState = '' | typeof CLEANED | typeof SWAP

export function offsetFileName(offset: number, suffix: OffsetSuffix | ''): string {
  return `${String(offset).padStart(20, '0')}${suffix}`
}

/** The offset in the name of a file with this suffix, or undefined for another file. */
export function offsetOfFile(name: string, suffix: OffsetSuffix): number | undefined {
  const match = /^(\d{20})(\.[a-z]+)$/.exec(name)
  return match !== null && match[2] === suffix ? Number(match[1]) : undefined
}

export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

export function partitionDirectoryName(topic: string, partition: number): string {
  return `${topic}-${partition}`
}

/** undefined for a name that is not `<topic>-<partition>`. */
export function parsePartitionDirectory(name: string): TopicPartition | undefined {
  const match = /^([a-zA-Z0-9._-]{1,249})-(0|[1-9]\d{0,9})$/.exec(name)
  return match === null ? undefined : { topic: match[1]!, partition: Number(match[2]) }
}

/** Longest name of a directory entry. */
const MAX_NAME = 255
const FUTURE = '-future'

/** The name that a partition's directory takes while its files wait to be removed. `uuidHex`: 32 hex digits. */
export function deletedDirectoryName(topic: string, partition: number, uuidHex: string): string {
  const suffix = `-${partition}.${uuidHex}-delete`
  return `${topic.slice(0, MAX_NAME - suffix.length)}${suffix}`
}

/**
 * The name of a partition's directory while it is a copy that is being made; longer than a name may be for topics with
 * very long names. `uuidHex`: 32 hex digits.
 */
export function futureDirectoryName(topic: string, partition: number, uuidHex: string): string {
  return `${partitionDirectoryName(topic, partition)}.${uuidHex}${FUTURE}`
}

/** Whether a copy of the partition can have a name. */
export function canHaveFuture(topic: string, partition: number): boolean {
  return futureDirectoryName(topic, partition, '0'.repeat(32)).length <= MAX_NAME
}

/** undefined for another name than that of a copy. */
export function parseFutureDirectory(name: string): TopicPartition | undefined {
  const match = /^(.*)\.[0-9a-f]{32}-future$/.exec(name)
  return match === null ? undefined : parsePartitionDirectory(match[1]!)
}

export function isDeletedDirectory(name: string): boolean {
  return /\.[0-9a-f]{32}-delete$/.test(name)
}
