/** What every driver of the metadata store keeps, and the brokers rely on. Each test has a fresh tree. */
import type { MetadataStore } from '../../../broker/metadata/store.ts'
import { StoreFollower } from '../../support/follow-store.ts'

export interface ContractSubject {
  /** A tree that nobody has used. */
  freshTree(): string
  /** Another client of the tree. */
  open(tree: string): MetadataStore
  /** The shortest lease that the driver can be asked for. */
  readonly leaseMs: number
}

export function describeStoreContract(subject: () => ContractSubject): void {
  let tree: string
  const stores: MetadataStore[] = []

  async function follow(): Promise<StoreFollower> {
    const store = subject().open(tree)
    stores.push(store)
    return StoreFollower.open(store)
  }

  beforeEach(() => {
    tree = subject().freshTree()
  })

  afterEach(async () => {
    await Promise.all(stores.splice(0).map((store) => store.close()))
  })

  const put = (key: string, value: string) => ({ conditions: [], changes: [{ key, value }] })

  test('the listener gets the whole tree first, then what others change', async () => {
    const a = await follow()
    expect(a.updates).toEqual([expect.objectContaining({ reset: true, changes: [] })])
    await a.store.commit(put('/a', '1'))
    const b = await follow()
    expect(b.updates[0]).toMatchObject({ reset: true, changes: [{ key: '/a', entry: { value: '1' } }] })
    const result = await a.store.commit(put('/b', '2'))
    await b.until('/b', () => b.value('/b') === '2')
    expect(b.tree.get('/b')).toEqual({
      key: '/b',
      value: '2',
      createRevision: result.committed && result.revision,
      modRevision: result.committed && result.revision,
    })
    expect([...a.faults, ...b.faults]).toEqual([])
  })

  test('a transaction is applied whole, or not at all when a condition does not hold', async () => {
    const a = await follow()
    const first = await a.store.commit(put('/x', 'old'))
    const modRevision = first.committed ? first.revision : 0
    const changes = [
      { key: '/x', value: 'new' },
      { key: '/y', value: 'new' },
    ]
    const stale = { key: '/x', modRevision: modRevision - 1 }
    const present = { key: '/x', modRevision }
    expect(await a.store.commit({ conditions: [{ key: '/x', modRevision: 0 }], changes })).toEqual({
      committed: false,
    })
    expect(await a.store.commit({ conditions: [stale], changes })).toEqual({ committed: false })
    const other = { key: '/y', modRevision: 7 }
    expect(await a.store.commit({ conditions: [present, other], changes })).toEqual({ committed: false })
    expect(await a.store.commit({ conditions: [present, { key: '/y', modRevision: 0 }], changes })).toEqual({
      committed: true,
      revision: expect.any(Number),
    })
    await a.until('both keys', () => a.value('/x') === 'new' && a.value('/y') === 'new')
    expect(a.history('/x')).toEqual(['old', 'new'])
    expect(a.tree.get('/x')?.createRevision).toBe(modRevision)
    expect(a.tree.get('/y')?.createRevision).toBe(a.tree.get('/x')?.modRevision)
  })

  test('whoever commits again and again leaves turns of the event loop to others', async () => {
    const a = await follow()
    let turned = false
    setImmediate(() => (turned = true))
    for (let count = 0; count < 20; count += 1) await a.store.commit(put('/count', String(count)))
    expect(turned).toBe(true)
  })

  test('deletes one key, or all that start with a prefix', async () => {
    const a = await follow()
    for (const key of ['/t', '/t/1', '/t/2', '/tt', '/t0']) await a.store.commit(put(key, '1'))
    await a.store.commit({
      conditions: [],
      changes: [
        { key: '/t', value: null },
        { key: '/t/', value: null, prefix: true },
        { key: '/was/never/there', value: null },
      ],
    })
    await a.until('the deletion', () => !a.tree.has('/t/2'))
    expect([...a.tree.keys()].toSorted()).toEqual(['/t0', '/tt'])
    await a.store.commit(put('/t', 'again'))
    await a.until('/t again', () => a.value('/t') === 'again')
    expect(a.tree.get('/t')?.createRevision).toBe(a.tree.get('/t')?.modRevision)
  })

  test('of many that create a key at once, one succeeds', async () => {
    const clients = await Promise.all([follow(), follow(), follow()])
    const results = await Promise.all(
      Array.from({ length: 30 }, (_, i) =>
        clients[i % 3]!.store.commit({
          conditions: [{ key: '/leader', modRevision: 0 }],
          changes: [{ key: '/leader', value: String(i) }],
        }),
      ),
    )
    const winner = results.findIndex(({ committed }) => committed)
    expect(results.filter(({ committed }) => committed)).toHaveLength(1)
    for (const client of clients)
      await client.until('the winner', () => client.value('/leader') === String(winner))
  })

  test('everyone sees every change of every writer, in one order, none twice', async () => {
    const clients = await Promise.all([follow(), follow(), follow()])
    await Promise.all(
      clients.map(async ({ store }, i) => {
        for (let n = 0; n < 50; n++) await store.commit(put(`/w${i}`, String(n)))
      }),
    )
    const last = (client: StoreFollower) => ['/w0', '/w1', '/w2'].every((key) => client.value(key) === '49')
    const expected = Array.from({ length: 50 }, (_, n) => String(n))
    const orders: unknown[] = []
    for (const client of clients) {
      await client.until('the last values', () => last(client))
      for (const key of ['/w0', '/w1', '/w2']) expect(client.history(key)).toEqual(expected)
      orders.push(client.updates.flatMap(({ changes }) => changes.map(({ key }) => key)))
      expect(client.faults).toEqual([])
    }
    expect(orders[1]).toEqual(orders[0])
    expect(orders[2]).toEqual(orders[0])
  })

  test('a late client reads a tree of many keys and large values whole', async () => {
    const a = await follow()
    const value = 'x'.repeat(2_000)
    for (let batch = 0; batch < 25; batch++) {
      const changes = Array.from({ length: 100 }, (_, i) => ({ key: `/many/${batch}-${i}`, value }))
      expect((await a.store.commit({ conditions: [], changes })).committed).toBe(true)
    }
    const b = await follow()
    expect(b.tree.size).toBe(2_500)
    await b.store.commit({ conditions: [], changes: [{ key: '/many/', value: null, prefix: true }] })
    await a.until('all deleted', () => a.tree.size === 0)
    expect([...a.faults, ...b.faults]).toEqual([])
  })

  test('keys of a lease stay while it is kept alive, and go when it is revoked', async () => {
    const [a, b] = await Promise.all([follow(), follow()])
    const lease = await a.store.lease(subject().leaseMs)
    await a.store.commit({ conditions: [], changes: [{ key: '/live', value: 'a', lease }] })
    await a.store.commit(put('/stays', '1'))
    await b.until('the key', () => b.value('/live') === 'a')
    await expect(b.until('it goes', () => !b.tree.has('/live'), lease.ttlMs * 2.5)).rejects.toThrow(
      'not within',
    )
    expect(lease.lost.aborted).toBe(false)
    await lease.revoke()
    await b.until('it goes', () => !b.tree.has('/live'))
    expect(b.value('/stays')).toBe('1')
  })

  test('a lease that nobody keeps alive ends, and its owner can put nothing under it', async () => {
    const [a, b] = await Promise.all([follow(), follow()])
    const lease = await a.store.lease(subject().leaseMs)
    const leased = { conditions: [], changes: [{ key: '/live', value: 'a', lease }] }
    await a.store.commit(leased)
    await b.until('the key', () => b.value('/live') === 'a')
    await a.store.close()
    await b.until('it goes', () => !b.tree.has('/live'))
    expect(await b.store.commit(leased)).toEqual({ committed: false })
    expect((await b.store.commit(put('/other', '1'))).committed).toBe(true)
  })

  test('a key written anew without its lease stays', async () => {
    const a = await follow()
    const lease = await a.store.lease(subject().leaseMs)
    await a.store.commit({
      conditions: [],
      changes: [
        { key: '/was', value: '1', lease },
        { key: '/is', value: '1', lease },
      ],
    })
    await a.store.commit(put('/was', '2'))
    await lease.revoke()
    await a.until('the lease ends', () => !a.tree.has('/is'))
    expect(a.value('/was')).toBe('2')
  })

  test('a closed store refuses transactions', async () => {
    const a = await follow()
    await a.store.close()
    await expect(a.store.commit(put('/a', '1'))).rejects.toThrow('closed')
    await a.store.close()
  })
}
