import {
  removals,
  type RetainedLog,
  type RetentionRules,
} from '../../../../broker/storage/cleaner/retention.ts'

const NOW = 1_000_000

/** Segments of ten offsets and 100 bytes each, by the age of their newest record. */
function logOf(agesMs: readonly number[], more: Partial<RetainedLog> = {}): RetainedLog {
  const segments = agesMs.map((ageMs, index) => ({
    baseOffset: index * 10,
    sizeBytes: 100,
    largestTimestamp: NOW - ageMs,
  }))
  const logEndOffset = agesMs.length * 10
  return { segments, logStartOffset: 0, logEndOffset, highWatermark: logEndOffset, ...more }
}

const rules = (more: Partial<RetentionRules>): RetentionRules => ({
  retentionMs: -1,
  retentionBytes: -1,
  nowMs: NOW,
  ...more,
})

test('segments go once their newest record is older than retention.ms', () => {
  expect(removals(logOf([500, 101, 100, 5]), rules({ retentionMs: 100 }))).toEqual([
    { beforeOffset: 20, segments: 2, bytes: 200, reason: 'retention.ms' },
  ])
})

test('a young segment keeps the older ones behind it', () => {
  expect(removals(logOf([500, 5, 500, 500, 5]), rules({ retentionMs: 100 }))).toMatchObject([
    { beforeOffset: 10 },
  ])
})

test('a segment of which compaction has left nothing keeps none', () => {
  const log = logOf([500, 5, 500, 5])
  const segments = log.segments.map((segment, index) =>
    index === 1 ? { ...segment, sizeBytes: 0 } : segment,
  )
  expect(removals({ ...log, segments }, rules({ retentionMs: 100 }))).toMatchObject([{ beforeOffset: 30 }])
})

test('an active segment whose records are all too old goes as well', () => {
  expect(removals(logOf([500, 400]), rules({ retentionMs: 100 }))).toMatchObject([
    { beforeOffset: 20, segments: 2 },
  ])
})

test('an empty active segment stays, however old', () => {
  const log = logOf([500, 400])
  const [first, active] = log.segments
  const emptied = {
    ...log,
    segments: [first!, { ...active!, sizeBytes: 0 }],
    logEndOffset: 10,
    highWatermark: 10,
  }
  expect(removals(emptied, rules({ retentionMs: 100 }))).toMatchObject([{ beforeOffset: 10, segments: 1 }])
})

test('whole segments go while the rest is no smaller than retention.bytes', () => {
  expect(removals(logOf([0, 0, 0, 0]), rules({ retentionBytes: 250 }))).toMatchObject([
    { beforeOffset: 10, reason: 'retention.bytes' },
  ])
  expect(removals(logOf([0, 0, 0, 0]), rules({ retentionBytes: 200 }))).toMatchObject([{ beforeOffset: 20 }])
  expect(removals(logOf([0, 0]), rules({ retentionBytes: 1000 }))).toEqual([])
  expect(removals(logOf([0, 0]), rules({ retentionBytes: 0 }))).toMatchObject([{ beforeOffset: 20 }])
})

test('nothing goes that the high watermark has not passed', () => {
  const log = logOf([500, 500, 500, 5], { highWatermark: 19 })
  expect(removals(log, rules({ retentionMs: 100, retentionBytes: 0 }))).toMatchObject([
    { beforeOffset: 10, reason: 'retention.bytes' },
  ])
})

test('segments before the log start offset go whatever the policy is', () => {
  const log = logOf([5, 5, 5], { logStartOffset: 20 })
  expect(removals(log, undefined)).toMatchObject([
    { beforeOffset: 20, segments: 2, reason: 'before the log start offset' },
  ])
  expect(removals(logOf([5, 5, 5], { logStartOffset: 19 }), undefined)).toMatchObject([{ beforeOffset: 10 }])
  expect(removals(logOf([5, 5], { logStartOffset: 20 }), undefined)).toMatchObject([{ beforeOffset: 10 }])
})

test('each rule goes on where the one before it ended', () => {
  const log = logOf([500, 500, 500, 500, 5], { logStartOffset: 10 })
  expect(removals(log, rules({ retentionMs: 100, retentionBytes: 300 }))).toEqual([
    { beforeOffset: 10, segments: 1, bytes: 100, reason: 'before the log start offset' },
    { beforeOffset: 20, segments: 1, bytes: 100, reason: 'retention.bytes' },
    { beforeOffset: 40, segments: 2, bytes: 200, reason: 'retention.ms' },
  ])
})

test('-1 keeps for ever, at any size', () => {
  expect(removals(logOf([1e9, 1e9]), rules({}))).toEqual([])
})
