/** Timers of the system's clock. */
import { jest } from '@jest/globals'
import { systemClock } from '../../../broker/runtime/clock.ts'

const MONTH_MS = 30 * 86_400_000

beforeEach(() => {
  jest.useFakeTimers()
})

afterEach(() => {
  jest.useRealTimers()
})

test('a delay of months, longer than one timer of Node can wait, is kept', () => {
  let count = 0
  systemClock.after(3 * MONTH_MS, () => (count += 1))
  jest.advanceTimersByTime(3 * MONTH_MS - 1)
  expect(count).toBe(0)
  jest.advanceTimersByTime(1)
  expect(count).toBe(1)
})

test('it can be cancelled at any time', () => {
  let count = 0
  const cancelSoon = systemClock.after(3 * MONTH_MS, () => (count += 1))
  const cancelLate = systemClock.after(3 * MONTH_MS, () => (count += 1))
  cancelSoon()
  jest.advanceTimersByTime(2 * MONTH_MS)
  cancelLate()
  jest.advanceTimersByTime(2 * MONTH_MS)
  expect([count, jest.getTimerCount()]).toEqual([0, 0])
})
