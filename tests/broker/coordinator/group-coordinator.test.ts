import { loadConfig } from '../../../broker/config/config.ts'
import { GroupCoordinator, OFFSETS_TOPIC } from '../../../broker/coordinator/group-coordinator.ts'
import type { JoinReply } from '../../../broker/coordinator/groups/messages.ts'
import { encodeBatch } from '../../../broker/protocol/record-codec.ts'
import { silentLogger } from '../../../broker/runtime/logger.ts'
import { ImageSource, topicImage } from '../../support/image-source.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { type BrokerView, StateLogs } from '../../support/state-logs.ts'
import { waitUntil } from '../../support/wait-until.ts'

const GROUP = 'readers'
const ORDERS = topicImage('orders', 'orders-topic-id-12345A', 3)

/** Two brokers' coordinators over the same `__consumer_offsets`. */
function scene() {
  const logs = new StateLogs(OFFSETS_TOPIC, 2)
  const metadata = new ImageSource()
  const clock = new ManualClock()
  const offsetsTopic = topicImage(OFFSETS_TOPIC, 'offsets-topic-id-1234A', 2)
  metadata.setBrokers(1, 2)
  metadata.setTopics(offsetsTopic, ORDERS)
  const config = loadConfig({ 'node.id': '1', 'log.dirs': '/nowhere', 'quorum.connect': 'embedded:/nowhere' })
  const start = () => {
    const view = logs.broker()
    const groups = new GroupCoordinator({
      config,
      replicas: view,
      metadata,
      clock,
      logger: silentLogger,
      createTopic: () => Promise.reject(new Error('it is there')),
    })
    groups.start()
    return { view, groups }
  }
  return { logs, metadata, clock, offsetsTopic, first: start(), second: start() }
}

async function lead({ view, groups }: { view: BrokerView; groups: GroupCoordinator }): Promise<void> {
  view.setLeader(true)
  await waitUntil(() => {
    try {
      groups.offsetsOf(GROUP)
      return true
    } catch {
      return false
    }
  }, 'the groups are loaded')
}

function join(
  groups: GroupCoordinator,
  options: { signal?: AbortSignal; needsMemberIdFirst?: boolean } = {},
): Promise<JoinReply> {
  const message = {
    kind: 'join',
    memberId: '',
    instanceId: null,
    clientId: 'client',
    clientHost: '/127.0.0.1',
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 60_000,
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata: Buffer.from('orders') }],
    needsMemberIdFirst: options.needsMemberIdFirst ?? false,
    canSkipAssignment: true,
  } as const
  return groups.ask<'join'>(GROUP, message, options.signal)
}

async function stableMember(groups: GroupCoordinator, clock: ManualClock): Promise<string> {
  const joining = join(groups)
  clock.advance(3000)
  const { memberId, generationId } = await joining
  const { error, assignment } = await groups.ask<'sync'>(GROUP, {
    kind: 'sync',
    memberId,
    instanceId: null,
    generationId,
    protocolType: null,
    protocolName: null,
    assignments: new Map([[memberId, Buffer.from('all of it')]]),
  })
  expect([error, assignment.toString()]).toEqual(['NONE', 'all of it'])
  return memberId
}

async function commit(groups: GroupCoordinator, memberId: string, offset: number): Promise<void> {
  const committed = {
    offset,
    leaderEpoch: 7,
    metadata: 'noted',
    commitTimestampMs: 1,
    expireTimestampMs: -1,
    topicId: ORDERS.id,
  }
  await groups.commitOffsets(
    GROUP,
    { memberId, instanceId: null, generationId: memberId === '' ? -1 : 1 },
    [{ topic: 'orders', partition: 2, committed }],
    'GROUP_ID_NOT_FOUND',
  )
}

function committedOffset(groups: GroupCoordinator, topicId = ORDERS.id): number | undefined {
  return groups.offsetsOf(GROUP).get('orders', 2, topicId)?.offset
}

test('a group goes on under a new coordinator: members, generation, assignment and offsets', async () => {
  const { clock, first, second } = scene()
  await lead(first)
  const memberId = await stableMember(first.groups, clock)
  await commit(first.groups, memberId, 41)
  await commit(first.groups, memberId, 42)

  first.view.setLeader(false)
  await lead(second)
  const member = { memberId, instanceId: null, generationId: 1 }
  expect(await second.groups.ask<'heartbeat'>(GROUP, { kind: 'heartbeat', ...member })).toEqual({
    error: 'NONE',
  })
  const again = await second.groups.ask<'sync'>(GROUP, {
    kind: 'sync',
    ...member,
    protocolType: null,
    protocolName: null,
    assignments: new Map(),
  })
  expect(again.assignment.toString()).toBe('all of it')
  expect(committedOffset(second.groups)).toBe(42)
})

