import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { KafkaError } from '../../../broker/protocol/errors.ts'
import { type OneBrokerParts, openParts, type PartsOptions } from '../../support/one-broker-parts.ts'
import { batchOfTexts } from '../../support/records.ts'
import { waitUntil } from '../../support/wait-until.ts'

let directory: string
let parts: OneBrokerParts

beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'replica-manager-'))
  parts = await openParts({ directory })
})

afterEach(async () => {
  await parts.close()
  await rm(directory, { recursive: true, force: true })
})

async function reopen(options: PartsOptions = {}): Promise<void> {
  await parts.close()
  parts = await openParts({ directory, ...options })
}

async function append(topic: string, texts: string[]): Promise<void> {
  await parts.partition(topic).append(batchOfTexts(texts), { acks: -1, timeoutMs: 1000 })
}

function errorOf(action: () => unknown): string {
  try {
    action()
    return 'nothing was thrown'
  } catch (error) {
    return error instanceof KafkaError ? error.error : String(error)
  }
}

const logOf = (topic: string): string => path.join(directory, 'logs', `${topic}-0`)

test('leads what the quorum says that it leads, and checks the epoch of whoever asks', async () => {
  await parts.createTopic('orders')
  const { leaderEpoch } = parts.replicas.leader('orders', 0)
  expect(errorOf(() => parts.replicas.leader('orders', 0, leaderEpoch))).toBe('nothing was thrown')
  expect(errorOf(() => parts.replicas.leader('orders', 0, leaderEpoch + 1))).toBe('UNKNOWN_LEADER_EPOCH')
  expect(errorOf(() => parts.replicas.leader('orders', 1))).toBe('UNKNOWN_TOPIC_OR_PARTITION')
  expect(errorOf(() => parts.replicas.leader('nothing', 0))).toBe('UNKNOWN_TOPIC_OR_PARTITION')

  const state = parts.metadata.image.topics.get('orders')!.partitions[0]!
  await parts.metadata.changePartition('orders', 0, state, { ...state, leaderEpoch: leaderEpoch + 1 })
  await waitUntil(
    () => parts.partition('orders').leaderEpoch === leaderEpoch + 1,
    'the new epoch is taken over',
  )
  expect(errorOf(() => parts.replicas.leader('orders', 0, leaderEpoch))).toBe('FENCED_LEADER_EPOCH')
})

test('tells of every change of its role', async () => {
  const changes: string[] = []
  const stop = parts.replicas.onLeadership(({ topic, role, leaderEpoch }) =>
    changes.push(`${topic}: ${role} in epoch ${leaderEpoch}`),
  )
  const topic = await parts.createTopic('orders')
  const state = topic.partitions[0]!
  await parts.metadata.changePartition('orders', 0, state, { leader: -1, leaderEpoch: 1, isr: [1] })
  await waitUntil(() => changes.length === 2, 'the loss of the leadership is told')
  expect(errorOf(() => parts.replicas.leader('orders', 0))).toBe('NOT_LEADER_OR_FOLLOWER')
  await parts.metadata.deleteTopic('orders', topic.id)
  await waitUntil(() => changes.length === 3, 'the deletion is told')
  stop()
  expect(changes).toEqual([
    'orders: leader in epoch 0',
    'orders: follower in epoch 1',
    'orders: none in epoch 1',
  ])
})

test('removes the log of a deleted topic, and serves nothing of it under its name', async () => {
  const topic = await parts.createTopic('orders')
  await append('orders', ['old'])
  await parts.metadata.deleteTopic('orders', topic.id)
  await parts.createTopic('orders')
  expect(parts.partition('orders').log.logEndOffset).toBe(0)
  expect(parts.partition('orders').topicId).not.toBe(topic.id)
})

test('a topic’s own settings hold for its partitions', async () => {
  await parts.createTopic('orders', 1, { 'min.insync.replicas': '3' })
  expect(parts.partition('orders').topicConfig.get('min.insync.replicas')).toBe(3)
})

test('a broker that was taken for gone registers again', async () => {
  const former = parts.metadata.image.brokers.get(1)!
  expect(await parts.metadata.removeBroker(former)).toBe(true)
  await waitUntil(
    () => (parts.metadata.image.brokers.get(1)?.epoch ?? 0) > former.epoch,
    'the broker is registered again',
  )
  expect(await parts.metadata.removeBroker(former)).toBe(false)
})

test('remembers the high watermark over a restart', async () => {
  await parts.createTopic('orders')
  await append('orders', ['a', 'b', 'c'])
  await reopen()
  expect(parts.logs.highWatermark('orders', 0)).toBe(3)
})

describe('logs of topics that the quorum does not know', () => {
  beforeEach(async () => {
    await parts.createTopic('orders')
    await append('orders', ['precious'])
  })

  test('are removed at the start', async () => {
    await parts.createTopic('others')
    await parts.replicas.close()
    const topic = parts.metadata.image.topics.get('orders')!
    await parts.metadata.deleteTopic('orders', topic.id)
    expect(existsSync(logOf('orders'))).toBe(true)
    await reopen()
    await waitUntil(() => !existsSync(logOf('orders')), 'the log is gone')
    expect(existsSync(logOf('others'))).toBe(true)
  })

  test('are kept by a broker whose quorum knows no topics at all', async () => {
    await reopen({ metadataFile: 'empty.db' })
    expect(parts.logs.get('orders', 0)?.logEndOffset).toBe(1)
    await parts.createTopic('others')
    expect(existsSync(logOf('orders'))).toBe(true)
  })

  test('are removed when another topic takes the name', async () => {
    await reopen({ metadataFile: 'empty.db' })
    await parts.createTopic('orders')
    expect(parts.partition('orders').log.logEndOffset).toBe(0)
  })
})
