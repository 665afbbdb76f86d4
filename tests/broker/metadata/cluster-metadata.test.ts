import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { ClusterMetadata } from '../../../broker/metadata/cluster-metadata.ts'
import { Controller } from '../../../broker/metadata/controller.ts'
import { EmbeddedDatabase } from '../../../broker/metadata/drivers/embedded-database.ts'
import { openStore } from '../../../broker/metadata/open-store.ts'
import { systemClock } from '../../../broker/runtime/clock.ts'
import { silentLogger } from '../../../broker/runtime/logger.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'brokerkit-metadata-'))
const SESSION_MS = 1_000
const WAIT_MS = 10_000
const endpoint = { listener: 'PLAINTEXT', securityProtocol: 'PLAINTEXT', host: '127.0.0.1', port: 9092 }
const configs = new Map<string, string>()
const opened: { metadata: ClusterMetadata; controller?: Controller }[] = []
let files = 0
let file = ''

beforeEach(() => {
  file = path.join(folder, `${++files}.db`)
})
afterEach(async () => {
  for (const { metadata, controller } of opened.splice(0)) {
    await controller?.close()
    await metadata.registration?.close()
    await metadata.close()
  }
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function openMetadata(): Promise<ClusterMetadata> {
  const options = { clock: systemClock, logger: silentLogger }
  const metadata = new ClusterMetadata({ ...options, store: openStore(`embedded:${file}`, options) })
  await metadata.open(WAIT_MS)
  opened.push({ metadata })
  return metadata
}

async function startBroker(
  id: number,
): Promise<{ metadata: ClusterMetadata; controller: Controller; stop(): Promise<void> }> {
  const metadata = await openMetadata()
  await metadata.register({ id, endpoints: [endpoint], rack: null }, SESSION_MS)
  const config = { get: () => false }
  const controller = new Controller({
    brokerId: id,
    metadata,
    clock: systemClock,
    logger: silentLogger,
    config,
  })
  controller.start()
  opened.at(-1)!.controller = controller
  const stop = async (): Promise<void> => {
    await controller.close()
    await metadata.registration?.close()
  }
  return { metadata, controller, stop }
}

async function startCluster() {
  const brokers = [await startBroker(1), await startBroker(2), await startBroker(3)]
  for (const { metadata } of brokers) {
    expect(await metadata.waitFor((i) => i.brokers.size === 3 && i.controller !== undefined, WAIT_MS)).toBe(
      true,
    )
  }
  return brokers
}

const assignment = [
  [1, 2, 3],
  [2, 3, 1],
]

test('the cluster id is made up once', async () => {
  const [a, b] = [await openMetadata(), await openMetadata()]
  const ids = await Promise.all([
    a.ensureClusterId(WAIT_MS),
    b.ensureClusterId(WAIT_MS),
    a.ensureClusterId(WAIT_MS),
  ])
  expect(new Set(ids).size).toBe(1)
  expect(ids[0]).toMatch(/^[\w-]{22}$/)
})

test('of brokers that create one topic at once, one succeeds and the others are told', async () => {
  const brokers = await startCluster()
  const results = await Promise.allSettled(
    brokers.map(({ metadata }) => metadata.createTopic({ name: 't', assignment, configs })),
  )
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  for (const result of results) {
    if (result.status === 'rejected') expect(result.reason).toMatchObject({ error: 'TOPIC_ALREADY_EXISTS' })
    else expect(result.value.partitions[1]).toMatchObject({ leader: 2, leaderEpoch: 0, isr: [2, 3, 1] })
  }
})

test('a topic of many partitions is created whole and deleted whole', async () => {
  const [a, b] = await startCluster()
  const many = Array.from({ length: 350 }, (_, i) => assignment[i % 2]!)
  const spec = { name: 'big', assignment: many, configs: new Map([['retention.ms', '1']]) }
  const topic = await a!.metadata.createTopic(spec)
  expect(
    topic.partitions.filter((partition) => partition.stateRevision > 0 && partition.leader > 0),
  ).toHaveLength(350)
  await b!.metadata.waitFor((image) => image.topics.has('big'), WAIT_MS)
  expect(b!.metadata.image.topicNames.get(topic.id)).toBe('big')
  await expect(b!.metadata.deleteTopic('big', 'another-id')).rejects.toMatchObject({
    error: 'UNKNOWN_TOPIC_OR_PARTITION',
  })
  await b!.metadata.deleteTopic('big', topic.id)
  expect(b!.metadata.image.topics.size).toBe(0)
  const again = await b!.metadata.createTopic({ name: 'big', assignment, configs })
  expect(again.configs.size).toBe(0)
  expect(again.partitions).toHaveLength(2)
})

test('of two that change one partition, the second learns that it was late', async () => {
  const [a, b] = await startCluster()
  const { partitions } = await a!.metadata.createTopic({ name: 't', assignment, configs })
  await b!.metadata.waitFor((image) => image.topics.has('t'), WAIT_MS)
  const next = { leader: 1, leaderEpoch: 0, isr: [1, 2] }
  expect(await a!.metadata.changePartition('t', 0, partitions[0]!, next)).toBe(true)
  expect(a!.metadata.image.topics.get('t')!.partitions[0]!.isr).toEqual([1, 2])
  expect(await b!.metadata.changePartition('t', 0, partitions[0]!, { ...next, isr: [1] })).toBe(false)
  expect(b!.metadata.image.topics.get('t')!.partitions[0]!.isr).toEqual([1, 2])
})

test('no two blocks of producer ids overlap', async () => {
  const brokers = await startCluster()
  const blocks = await Promise.all(
    brokers.flatMap(({ metadata }) => [metadata.producerIdBlock(), metadata.producerIdBlock()]),
  )
  expect(blocks.map(({ first }) => first).toSorted((x, y) => x - y)).toEqual([
    0, 1000, 2000, 3000, 4000, 5000,
  ])
})

test('an id that a live broker holds is refused, with where that broker is', async () => {
  await startBroker(1)
  const second = await openMetadata()
  const registering = second.register({ id: 1, endpoints: [endpoint], rack: null }, 200)
  await expect(registering).rejects.toThrow('another broker with id 1 is alive at 127.0.0.1:9092')
})

test('a broker that goes gives its leaderships, and the controllership, to others', async () => {
  const [a, b, c] = await startCluster()
  await a!.metadata.createTopic({ name: 't', assignment, configs })
  expect(a!.metadata.image.controller?.brokerId).toBe(1)
  await a!.stop()
  const moved = await c!.metadata.waitFor(
    (image) => image.topics.get('t')?.partitions.every((p) => p.leader === 2 && !p.isr.includes(1)) ?? false,
    WAIT_MS,
  )
  expect(moved).toBe(true)
  expect(c!.metadata.image.topics.get('t')!.partitions.map((p) => p.leaderEpoch)).toEqual([1, 0])
  expect([b!.metadata.registration!.brokerId, 3]).toContain(c!.metadata.image.controller?.brokerId)
  expect(c!.metadata.image.controller?.epoch).toBe(2)
})

test('a broker that asks to shut down loses its leaderships while it still lives', async () => {
  const [a, b] = await startCluster()
  await a!.metadata.createTopic({ name: 't', assignment, configs })
  await a!.metadata.registration!.requestShutdown()
  expect(
    await a!.metadata.waitFor(
      (image) => image.topics.get('t')!.partitions.every((p) => p.leader !== 1),
      WAIT_MS,
    ),
  ).toBe(true)
  const seen = b!.metadata.waitFor((image) => image.brokers.get(1)?.shuttingDown === true, WAIT_MS)
  expect(await seen).toBe(true)
})

test('a broker whose lease ended registers again, with a new epoch, and somebody controls', async () => {
  const [a, b] = await startCluster()
  const { epoch } = a!.metadata.registration!
  const database = new EmbeddedDatabase(file)
  database.endLease(a!.metadata.registration!.lease!.id)
  database.close()
  expect(await b!.metadata.waitFor((image) => (image.brokers.get(1)?.epoch ?? 0) > epoch, WAIT_MS)).toBe(true)
  expect(await b!.metadata.waitFor((image) => image.controller?.epoch === 2, WAIT_MS)).toBe(true)
})

test('a lone broker that lost its lease becomes the controller again', async () => {
  const a = await startBroker(1)
  await a.metadata.waitFor((image) => image.controller !== undefined, WAIT_MS)
  const database = new EmbeddedDatabase(file)
  database.endLease(a.metadata.registration!.lease!.id)
  database.close()
  expect(await a.metadata.waitFor((image) => image.controller?.epoch === 2, WAIT_MS)).toBe(true)
  expect(a.metadata.image.controller?.brokerId).toBe(1)
})

test('listeners get the present image, then each change in order; one that fails harms nobody', async () => {
  const [a] = await startCluster()
  const seen: number[] = []
  const unsubscribe = a!.metadata.subscribe(({ revision }, delta, previous) => {
    seen.push(revision)
    expect(previous.revision).toBeLessThanOrEqual(revision)
    if (seen.length === 1) expect(delta.brokers).toEqual(new Set([1, 2, 3]))
  })
  a!.metadata.subscribe(() => {
    throw new Error('a listener that fails')
  })
  await a!.metadata.createTopic({ name: 't', assignment, configs })
  unsubscribe()
  await a!.metadata.producerIdBlock()
  expect(seen.length).toBeGreaterThan(1)
  expect(seen).toEqual(seen.toSorted((x, y) => x - y))
})
