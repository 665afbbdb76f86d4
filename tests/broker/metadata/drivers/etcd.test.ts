import { jest } from '@jest/globals'
import { randomUUID } from 'node:crypto'
import { ClusterMetadata } from '../../../../broker/metadata/cluster-metadata.ts'
import { EtcdStore } from '../../../../broker/metadata/drivers/etcd.ts'
import { parseQuorumConnect } from '../../../../broker/metadata/open-store.ts'
import { StoreUnavailableError } from '../../../../broker/metadata/store.ts'
import { systemClock } from '../../../../broker/runtime/clock.ts'
import { silentLogger } from '../../../../broker/runtime/logger.ts'
import { etcd } from '../../../setup/etcd.ts'
import { startEtcd, type EtcdCluster, type EtcdMember } from '../../../support/etcd.ts'
import { StoreFollower } from '../../../support/follow-store.ts'
import { describeWith } from '../../../support/requires.ts'
import { SwallowingProxy } from '../../../support/swallowing-proxy.ts'
import { describeStoreContract } from '../store-contract.ts'

jest.setTimeout(90_000)

await describeWith(etcd, 'three etcd members', (program) => {
  let cluster: EtcdCluster
  let chroot: string
  const followers: StoreFollower[] = []

  beforeAll(async () => {
    cluster = await startEtcd(program)
  })
  afterAll(() => cluster.stop())
  beforeEach(() => {
    chroot = `/${randomUUID()}`
  })
  afterEach(async () => {
    for (const member of cluster.members) member.resume()
    await Promise.all(followers.splice(0).map(({ store }) => store.close()))
  })

  const openStore = (connect: string): EtcdStore =>
    new EtcdStore({ ...parseQuorumConnect(connect), clock: systemClock, logger: silentLogger })

  async function follow(connect = cluster.connect): Promise<StoreFollower> {
    const follower = await StoreFollower.open(openStore(connect + chroot))
    followers.push(follower)
    return follower
  }

  const memberAt = (address: string | undefined): EtcdMember =>
    cluster.members.find((member) => member.address === address)!
  const watched = ({ store }: StoreFollower): string | undefined => (store as EtcdStore).watchedMember

  describe('the contract', () => {
    describeStoreContract(() => ({
      freshTree: () => `${cluster.connect}/${randomUUID()}`,
      open: openStore,
      leaseMs: 2_000,
    }))
  })

  /** Three clients count one key up; `fault` happens in between. Each success must be counted, each failure must not. */
  async function countThrough(fault: () => Promise<void> | void): Promise<{ longestGapMs: number }> {
    const clients = await Promise.all([follow(), follow(), follow()])
    let committed = 0
    let unknown = 0
    const stop = new AbortController()
    let lastMs = performance.now()
    let longestGapMs = 0
    const count = async (client: StoreFollower): Promise<void> => {
      while (!stop.signal.aborted) {
        const entry = client.tree.get('/count')
        const transaction = {
          conditions: [{ key: '/count', modRevision: entry?.modRevision ?? 0 }],
          changes: [{ key: '/count', value: String(Number(entry?.value ?? 0) + 1) }],
        }
        const result = await client.store.commit(transaction, 15_000).catch((error: unknown) => {
          if (!(error instanceof StoreUnavailableError)) throw error
          unknown++
        })
        if (result?.committed) {
          committed++
          longestGapMs = Math.max(longestGapMs, performance.now() - lastMs)
          lastMs = performance.now()
        }
        await client.until(
          'the count moves on',
          () => stop.signal.aborted || client.tree.get('/count') !== entry,
        )
      }
    }
    const counting = Promise.all(clients.map(count))
    const reaches = (least: number) =>
      clients[0].until(`${least} counted`, () => Number(clients[0].value('/count') ?? 0) >= least, 40_000)
    await reaches(60)
    await fault()
    await reaches(Number(clients[0].value('/count')) + 60)
    stop.abort()
    await clients[0].store.commit({ conditions: [], changes: [{ key: '/end', value: '1' }] })
    await Promise.all(clients.map((client) => client.until('the end', () => client.value('/end') === '1')))
    await counting
    expect(unknown).toBe(0)
    for (const client of clients) {
      await client.until('the last count', () => client.value('/count') === String(committed))
      const counts = client.history('/count').map(Number)
      expect(counts).toEqual(Array.from({ length: committed }, (_, i) => i + 1))
      expect(client.faults).toEqual([])
    }
    return { longestGapMs }
  }

  test('the leader is killed: every commit is counted once, within seconds', async () => {
    const leader = await cluster.leader()
    const { longestGapMs } = await countThrough(() => leader.kill())
    leader.start()
    await cluster.leader()
    expect(longestGapMs).toBeLessThan(5_000)
  })

  test('the leader freezes: every commit is counted once, also when it thaws', async () => {
    const leader = await cluster.leader()
    const { longestGapMs } = await countThrough(() => leader.pause())
    leader.resume()
    await cluster.leader()
    expect(longestGapMs).toBeLessThan(8_000)
  })

  test('a follower freezes and thaws in the middle: every commit is counted once', async () => {
    const leader = await cluster.leader()
    const follower = cluster.members.find((member) => member !== leader)!
    const { longestGapMs } = await countThrough(async () => {
      follower.pause()
      const quiet = await follow()
      for (let i = 0; i < 30; i++)
        await quiet.store.commit({ conditions: [], changes: [{ key: '/other', value: `${i}` }] })
      follower.resume()
    })
    expect(longestGapMs).toBeLessThan(5_000)
  })

  test('the member that carries the watch freezes: the watch goes on at another one, nothing missing', async () => {
    const [reader, writer] = [await follow(), await follow()]
    const frozen = memberAt(watched(reader))
    await writer.store.commit({ conditions: [], changes: [{ key: '/n', value: '0' }] })
    await reader.until('/n', () => reader.value('/n') === '0')
    frozen.pause()
    const frozenMs = performance.now()
    for (let n = 1; n <= 20; n++)
      await writer.store.commit({ conditions: [], changes: [{ key: '/n', value: `${n}` }] })
    await reader.until('the last value', () => reader.value('/n') === '20')
    // Without a write of its own, the reader must find out by itself: quiet for 1 s, then a beat, then 0.8 s.
    expect(performance.now() - frozenMs).toBeLessThan(12_000)
    expect(watched(reader)).not.toBe(frozen.address)
    frozen.resume()
    expect(reader.history('/n')).toEqual(Array.from({ length: 21 }, (_, n) => String(n)))
    expect(reader.faults).toEqual([])
    await cluster.leader()
  })

  test('a lease outlives a frozen member', async () => {
    const [a, b] = [await follow(), await follow()]
    const lease = await a.store.lease(6_000)
    await a.store.commit({ conditions: [], changes: [{ key: '/live', value: '1', lease }] })
    await b.until('/live', () => b.tree.has('/live'))
    const leader = await cluster.leader()
    leader.pause()
    await expect(b.until('it goes', () => !b.tree.has('/live'), 9_000)).rejects.toThrow('not within')
    expect(lease.lost.aborted).toBe(false)
    leader.resume()
    await cluster.leader()
  })

  test('all members are lost: calls end in time, and all goes on when they are back', async () => {
    const a = await follow()
    await a.store.commit({ conditions: [], changes: [{ key: '/a', value: '1' }] })
    await Promise.all(cluster.members.map((member) => member.kill()))
    const startedMs = performance.now()
    const late = a.store.commit({ conditions: [], changes: [{ key: '/a', value: '2' }] }, 1_500)
    await expect(late).rejects.toThrow('answered within 1500 ms')
    expect(performance.now() - startedMs).toBeLessThan(3_000)
    expect(a.store.silentMs()).toBeGreaterThan(1_000)
    const other = openStore(cluster.connect + chroot)
    await expect(other.open(() => {}, 500)).rejects.toThrow('no member of the quorum')
    const closingMs = performance.now()
    await other.close()
    expect(performance.now() - closingMs).toBeLessThan(3_000)
    for (const member of cluster.members) member.start()
    await cluster.leader()
    expect(
      (await a.store.commit({ conditions: [], changes: [{ key: '/a', value: '3' }] }, 20_000)).committed,
    ).toBe(true)
    await a.until('the new value', () => a.value('/a') === '3')
    expect(a.faults).toEqual([])
  })

  test('a broker that has lost its registration and its quorum closes in time', async () => {
    const options = { clock: systemClock, logger: silentLogger }
    const metadata = new ClusterMetadata({ ...options, store: openStore(cluster.connect + chroot) })
    await metadata.open(10_000)
    const registration = await metadata.register({ id: 1, endpoints: [], rack: null }, 2_000)
    const { lost } = registration.lease!
    const loses = new Promise((resolve) => lost.addEventListener('abort', resolve))
    await Promise.all(cluster.members.map((member) => member.kill()))
    await loses
    const closingMs = performance.now()
    await registration.close()
    await metadata.close()
    expect(performance.now() - closingMs).toBeLessThan(6_000)
    for (const member of cluster.members) member.start()
    await cluster.leader()
  })

  test('changes that were compacted before they were seen are followed by the whole tree', async () => {
    const [reader, writer] = [await follow(), await follow()]
    const proxyless = memberAt(watched(reader))
    await writer.store.commit({ conditions: [], changes: [{ key: '/gone', value: '1' }] })
    await reader.until('/gone', () => reader.tree.has('/gone'))
    proxyless.pause()
    await writer.store.commit({ conditions: [], changes: [{ key: '/gone', value: null }] })
    for (let n = 0; n < 20; n++)
      await writer.store.commit({ conditions: [], changes: [{ key: '/n', value: `${n}` }] })
    const last = writer.store.commit({ conditions: [], changes: [{ key: '/n', value: 'last' }] })
    const result = await last
    const answering = cluster.members.find((member) => member !== proxyless)!
    await answering.post('/v3/kv/compaction', { revision: String(result.committed && result.revision) })
    await reader.until('the last value', () => reader.value('/n') === 'last')
    expect(reader.tree.has('/gone')).toBe(false)
    expect(reader.faults).toEqual([])
  })

  describe('behind a proxy', () => {
    let proxy: SwallowingProxy
    beforeEach(async () => {
      proxy = await SwallowingProxy.start(cluster.members[0]!.address)
    })
    afterEach(() => proxy.stop())

    test('a commit whose reply is lost is known to be committed, once', async () => {
      const client = await follow(proxy.address)
      await client.store.commit({ conditions: [], changes: [{ key: '/x', value: '0' }] })
      await client.until('/x', () => client.tree.has('/x'))
      proxy.plan.set('/v3/kv/txn', ['lose the reply', 'lose the reply'])
      const { modRevision } = client.tree.get('/x')!
      const result = await client.store.commit({
        conditions: [{ key: '/x', modRevision }],
        changes: [{ key: '/x', value: '1' }],
      })
      await client.until('the change', () => client.value('/x') === '1')
      expect(result).toEqual({ committed: true, revision: client.tree.get('/x')!.modRevision })
      expect(proxy.plan.get('/v3/kv/txn')).toEqual([])
      expect(client.history('/x')).toEqual(['0', '1'])
    })

    test('a commit that a member holds back can never be applied after it was repeated', async () => {
      const client = await follow(proxy.address)
      proxy.plan.set('/v3/kv/txn', ['hold the request'])
      // Without conditions: only the lane keeps the held one from being applied a second time.
      const result = await client.store.commit({ conditions: [], changes: [{ key: '/x', value: 'mine' }] })
      expect(result.committed).toBe(true)
      await client.store.commit({ conditions: [], changes: [{ key: '/x', value: 'newer' }] })
      expect(await proxy.release()).toBe(1)
      await client.store.commit({ conditions: [], changes: [{ key: '/end', value: '1' }] })
      await client.until('the end', () => client.tree.has('/end'))
      expect(client.history('/x')).toEqual(['mine', 'newer'])
    })
  })
})
