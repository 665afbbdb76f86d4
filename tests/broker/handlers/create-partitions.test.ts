import { createPartitions } from '../../../broker/handlers/create-partitions.ts'
import { errorName } from '../../../broker/protocol/errors.ts'
import { useBroker } from '../../support/use-broker.ts'
import { waitUntil } from '../../support/wait-until.ts'

interface Options {
  readonly assignments?: readonly (readonly number[])[]
  readonly validateOnly?: boolean
  readonly timeoutMs?: number
}

describe('CreatePartitions', () => {
  const broker = useBroker({ topics: { t: 2 }, perTest: true })

  async function growAll(topics: readonly [name: string, count: number][], options: Options = {}) {
    const { assignments, validateOnly = false, timeoutMs = 5000 } = options
    const given = assignments?.map((brokerIds) => ({ brokerIds: [...brokerIds] })) ?? null
    const request = {
      topics: topics.map(([name, count]) => ({ name, count, assignments: given })),
      timeoutMs,
      validateOnly,
    }
    const { results } = (await createPartitions(request, broker.context(3)))!
    return results.map(({ name, errorCode, errorMessage }) => [
      name,
      errorName(errorCode),
      errorMessage ?? '',
    ])
  }

  const grow = async (name: string, count: number, options?: Options) =>
    (await growAll([[name, count]], options))[0]!.slice(1)

  const ok = ['NONE', '']
  const count = (topic: string) => broker.metadata.image.topics.get(topic)!.partitions.length

  test('the new partitions are led, and the others are as they were', async () => {
    const before = broker.metadata.image.topics.get('t')!
    expect(await grow('t', 4)).toEqual(ok)
    const after = broker.metadata.image.topics.get('t')!
    expect(after.id).toBe(before.id)
    expect(after.partitions.slice(0, 2)).toEqual(before.partitions)
    expect(after.partitions.map(({ index, leader, isr }) => [index, leader, isr])).toEqual(
      [0, 1, 2, 3].map((index) => [index, 1, [1]]),
    )
    await waitUntil(() => broker.replicas.partition('t', 3)?.isLeader === true, 't-3 is led')
    await broker.append('t', ['x'], 3)
  })

  test('more partitions than one transaction of the quorum holds', async () => {
    expect(await grow('t', 150)).toEqual(ok)
    expect(count('t')).toBe(150)
    expect(broker.metadata.image.topics.get('t')!.partitions.every(({ leader }) => leader === 1)).toBe(true)
  })

  test('two who add at the same time: one of them does, and the other is told how many there are', async () => {
    const [one, other] = await Promise.all([grow('t', 4), grow('t', 4)])
    expect([one, other]).toContainEqual(ok)
    expect([one[0], other[0]]).toContain('INVALID_PARTITIONS')
    expect(count('t')).toBe(4)
  })

  test.each<[string, number, Options, string, string]>([
    ['as many as there are', 2, {}, 'INVALID_PARTITIONS', 'has 2 partitions: 2 would change nothing'],
    ['fewer', 1, {}, 'INVALID_PARTITIONS', 'partitions cannot be taken away'],
    ['none', 0, {}, 'INVALID_PARTITIONS', 'partitions cannot be taken away'],
    ['far too many', 20_000, {}, 'POLICY_VIOLATION', 'at most 10000'],
    ['too few assignments', 4, { assignments: [[1]] }, 'INVALID_REPLICA_ASSIGNMENT', '1 assignments for 2'],
    ['an unknown broker', 3, { assignments: [[9]] }, 'INVALID_REPLICA_ASSIGNMENT', 'no live broker 9'],
    ['no broker', 3, { assignments: [[]] }, 'INVALID_REPLICA_ASSIGNMENT', 'has no replica'],
    [
      'more replicas',
      3,
      { assignments: [[1, 1]] },
      'INVALID_REPLICA_ASSIGNMENT',
      'has 2 replicas where partition 0 has 1',
    ],
  ])('%s is refused', async (_what, partitions, options, error, message) => {
    expect(await grow('t', partitions, options)).toEqual([error, expect.stringContaining(message)])
    expect(await grow('t', partitions, { ...options, validateOnly: true })).toEqual([
      error,
      expect.stringContaining(message),
    ])
    expect(count('t')).toBe(2)
  })

  test('assignments are taken as they are', async () => {
    expect(await grow('t', 4, { assignments: [[1], [1]] })).toEqual(ok)
    expect(count('t')).toBe(4)
  })

  test('an unknown topic, and a topic that is named twice, are refused by themselves', async () => {
    const results = await growAll([
      ['nope', 3],
      ['t', 3],
      ['t', 4],
    ])
    expect(results.map(([name, error]) => `${name} ${error}`)).toEqual([
      'nope UNKNOWN_TOPIC_OR_PARTITION',
      't INVALID_REQUEST',
    ])
  })

  test('the partitions of internal topics are what their records are found by', async () => {
    await broker.createTopic('__consumer_offsets', 3)
    expect((await grow('__consumer_offsets', 5))[0]).toBe('INVALID_PARTITIONS')
  })

  test('validateOnly changes nothing', async () => {
    expect(await grow('t', 4, { validateOnly: true })).toEqual(ok)
    expect(count('t')).toBe(2)
  })

  test.each([0, -1])('a timeout of %i leaves no time: nothing is done', async (timeoutMs) => {
    await expect(growAll([['t', 3]], { timeoutMs })).rejects.toMatchObject({ error: 'REQUEST_TIMED_OUT' })
    expect(count('t')).toBe(2)
  })
})
