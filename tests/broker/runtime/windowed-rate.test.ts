import { throttleMs, TokenBucket, WindowedRate } from '../../../broker/runtime/windowed-rate.ts'

/** As Apache Kafka's defaults: 11 windows of a second. */
const rateOf = (...events: readonly [nowMs: number, amount: number][]): WindowedRate => {
  const rate = new WindowedRate(11, 1000)
  for (const [nowMs, amount] of events) rate.record(amount, nowMs)
  return rate
}

describe('WindowedRate', () => {
  test('at the beginning the rate is taken over all windows but one', () => {
    expect(rateOf([0, 1000]).spanMs(0)).toBe(10_000)
    expect(rateOf([0, 1000]).perSecond(0)).toBe(100)
    expect(rateOf([0, 1000]).perSecond(400)).toBeCloseTo(1000 / 10.4)
    // A window that is full takes the place of one that is missing.
    expect(rateOf([0, 1000]).spanMs(1000)).toBe(10_000)
  })

  test('what lies longer back than all windows does not count any more', () => {
    const rate = rateOf([0, 1000], [999, 1], [5000, 10])
    expect(rate.perSecond(10_999)).toBeCloseTo(1011 / 10.999)
    expect(rate.perSecond(11_000)).toBe(1)
    expect(rate.isIdle(15_999)).toBe(false)
    expect(rate.isIdle(16_000)).toBe(true)
    expect(rate.perSecond(16_000)).toBe(0)
  })

  test('a single window is as long as it is', () => {
    const rate = new WindowedRate(1, 1000)
    rate.record(5, 0)
    expect(rate.perSecond(0)).toBe(5)
  })

  test('memory does not grow with time', () => {
    const rate = rateOf()
    for (let nowMs = 0; nowMs < 100_000; nowMs += 10) rate.record(1, nowMs)
    expect(rate.perSecond(100_000)).toBeCloseTo(100, 0)
  })
})

describe('throttleMs', () => {
  test('nothing up to the limit', () => {
    expect(throttleMs(rateOf([0, 1000]), 100, 0)).toBe(0)
  })

  test.each([
    [2000, 10_000],
    [1100, 1000],
    [1001, 10],
  ])('%i in 10 s, where 100 per second are allowed: %i ms', (amount, expected) => {
    expect(throttleMs(rateOf([0, amount]), 100, 0)).toBe(expected)
  })

  test('who keeps quiet that long is down to the limit', () => {
    const rate = rateOf([0, 500], [3000, 700])
    const quietMs = throttleMs(rate, 100, 3000)
    expect(quietMs).toBe(2000)
    expect(rate.perSecond(3000 + quietMs)).toBeLessThanOrEqual(120)
  })

  test.each([1, 7, 50])(
    'a sender that heeds it keeps to its rate in the long run: requests of %i kB',
    (kB) => {
      const limit = 20_000
      const rate = new WindowedRate(11, 1000)
      let [nowMs, sent] = [0, 0]
      while (nowMs < 300_000) {
        rate.record(kB * 1000, nowMs)
        sent += kB * 1000
        nowMs += 1 + throttleMs(rate, limit, nowMs)
      }
      expect(sent / (nowMs / 1000)).toBeGreaterThan(limit * 0.9)
      expect(sent / (nowMs / 1000)).toBeLessThan(limit * 1.1)
    },
  )
})

describe('TokenBucket', () => {
  test('begins full, leaves a debt, and is paid at the rate', () => {
    const bucket = new TokenBucket(11)
    bucket.take(22, 2, 1_000_000)
    expect(bucket.debtMs(2, 1_000_000)).toBe(0)
    bucket.take(4, 2, 1_000_000)
    expect(bucket.debtMs(2, 1_000_000)).toBe(2000)
    expect(bucket.debtMs(2, 1_001_500)).toBe(500)
    expect(bucket.debtMs(2, 1_002_000)).toBe(0)
  })

  test('never holds more than comes in the time of a burst', () => {
    const bucket = new TokenBucket(10)
    bucket.take(1, 1, 0)
    bucket.take(11, 1, 1_000_000)
    expect(bucket.debtMs(1, 1_000_000)).toBe(1000)
  })
})
