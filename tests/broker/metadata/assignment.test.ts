import * as fc from 'fast-check'
import { assignReplicas } from '../../../broker/metadata/assignment.ts'

const brokers = (racks: readonly (string | null)[]) => racks.map((rack, i) => ({ id: i + 1, rack }))
const countBy = (ids: readonly number[]) =>
  [...Map.groupBy(ids, (id) => id).values()].map((list) => list.length)
const spread = (counts: readonly number[]) => Math.max(...counts) - Math.min(...counts)

test('replicas are distinct, and leaders spread evenly', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 1, max: 60 }),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (count, partitions, random) => {
        const factor = Math.min(3, count)
        const assignment = assignReplicas(
          brokers(Array<null>(count).fill(null)),
          partitions,
          factor,
          () => random,
        )
        for (const replicas of assignment) expect(new Set(replicas).size).toBe(factor)
        if (partitions >= count)
          expect(spread(countBy(assignment.map(([leader]) => leader!)))).toBeLessThanOrEqual(1)
      },
    ),
  )
})

test('a lost broker leaves its load to all others', () => {
  const assignment = assignReplicas(brokers([null, null, null, null, null]), 40, 2, () => 0)
  const successors = assignment.filter(([leader]) => leader === 1).map((replicas) => replicas[1]!)
  expect(new Set(successors).size).toBe(4)
})

test('the replicas of a partition lie in different racks where there are enough', () => {
  const racks = ['a', 'a', 'b', 'b', 'c', 'c']
  for (const random of [0, 0.3, 0.9]) {
    for (const replicas of assignReplicas(brokers(racks), 30, 3, () => random)) {
      expect(new Set(replicas.map((id) => racks[id - 1])).size).toBe(3)
    }
  }
})

test('refuses what cannot be placed', () => {
  const two = brokers([null, null])
  expect(() => assignReplicas(two, 1, 3, () => 0)).toThrow('INVALID_REPLICATION_FACTOR: replication factor 3')
  expect(() => assignReplicas(two, 1, 0, () => 0)).toThrow('INVALID_REPLICATION_FACTOR')
  expect(() => assignReplicas(two, 0, 1, () => 0)).toThrow('INVALID_PARTITIONS')
})
