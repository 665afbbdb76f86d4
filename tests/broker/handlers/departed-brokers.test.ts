import { DepartedBrokers } from '../../../broker/handlers/departed-brokers.ts'
import { ImageSource } from '../../support/image-source.ts'
import { ManualClock } from '../../support/manual-clock.ts'

function setUp(...brokers: readonly number[]): {
  clock: ManualClock
  metadata: ImageSource
  ids: () => number[]
} {
  const clock = new ManualClock()
  const metadata = new ImageSource()
  metadata.setBrokers(...brokers)
  const departed = new DepartedBrokers(metadata, clock)
  return { clock, metadata, ids: () => departed.recent().map(({ id }) => id) }
}

test('a broker that goes is one of them for ten seconds, whatever else changes meanwhile', () => {
  const { clock, metadata, ids } = setUp(1, 2, 3)
  expect(ids()).toEqual([])
  metadata.setBrokers(1, 3)
  clock.advance(9_999)
  metadata.setTopics()
  expect(ids()).toEqual([2])
  clock.advance(1)
  expect(ids()).toEqual([])
})

test('a broker that comes back is not, and is again when it goes again', () => {
  const { metadata, ids } = setUp(1, 2)
  metadata.setBrokers(1)
  metadata.setBrokers(1, 2)
  expect(ids()).toEqual([])
  metadata.setBrokers(1)
  expect(ids()).toEqual([2])
})

test('several may have gone', () => {
  const { clock, metadata, ids } = setUp(1, 2, 3)
  metadata.setBrokers(1, 2)
  clock.advance(6_000)
  metadata.setBrokers(1)
  expect(ids()).toEqual([3, 2])
  clock.advance(6_000)
  expect(ids()).toEqual([2])
})
