/**
 * What batches must satisfy before they are appended, as far as their headers tell: a leader's by the settings of the
 * topic (record-check.ts looks at records), a follower's by its log.
 */
import type { TopicConfig } from '../config/topic-config.ts'
import type { Codec } from '../protocol/compression.ts'
import { KafkaError } from '../protocol/errors.ts'
import {
  BATCH_HEADER_BYTES,
  BATCH_OVERHEAD_BYTES,
  BatchView,
  splitBatches,
} from '../protocol/record-batch.ts'
import type { AppendOrigin } from './producer-state.ts'

const MAGIC = 2
/** The least that follows the length in a message of any format. */
const MIN_LENGTH = 14

/** How the bytes of a codec begin. Snappy has no mark of its own. */
const BEGINNINGS: Readonly<Partial<Record<Codec, Buffer>>> = {
  gzip: Buffer.from([0x1f, 0x8b]),
  lz4: Buffer.from([0x04, 0x22, 0x4d, 0x18]),
  zstd: Buffer.from([0x28, 0xb5, 0x2f, 0xfd]),
}

/**
 * The one batch in `records`, whole and intact. Bytes behind it that are not a whole batch do not count. The
 * coordinator's own batches are not bound by size.
 * Throws MESSAGE_TOO_LARGE, RECORD_LIST_TOO_LARGE, CORRUPT_MESSAGE or INVALID_RECORD.
 */
export function checkHeader(records: Buffer, origin: AppendOrigin, config: TopicConfig): BatchView {
  const batch = onlyBatch(records)
  checkSize(batch.sizeBytes, origin, config)
  if (!batch.isIntact()) {
    throw new KafkaError('CORRUPT_MESSAGE', 'the checksum of the batch does not match its content')
  }
  const problem = headerProblem(batch, origin) ?? codecProblem(batch)
  if (problem !== undefined) throw new KafkaError('INVALID_RECORD', problem)
  return batch
}

/** Whether a batch of that size may be appended. Throws MESSAGE_TOO_LARGE or RECORD_LIST_TOO_LARGE. */
export function checkSize(sizeBytes: number, origin: AppendOrigin, config: TopicConfig): void {
  const maxBytes = config.get('max.message.bytes')
  if (sizeBytes > maxBytes && origin === 'client') {
    throw new KafkaError(
      'MESSAGE_TOO_LARGE',
      `a batch of ${sizeBytes} bytes; the topic's max.message.bytes is ${maxBytes}`,
    )
  }
  const segmentBytes = config.get('segment.bytes')
  if (sizeBytes > segmentBytes) {
    throw new KafkaError(
      'RECORD_LIST_TOO_LARGE',
      `a batch of ${sizeBytes} bytes; the topic's segment.bytes is ${segmentBytes}`,
    )
  }
}

/** Whether these bytes are one batch at all, whatever is in it. */
export function isOneBatch(records: Buffer): boolean {
  try {
    onlyBatch(records)
    return true
  } catch {
    return false
  }
}

function onlyBatch(records: Buffer): BatchView {
  const batch = wholeBatchAt(records, 0)
  if (batch === undefined) {
    throw new KafkaError('INVALID_RECORD', `${records.length} bytes that hold no whole record batch`)
  }
  if (batch.magic !== MAGIC) {
    throw new KafkaError(
      'INVALID_RECORD',
      `messages of format ${batch.magic}; only record batches (2) are served`,
    )
  }
  if (batch.sizeBytes < BATCH_HEADER_BYTES) {
    throw corrupt(`of ${batch.sizeBytes} bytes is smaller than its header, ${BATCH_HEADER_BYTES}`)
  }
  if (wholeBatchAt(records, batch.sizeBytes) !== undefined) {
    throw new KafkaError('INVALID_RECORD', 'more than one batch for the partition; one is allowed')
  }
  return batch
}

/** What begins at `position`, of any format; undefined where not all of it is there. Throws CORRUPT_MESSAGE. */
function wholeBatchAt(records: Buffer, position: number): BatchView | undefined {
  const left = records.length - position
  if (left < BATCH_OVERHEAD_BYTES) return undefined
  const batch = new BatchView(records, position)
  const length = batch.sizeBytes - BATCH_OVERHEAD_BYTES
  if (length < MIN_LENGTH)
    throw corrupt(`says that ${length} bytes follow its length; there are ${MIN_LENGTH} at least`)
  if (left < MIN_LENGTH + BATCH_OVERHEAD_BYTES || batch.sizeBytes > left) return undefined
  if (batch.magic < 0 || batch.magic > MAGIC) throw corrupt(`has the unknown magic ${batch.magic}`)
  return batch
}

function corrupt(what: string): KafkaError {
  return new KafkaError('CORRUPT_MESSAGE', `the batch ${what}`)
}

function headerProblem(batch: BatchView, origin: AppendOrigin): string | undefined {
  if (batch.isControl && origin === 'client') return 'clients may not write control batches'
  if (batch.baseOffset !== 0) return `the base offset is ${batch.baseOffset}; clients send 0`
  if (batch.recordCount <= 0) return `the batch has ${batch.recordCount} records`
  if (batch.recordCount !== batch.lastOffsetDelta + 1) {
    return `the batch has ${batch.recordCount} records, but its last offset delta is ${batch.lastOffsetDelta}`
  }
  if (batch.producerId >= 0 && batch.baseSequence < 0 && origin === 'client') {
    return `producer ${batch.producerId} sent the sequence ${batch.baseSequence}`
  }
  return undefined
}

function codecProblem({ codec, attributes, recordBytes }: BatchView): string | undefined {
  if (codec === undefined) return `attributes ${attributes} name a codec that does not exist`
  const beginning = BEGINNINGS[codec]
  if (beginning === undefined || recordBytes.subarray(0, beginning.length).equals(beginning)) return undefined
  return `its records are not what its attributes say: ${codec}`
}

/**
 * The whole batches that a leader sent to a log that ends at `endOffset`. Throws CORRUPT_MESSAGE for a damaged one, or
 * one that begins before the end of what precedes it.
 */
export function checkReplicated(records: Buffer, endOffset: number): BatchView[] {
  let next = endOffset
  const batches = splitBatches(records)
  for (const batch of batches) {
    const { baseOffset } = batch
    if (!batch.isIntact()) {
      throw new KafkaError(
        'CORRUPT_MESSAGE',
        `the leader sent a batch at offset ${baseOffset} with a wrong checksum`,
      )
    }
    if (baseOffset < next) {
      throw new KafkaError('CORRUPT_MESSAGE', `the leader sent offset ${baseOffset} after ${next - 1}`)
    }
    next = batch.lastOffset + 1
  }
  return batches
}
