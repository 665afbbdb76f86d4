/** What the process tells of itself: memory, processor time, and how long its event loop kept others waiting. */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Metrics } from './metrics.ts'

/** A timer looks this often how late it is. */
const RESOLUTION_MS = 10
const NANOSECONDS = 1e9
const MICROSECONDS = 1e6

/** Watches the process; the result ends it. */
export function watchProcess(metrics: Metrics): () => void {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  delay.enable()
  /** What it records is the time between two looks, of which the waiting of the timer itself is no delay. */
  const seconds = (nanoseconds: number): number =>
    Math.max(0, nanoseconds / NANOSECONDS - RESOLUTION_MS / 1000)
  metrics.watch('kafka_runtime_event_loop_delay_seconds', () => {
    const readings = [
      ['0.5', seconds(delay.percentile(50))],
      ['0.99', seconds(delay.percentile(99))],
      ['1', seconds(delay.max)],
    ] as const
    delay.reset()
    return readings
  })
  metrics.watch('kafka_runtime_memory_bytes', () => {
    const { rss, heapUsed, arrayBuffers } = process.memoryUsage()
    return [
      ['resident', rss],
      ['heap', heapUsed],
      ['buffers', arrayBuffers],
    ]
  })
  metrics.watch('kafka_runtime_cpu_seconds_total', () => {
    const { user, system } = process.cpuUsage()
    return [
      ['user', user / MICROSECONDS],
      ['system', system / MICROSECONDS],
    ]
  })
  metrics.watch('kafka_runtime_uptime_seconds', () => process.uptime())
  return () => delay.disable()
}