test('a member that died with the broker is out after its session', async () => {
  const { clock, first, second } = scene()
  await lead(first)
  const memberId = await stableMember(first.groups, clock)
  first.view.setLeader(false)
  await lead(second)
  clock.advance(10_000)
  const beat = { kind: 'heartbeat', memberId, instanceId: null, generationId: 1 } as const
  expect(await second.groups.ask<'heartbeat'>(GROUP, beat)).toEqual({ error: 'UNKNOWN_MEMBER_ID' })
})

test('who waits in a rebalance is sent to the new coordinator', async () => {
  const { metadata, offsetsTopic, first } = scene()
  await lead(first)
  const joining = join(first.groups)
  metadata.setTopics(topicImage(OFFSETS_TOPIC, offsetsTopic.id, 2, 2), ORDERS)
  first.view.setLeader(false)
  expect((await joining).error).toBe('NOT_COORDINATOR')
  await expect(join(first.groups)).rejects.toThrow('NOT_COORDINATOR')
})

test('who comes while the log is read is served as soon as it has been', async () => {
  const { clock, first } = scene()
  // The metadata names it, and it has not taken over yet.
  const joining = join(first.groups)
  await lead(first)
  clock.advance(3000)
  expect((await joining).error).toBe('NONE')
})

test('who goes away while the log is read does not join', async () => {
  const { first } = scene()
  const gone = new AbortController()
  const joining = join(first.groups, { signal: gone.signal })
  gone.abort(new Error('the connection is closed'))
  const [refused] = await Promise.allSettled([joining, lead(first)])
  expect(refused).toMatchObject({ status: 'rejected', reason: { message: 'the connection is closed' } })
})

test('when reading takes long, clients are told to ask again', async () => {
  const { clock, first } = scene()
  const joining = join(first.groups)
  clock.advance(1000)
  await expect(joining).rejects.toThrow('COORDINATOR_LOAD_IN_PROGRESS')
})

test('what was lost on the way to the log is not served', async () => {
  const { logs, first } = scene()
  await lead(first)
  await commit(first.groups, '', 1)
  logs.fail = 'NOT_ENOUGH_REPLICAS_AFTER_APPEND'
  await expect(commit(first.groups, '', 2)).rejects.toThrow('COORDINATOR_NOT_AVAILABLE')
  expect(committedOffset(first.groups)).toBe(1)
})

test('a client that goes away leaves nobody waiting', async () => {
  const { clock, first } = scene()
  await lead(first)
  const gone = new AbortController()
  const joining = join(first.groups, { signal: gone.signal })
  gone.abort()
  await expect(joining).rejects.toThrow('the client has gone away')
  clock.advance(3000)
  // The group goes on without it: it does not synchronize, so it is out after the rebalance timeout.
  clock.advance(60_000)
  await waitUntil(() => clock.pending === 0, 'no timer runs any more')
})

test('offsets of a deleted topic are forgotten, also when another of its name is created', async () => {
  const { logs, metadata, offsetsTopic, first, second } = scene()
  await lead(first)
  await commit(first.groups, '', 5)
  expect(committedOffset(first.groups, 'another-topic-id-1234A')).toBeUndefined()
  metadata.setTopics(offsetsTopic, topicImage('orders', 'another-topic-id-1234A', 3))
  await waitUntil(() => first.groups.offsetsOf(GROUP).isEmpty, 'the offsets are forgotten')
  expect(logs.records().at(-1)!.value).toBeNull()
  first.view.setLeader(false)
  await lead(second)
  expect(second.groups.offsetsOf(GROUP).isEmpty).toBe(true)
})

test('records of a kind that this release does not know do no harm', async () => {
  const { logs, first } = scene()
  first.view.setLeader(true)
  const key = Buffer.from('00070000', 'hex')
  for (const index of [0, 1]) {
    const partition = first.view.partition(OFFSETS_TOPIC, index)!
    await partition.append(encodeBatch([{ timestamp: 0, key, value: null }]), { acks: -1, timeoutMs: 0 })
  }
  expect(logs.records()).toHaveLength(2)
  await lead(first)
  await commit(first.groups, '', 1)
  expect(committedOffset(first.groups)).toBe(1)
})

test('a group that nobody came back to is forgotten', async () => {
  const { clock, first } = scene()
  await lead(first)
  const { error, memberId } = await join(first.groups, { needsMemberIdFirst: true })
  expect(error).toBe('MEMBER_ID_REQUIRED')
  await expect(commit(first.groups, memberId, 1)).rejects.toThrow('UNKNOWN_MEMBER_ID')
  clock.advance(10_000)
  await expect(commit(first.groups, memberId, 1)).rejects.toThrow('GROUP_ID_NOT_FOUND')
  expect(clock.pending).toBe(0)
})
