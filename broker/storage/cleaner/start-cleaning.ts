/** Starts what takes old records away, retention and compaction, with what the metrics tell of them. */
import type { Metrics } from '../../runtime/metrics.ts'
import { LogCleaner, type LogCleanerOptions } from './log-cleaner.ts'
import { LogRetention } from './log-retention.ts'

export interface CleaningOptions extends LogCleanerOptions {
  readonly metrics: Metrics
}

/** The result ends it: nothing more is removed or replaced once that resolves. */
export function startCleaning(options: CleaningOptions): () => Promise<void> {
  const retention = new LogRetention(options)
  const cleaner = new LogCleaner(options)
  watchCleaner(options.metrics, cleaner)
  retention.start()
  if (options.config.get('log.cleaner.enable')) cleaner.start()
  return async () => {
    await Promise.all([retention.close(), cleaner.close()])
  }
}

function watchCleaner(metrics: Metrics, cleaner: LogCleaner): void {
  const { totals } = cleaner
  const watch = (name: string, help: string, read: () => number): void =>
    metrics.watch(`kafka_storage_cleaner_${name}`, help, read)
  watch('compactions', 'Compactions of a log since the start.', () => totals.compactions)
  watch('read_bytes', 'Bytes of logs that were compacted since the start.', () => totals.bytesRead)
  watch('written_bytes', 'Bytes that compaction left of them.', () => totals.bytesWritten)
  watch('seconds', 'Time that compactions took since the start.', () => totals.elapsedMs / 1000)
  watch('max_dirty_ratio', 'Largest share of dirty bytes among the logs.', () => cleaner.maxDirtyRatio)
  watch('uncleanable_logs', 'Logs set aside since they cannot be compacted.', () => cleaner.uncleanableLogs)
}
