import { METRICS, type MetricRow } from '../../../broker/runtime/metric-table.ts'

test.each(Object.entries<MetricRow>(METRICS))('%s is named as its type asks', (name, { type, buckets }) => {
  expect(name).toMatch(/^kafka_(network|fetch|storage|replication|metadata|runtime)_[a-z_]+$/)
  expect(name.endsWith('_total')).toBe(type === 'counter')
  expect(buckets !== undefined).toBe(type === 'histogram')
})
