import { CompactionAbortedError } from '../../../../broker/storage/cleaner/compaction-errors.ts'
import { WorkSlices } from '../../../../broker/storage/cleaner/work-slices.ts'
import { ManualClock } from '../../../support/manual-clock.ts'

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

async function turns(count: number): Promise<void> {
  for (let index = 0; index < count; index++) await turn()
}

function slicesOf(maxBytesPerSecond: () => number) {
  const clock = new ManualClock()
  const stop = new AbortController()
  const slices = new WorkSlices({ clock, maxBytesPerSecond, signal: stop.signal })
  return { clock, stop, slices }
}

/** Tells whether the rest is over. */
function resting(slices: WorkSlices): { isOver: boolean } {
  const state = { isOver: false }
  void slices.rest().then(() => (state.isOver = true))
  return state
}

test('a slice is over after a few milliseconds, and begins anew after a rest', async () => {
  const { clock, slices } = slicesOf(() => Number.MAX_VALUE)
  expect(slices.isOver()).toBe(false)
  clock.advance(10)
  expect(slices.isOver()).toBe(true)
  await slices.rest()
  expect(slices.isOver()).toBe(false)
})

test('without a limit a rest is a turn of the event loop', async () => {
  const { slices, clock } = slicesOf(() => Number.MAX_VALUE)
  slices.spend(1e12)
  clock.advance(1)
  await slices.rest()
  expect(clock.pending).toBe(0)
})

test('a rest lasts until the bytes are within the limit', async () => {
  const { clock, slices } = slicesOf(() => 1000)
  slices.spend(1500)
  const rest = resting(slices)
  await turns(3)
  clock.advance(1000)
  await turns(3)
  expect(rest.isOver).toBe(false)
  clock.advance(499)
  await turns(3)
  expect(rest.isOver).toBe(false)
  clock.advance(2)
  await turns(3)
  expect(rest.isOver).toBe(true)
})

test('a limit that is raised meanwhile counts within a second', async () => {
  let limit = 1
  const { clock, slices } = slicesOf(() => limit)
  slices.spend(1_000_000)
  const rest = resting(slices)
  await turns(3)
  limit = 1e9
  clock.advance(1000)
  await turns(3)
  expect(rest.isOver).toBe(true)
})

test('a broker that stops ends a compaction that waits', async () => {
  const { stop, slices } = slicesOf(() => 1)
  slices.spend(1_000_000)
  const rest = slices.rest()
  await turns(3)
  stop.abort()
  await expect(rest).rejects.toThrow(CompactionAbortedError)
})

test('a broker that stops ends a compaction at its next rest', async () => {
  const { stop, slices } = slicesOf(() => Number.MAX_VALUE)
  stop.abort()
  await expect(slices.rest()).rejects.toThrow(CompactionAbortedError)
})
