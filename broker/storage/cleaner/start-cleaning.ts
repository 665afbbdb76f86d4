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
  metrics.watch('kafka_storage_cleaner_compactions_total', () => totals.compactions)
  metrics.watch('kafka_storage_cleaner_read_bytes_total', () => totals.bytesRead)
  metrics.watch('kafka_storage_cleaner_written_bytes_total', () => totals.bytesWritten)
  metrics.watch('kafka_storage_cleaner_seconds_total', () => totals.elapsedMs / 1000)
  metrics.watch('kafka_storage_cleaner_max_dirty_ratio', () => cleaner.maxDirtyRatio)
  metrics.watch('kafka_storage_cleaner_uncleanable_logs', () => cleaner.uncleanableLogs)
}
