/** Opens log managers for storage tests: over given files, with one log directory. */
import { loadConfig } from '../../broker/config/config.ts'
import { encodeBatch } from '../../broker/protocol/record-codec.ts'
import { splitBatches } from '../../broker/protocol/record-batch.ts'
import { decodeRecords } from '../../broker/protocol/record-codec.ts'
import { systemClock } from '../../broker/runtime/clock.ts'
import { silentLogger } from '../../broker/runtime/logger.ts'
import type { MeasureSpace } from '../../broker/storage/disk-space.ts'
import type { Files } from '../../broker/storage/files.ts'
import { LogManager, type LogManagerOptions } from '../../broker/storage/log-manager.ts'
import type { PartitionLog } from '../../broker/storage/partition-log.ts'

export const TOPIC_ID = 'AbcdefghijklmnopqrstuQ'
export const CLUSTER_ID = 'abcdefghijklmnopqrstuw'

/** Whatever is free where the tests run is enough. */
export const storageConfig = loadConfig({
  'node.id': '1',
  'quorum.connect': 'embedded:/unused',
  'disk.reserve.percent': '0',
  'disk.reserve.min.bytes': '0',
})

/** Rolls a segment every few batches, with an index entry for almost each. */
export const smallSegments = storageConfig.topic(
  new Map([
    ['segment.index.bytes', '60'],
    ['index.interval.bytes', '1'],
  ]),
)

const unlimited: MeasureSpace = () =>
  Promise.resolve({ fileSystem: 'memory', totalBytes: 2 ** 40, usableBytes: 2 ** 40 })

export function openLogs(
  directory: string,
  files?: Files,
  more: Partial<LogManagerOptions> = {},
): Promise<LogManager> {
  return LogManager.open({
    dirs: [directory],
    config: storageConfig,
    clusterId: CLUSTER_ID,
    nodeId: 1,
    clock: systemClock,
    logger: silentLogger,
    ...(files === undefined ? {} : { files, lock: () => ({ release: () => {} }), measure: unlimited }),
    ...more,
  })
}

/** A batch as a client sends it, one record for each value. */
export function clientBatch(values: readonly string[], timestamp = 1_700_000_000_000): Buffer {
  return encodeBatch(
    values.map((value, index) => ({ timestamp: timestamp + index, key: null, value: Buffer.from(value) })),
  )
}

/** All values of the log, by walking it with reads of `maxBytes`. */
export function valuesOf(log: PartitionLog, maxBytes = 1000): { offset: number; value: string }[] {
  const found: { offset: number; value: string }[] = []
  let offset = log.logStartOffset
  while (offset < log.logEndOffset) {
    const { records } = log.read(offset, maxBytes, { upTo: log.logEndOffset, minOneBatch: true })
    const batches = splitBatches(records)
    if (batches.length === 0) throw new Error(`nothing at offset ${offset} of ${log.logEndOffset}`)
    const decoded = batches.flatMap((batch) => decodeRecords(batch))
    found.push(...decoded.map((record) => ({ offset: record.offset, value: String(record.value) })))
    offset = batches.at(-1)!.lastOffset + 1
  }
  return found.filter((record) => record.offset >= log.logStartOffset)
}
