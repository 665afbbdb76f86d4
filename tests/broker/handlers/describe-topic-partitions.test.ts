import { describeTopicPartitions } from '../../../broker/handlers/describe-topic-partitions.ts'
import { errorName } from '../../../broker/protocol/errors.ts'
import { useBroker } from '../../support/use-broker.ts'

const broker = useBroker({ topics: { wide: 5, narrow: 1, other: 2 } })

interface Cursor {
  readonly topicName: string
  readonly partitionIndex: number
}

interface Page {
  /** "topic: partitions" or "topic: error" */
  readonly topics: readonly string[]
  readonly next: Cursor | null
}

async function page(names: readonly string[], limit = 2000, cursor: Cursor | null = null): Promise<Page> {
  const request = { topics: names.map((name) => ({ name })), responsePartitionLimit: limit, cursor }
  const { topics, nextCursor } = (await describeTopicPartitions(request, broker.context(0)))!
  return {
    topics: topics.map(({ name, errorCode, partitions }) => {
      const indexes = partitions.map(({ partitionIndex }) => partitionIndex)
      return `${name}: ${errorCode === 0 ? indexes.join(' ') : errorName(errorCode)}`
    }),
    next: nextCursor ?? null,
  }
}

test('describes all topics in the order of their names, when none is named', async () => {
  expect(await page([])).toEqual({ topics: ['narrow: 0', 'other: 0 1', 'wide: 0 1 2 3 4'], next: null })
})

test('pages follow one another by the cursor until everything has been told once', async () => {
  const told: string[] = []
  let cursor: Cursor | null = null
  do {
    const { topics, next }: Page = await page([], 3, cursor)
    told.push(topics.join(', '))
    cursor = next
  } while (cursor !== null)
  expect(told).toEqual(['narrow: 0, other: 0 1', 'wide: 0 1 2', 'wide: 3 4'])
})

test('no page is without limit, and none without a partition', async () => {
  expect(await page(['wide'], 0)).toEqual({
    topics: ['wide: 0'],
    next: { topicName: 'wide', partitionIndex: 1 },
  })
})

test('tells of what is not there', async () => {
  expect(await page(['wide', 'absent', 'a b', 'absent'], 1)).toEqual({
    topics: ['a b: INVALID_TOPIC_EXCEPTION', 'absent: UNKNOWN_TOPIC_OR_PARTITION', 'wide: 0'],
    next: { topicName: 'wide', partitionIndex: 1 },
  })
})

test('describes a partition as Metadata does, without eligible leader replicas', async () => {
  const request = { topics: [{ name: 'narrow' }], responsePartitionLimit: 1, cursor: null }
  const { topics } = (await describeTopicPartitions(request, broker.context(0)))!
  expect(topics).toEqual([
    expect.objectContaining({
      name: 'narrow',
      topicId: broker.metadata.image.topics.get('narrow')!.id,
      isInternal: false,
      partitions: [
        {
          errorCode: 0,
          partitionIndex: 0,
          leaderId: 1,
          leaderEpoch: broker.partition('narrow').leaderEpoch,
          replicaNodes: [1],
          isrNodes: [1],
          offlineReplicas: [],
          eligibleLeaderReplicas: [],
          lastKnownElr: [],
        },
      ],
    }),
  ])
})

test.each([
  ['its topic is not asked for', ['wide'], { topicName: 'other', partitionIndex: 0 }],
  ['its partition is negative', ['wide'], { topicName: 'wide', partitionIndex: -1 }],
])('refuses a cursor when %s', async (_case, names, cursor) => {
  await expect(page(names, 10, cursor)).rejects.toMatchObject({ error: 'INVALID_REQUEST' })
})
