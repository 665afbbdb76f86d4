import {
  type CompactedLog,
  type CompactedSegment,
  dirtyRangeOf,
  groupSegments,
  type LagRules,
} from '../../../../broker/storage/cleaner/dirty-range.ts'

const NOW = 1_000_000

/** Segments of ten offsets and 100 bytes each; the last one is active. */
function logOf(count: number, more: Partial<CompactedLog> = {}): CompactedLog {
  const segments = Array.from({ length: count }, (_, index) => segmentAt(index * 10))
  const logEndOffset = count * 10
  return {
    segments,
    logStartOffset: 0,
    logEndOffset,
    lastStableOffset: logEndOffset,
    recoveryPoint: logEndOffset,
    compactedUpTo: 0,
    ...more,
  }
}

function segmentAt(baseOffset: number, more: Partial<CompactedSegment> = {}): CompactedSegment {
  return {
    baseOffset,
    sizeBytes: 100,
    offsetIndexBytes: 8,
    timeIndexBytes: 12,
    firstTimestamp: NOW - 1000 + baseOffset,
    largestTimestamp: NOW - 1000 + baseOffset + 9,
    ...more,
  }
}

const noLag: LagRules = { minLagMs: 0, maxLagMs: Infinity, nowMs: NOW }

test('all but the active segment of a log that was never compacted is dirty', () => {
  expect(dirtyRangeOf(logOf(4), noLag)).toEqual({
    firstDirtyOffset: 0,
    firstUncleanableOffset: 30,
    cleanableBytes: 300,
    dirtyRatio: 1,
    overdueMs: 0,
  })
})

test('the ratio is that of dirty bytes to those up to the end of what can be compacted', () => {
  expect(dirtyRangeOf(logOf(5, { compactedUpTo: 30 }), noLag)).toMatchObject({
    firstDirtyOffset: 30,
    cleanableBytes: 100,
    dirtyRatio: 0.25,
  })
})

test('a log of one segment has nothing to compact', () => {
  expect(dirtyRangeOf(logOf(1), noLag)).toMatchObject({
    firstUncleanableOffset: 0,
    cleanableBytes: 0,
    dirtyRatio: 0,
  })
})

test.each([
  ['the last stable offset', { lastStableOffset: 25 }],
  ['what is flushed', { recoveryPoint: 25 }],
])('compaction ends before the segment that holds %s', (_, bound) => {
  expect(dirtyRangeOf(logOf(5, bound), noLag)).toMatchObject({
    firstUncleanableOffset: 20,
    cleanableBytes: 200,
  })
})

test('a bound where a segment begins leaves all before it to compact', () => {
  expect(dirtyRangeOf(logOf(5, { lastStableOffset: 20 }), noLag)).toMatchObject({
    firstUncleanableOffset: 20,
  })
})

test('a last stable offset in what was compacted already leaves nothing to do', () => {
  const log = logOf(5, { lastStableOffset: 12, compactedUpTo: 35 })
  expect(dirtyRangeOf(log, noLag)).toMatchObject({ firstDirtyOffset: 35, cleanableBytes: 0, dirtyRatio: 0 })
})

test('segments with records younger than min.compaction.lag.ms wait', () => {
  const rules = { ...noLag, minLagMs: 975 }
  expect(dirtyRangeOf(logOf(5), rules)).toMatchObject({ firstUncleanableOffset: 20 })
})

test('records beyond max.compaction.lag.ms are told, whatever the ratio', () => {
  const log = logOf(5, { compactedUpTo: 20 })
  expect(dirtyRangeOf(log, { ...noLag, maxLagMs: 900 }).overdueMs).toBe(80)
  expect(dirtyRangeOf(log, { ...noLag, maxLagMs: 980 }).overdueMs).toBe(0)
})

test('segments without timestamps are never overdue', () => {
  const log = logOf(3)
  const segments = log.segments.map((segment) => ({ ...segment, firstTimestamp: -1 }))
  expect(dirtyRangeOf({ ...log, segments }, { ...noLag, maxLagMs: 1 }).overdueMs).toBe(0)
})

test('what was compacted and is no longer there counts no more', () => {
  const truncated = logOf(3, { compactedUpTo: 31 })
  expect(dirtyRangeOf(truncated, noLag).firstDirtyOffset).toBe(0)
  const deleted = logOf(3, { compactedUpTo: 5, logStartOffset: 10 })
  expect(dirtyRangeOf(deleted, noLag).firstDirtyOffset).toBe(10)
})

describe('neighbours are grouped', () => {
  const limits = { segmentBytes: 250, indexBytes: 1000, firstUncleanableOffset: 50 }
  const bases = (groups: CompactedSegment[][]): number[][] =>
    groups.map((group) => group.map(({ baseOffset }) => baseOffset))
  const { segments } = logOf(5)

  test('up to segment.bytes', () => {
    expect(bases(groupSegments(segments, limits))).toEqual([[0, 10], [20, 30], [40]])
  })

  test('up to the size of an index', () => {
    expect(bases(groupSegments(segments, { ...limits, segmentBytes: 1000, indexBytes: 36 }))).toEqual([
      [0, 10, 20],
      [30, 40],
    ])
  })

  test('as far as offsets relative to the first one reach', () => {
    const far = [segmentAt(0), segmentAt(10), segmentAt(2 ** 31), segmentAt(2 ** 31 + 10)]
    const wide = { ...limits, segmentBytes: 1000, firstUncleanableOffset: 2 ** 31 + 20 }
    expect(bases(groupSegments(far, wide))).toEqual([
      [0, 10],
      [2 ** 31, 2 ** 31 + 10],
    ])
  })

  test('an oversized segment stands alone', () => {
    const large = [segmentAt(0, { sizeBytes: 400 }), segmentAt(10)]
    expect(bases(groupSegments(large, limits))).toEqual([[0], [10]])
  })
})
