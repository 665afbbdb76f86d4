import * as fc from 'fast-check'
import { ImageFold } from '../../../broker/metadata/image-fold.ts'
import * as keys from '../../../broker/metadata/keys.ts'
import type { Entry, TreeChange } from '../../../broker/metadata/store.ts'
import { silentLogger, type Logger } from '../../../broker/runtime/logger.ts'

const endpoint = { listener: 'PLAINTEXT', securityProtocol: 'PLAINTEXT', host: 'h', port: 9092 }
const brokerValue = keys.encodeBroker({
  endpoints: [endpoint],
  rack: 'r',
  shuttingDown: false,
  offlineReplicas: new Map(),
  completeSince: undefined,
  timestampMs: 1,
})
const topicValue = (id: string) =>
  keys.encodeTopic({
    id,
    assignment: [
      [1, 2],
      [2, 1],
    ],
  })
const stateValue = (leader: number) => keys.encodePartitionState({ leader, leaderEpoch: 3, isr: [leader] }, 1)

/** Keys and values as brokers write them, foreign keys, and values that cannot be read. */
const change = fc.oneof(
  fc.record({
    key: fc.constantFrom('/brokers/ids/1', '/brokers/ids/2', '/brokers/ids/01'),
    value: fc.constant(brokerValue),
  }),
  // No two topics ever have the same id.
  fc.tuple(fc.constantFrom('a', 'b'), fc.constantFrom('1', '2')).map(([name, version]) => ({
    key: keys.topicKey(name),
    value: topicValue(name + version),
  })),
  fc.record({
    key: fc.constantFrom('a', 'b').chain((t) => fc.nat(2).map((i) => keys.partitionStateKey(t, i))),
    value: fc.constantFrom(1, 2).map(stateValue),
  }),
  fc.record({
    key: fc.constant('/config/topics/a'),
    value: fc.constant('{"version":1,"config":{"retention.ms":"5"}}'),
  }),
  fc.record({ key: fc.constant('/controller'), value: fc.constant(keys.encodeController(1, 1)) }),
  fc.record({
    key: fc.constantFrom('/controller_epoch', '/cluster/id', '/strange', '/brokers/topics/'),
    value: fc.constantFrom('7', '{"id":"x"}'),
  }),
  fc.record({
    key: fc.constantFrom(
      '/brokers/ids/1',
      '/brokers/topics/a',
      '/brokers/topics/a/partitions/0/state',
      '/controller',
    ),
    value: fc.constantFrom('{', 'null', '[]', '{"partitions":{"1":[1]}}'),
  }),
)
const operation = fc.record({ change, deleted: fc.boolean() })

function play(operations: readonly { change: { key: string; value: string }; deleted: boolean }[]) {
  const tree = new Map<string, Entry>()
  const updates = operations.map(
    ({ change: { key, value }, deleted }, i): { revision: number; reset: false; changes: TreeChange[] } => {
      const revision = i + 1
      const createRevision = tree.get(key)?.createRevision ?? revision
      const entry = deleted ? undefined : { key, value, createRevision, modRevision: revision }
      if (entry === undefined) tree.delete(key)
      else tree.set(key, entry)
      return { revision, reset: false, changes: [{ key, entry }] }
    },
  )
  return { tree, updates }
}

test('folding changes one by one gives what folding the whole tree gives', () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 40 }), (operations) => {
      const { tree, updates } = play(operations)
      const stepwise = new ImageFold(silentLogger)
      for (const update of updates) stepwise.apply(update)
      const whole = new ImageFold(silentLogger)
      const changes = [...tree.values()].map((entry) => ({ key: entry.key, entry }))
      whole.apply({ revision: updates.length, reset: true, changes })
      expect(stepwise.image).toEqual(whole.image)
      // A reset on top of it changes nothing either.
      stepwise.apply({ revision: updates.length, reset: true, changes })
      expect(stepwise.image).toEqual(whole.image)
    }),
    { numRuns: 500 },
  )
})

test('each delta names what differs from the image before, and an image never changes afterwards', () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 30 }), (operations) => {
      const fold = new ImageFold(silentLogger)
      for (const update of play(operations).updates) {
        const before = fold.image
        const frozen = structuredClone(before)
        const delta = fold.apply(update)
        expect(before).toEqual(frozen)
        for (const name of new Set([...before.topics.keys(), ...fold.image.topics.keys()])) {
          if (!delta.topics.has(name)) expect(fold.image.topics.get(name)).toBe(before.topics.get(name))
        }
        if (delta.brokers.size === 0) expect(fold.image.brokers).toBe(before.brokers)
        if (!delta.controllerChanged) expect(fold.image.controller).toEqual(before.controller)
      }
    }),
    { numRuns: 300 },
  )
})

test('a value that cannot be read is reported once, with its key, and skipped', () => {
  const reported: object[] = []
  const logger: Logger = { ...silentLogger, error: (fields) => reported.push(fields) }
  const fold = new ImageFold(logger)
  const bad = { key: '/controller', value: '{"brokerid":"one"}', createRevision: 1, modRevision: 1 }
  fold.apply({ revision: 1, reset: true, changes: [{ key: bad.key, entry: bad }] })
  fold.apply({ revision: 2, reset: false, changes: [] })
  expect(fold.image.controller).toBeUndefined()
  expect(reported).toEqual([expect.objectContaining({ key: '/controller', value: '{"brokerid":"one"}' })])
})
