import { largest } from '../../broker/broker-metrics.ts'

test('however many topics there are, so many have a series, and one has the sum of the rest', () => {
  const topics = new Map(Array.from({ length: 250 }, (_unused, index) => [`topic-${index}`, index]))
  const series = largest(topics, 100)
  expect(series).toHaveLength(101)
  expect(series[0]).toEqual(['topic-249', 249])
  expect(series[100]).toEqual(['(others)', (149 * 150) / 2])
})

test('as many topics as may have a series have no others', () => {
  expect(largest(new Map([['a', 1]]), 1)).toEqual([['a', 1]])
})
