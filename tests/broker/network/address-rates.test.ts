import { AddressRates } from '../../../broker/network/address-rates.ts'
import { ManualClock } from '../../support/manual-clock.ts'

describe('AddressRates', () => {
  const clock = new ManualClock()

  const admitted = (rates: AddressRates, address: string, count: number): number =>
    Array.from({ length: count }, () => rates.admits(address)).filter(Boolean).length

  test('admits what the limit allows, those refused not counted; addresses without a limit as often as they come', () => {
    const rates = new AddressRates((address) => (address === '10.0.0.1' ? 2 : Infinity), clock)
    // Ten seconds are the least that the rate is taken over.
    expect(admitted(rates, '10.0.0.1', 100)).toBe(20)
    expect(admitted(rates, '10.0.0.2', 100)).toBe(100)
    clock.advance(1000)
    expect(admitted(rates, '10.0.0.1', 100)).toBe(0)
    clock.advance(10_000)
    expect(admitted(rates, '10.0.0.1', 100)).toBe(20)
  })

  test('in the long run no more than the limit', () => {
    const rates = new AddressRates(() => 5, clock)
    let count = 0
    for (let second = 0; second < 120; second += 1) {
      count += admitted(rates, '10.0.0.3', 50)
      clock.advance(1000)
    }
    expect(count / 120).toBeGreaterThan(4)
    expect(count / 120).toBeLessThan(6)
  })
})
