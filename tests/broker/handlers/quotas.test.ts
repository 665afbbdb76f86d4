import { Quotas } from '../../../broker/handlers/quotas.ts'
import { type ClientQuota, type QuotaEntityType, quotaKey } from '../../../broker/metadata/client-quotas.ts'
import { EMPTY_IMAGE } from '../../../broker/metadata/image-fold.ts'
import type { ImageListener } from '../../../broker/metadata/cluster-metadata.ts'
import { loadConfig } from '../../../broker/config/config.ts'
import { ManualClock } from '../../support/manual-clock.ts'

type Entity = Partial<Record<QuotaEntityType, string | null>>

/** Quotas of clients that the test sets. */
class Scene {
  readonly clock = new ManualClock()
  #listener: ImageListener = () => {}
  readonly quotas = new Quotas({
    config: loadConfig({ 'node.id': '1', 'quorum.connect': 'a:1' }),
    metadata: {
      subscribe: (listener) => {
        this.#listener = listener
        return () => {}
      },
    },
    clock: this.clock,
  })

  set(...all: readonly [entity: Entity, limits: Record<string, number>][]): this {
    const clientQuotas = new Map(
      all.map(([entity, limits]): [string, ClientQuota] => {
        const names = new Map(Object.entries(entity) as [QuotaEntityType, string | null][])
        return [quotaKey(names), { entity: names, limits: new Map(Object.entries(limits)) }]
      }),
    )
    const delta = {
      topics: new Set<string>(),
      brokers: new Set<number>(),
      controllerChanged: false,
      brokerConfigsChanged: false,
      clientQuotasChanged: true,
    }
    this.#listener({ ...EMPTY_IMAGE, clientQuotas }, delta, EMPTY_IMAGE)
    return this
  }
}

const bytesPerSecond = (limit: number) => ({ producer_byte_rate: limit })

describe('Quotas', () => {
  test('nobody is held to anything without a quota', () => {
    const { quotas } = new Scene()
    expect(quotas.active).toBe(false)
    expect(quotas.produced('c', 1e12)).toBe(0)
    expect(quotas.fetched('c', 1e12)).toBe(0)
    expect(quotas.maxFetchBytes('c')).toBe(Infinity)
    expect(quotas.connectionRate('10.0.0.1')).toBe(Infinity)
    quotas.mutate('c', 1e6, true)
    expect(quotas.mutationDebtMs('c')).toBe(0)
  })

  test.each<[string, [Entity, number][], number | undefined]>([
    [
      'user and client',
      [
        [{ user: 'ANONYMOUS', 'client-id': 'c' }, 1],
        [{ user: 'ANONYMOUS', 'client-id': null }, 2],
      ],
      1,
    ],
    [
      'user, any client',
      [
        [{ user: 'ANONYMOUS', 'client-id': null }, 1],
        [{ user: 'ANONYMOUS' }, 2],
      ],
      1,
    ],
    [
      'user',
      [
        [{ user: 'ANONYMOUS' }, 1],
        [{ user: null, 'client-id': 'c' }, 2],
      ],
      1,
    ],
    [
      'any user and client',
      [
        [{ user: null, 'client-id': 'c' }, 1],
        [{ user: null, 'client-id': null }, 2],
      ],
      1,
    ],
    [
      'any user, any client',
      [
        [{ user: null, 'client-id': null }, 1],
        [{ user: null }, 2],
      ],
      1,
    ],
    [
      'any user',
      [
        [{ user: null }, 1],
        [{ 'client-id': 'c' }, 2],
      ],
      1,
    ],
    [
      'client',
      [
        [{ 'client-id': 'c' }, 1],
        [{ 'client-id': null }, 2],
      ],
      1,
    ],
    ['any client', [[{ 'client-id': null }, 1]], 1],
    ['another user', [[{ user: 'u' }, 1]], undefined],
    ['another client', [[{ 'client-id': 'd' }, 1]], undefined],
  ])('what counts: %s', (_what, entries, expected) => {
    const { quotas } = new Scene().set(
      ...entries.map(
        ([entity, limit]) => [entity, { consumer_byte_rate: limit }] as [Entity, Record<string, number>],
      ),
    )
    expect(quotas.maxFetchBytes('c')).toBe(expected === undefined ? Infinity : expected * 10)
  })

  test('an entity without the quota in question does not hide the next one', () => {
    const { quotas } = new Scene().set(
      [{ user: 'ANONYMOUS' }, { producer_byte_rate: 5 }],
      [{ 'client-id': 'c' }, { consumer_byte_rate: 7 }],
    )
    expect(quotas.maxFetchBytes('c')).toBe(70)
  })

  test('a producer has to keep quiet by what is beyond its rate, and no longer', () => {
    const scene = new Scene().set([{ 'client-id': 'c' }, bytesPerSecond(100)])
    expect(scene.quotas.produced('c', 1000)).toBe(0)
    expect(scene.quotas.produced('c', 100)).toBe(1000)
    expect(scene.quotas.produced('other', 1e9)).toBe(0)
    scene.clock.advance(11_000)
    expect(scene.quotas.produced('c', 100)).toBe(0)
  })

  test('clients of one user share its quota; each client under the default has its own', () => {
    const shared = new Scene().set([{ user: 'ANONYMOUS' }, bytesPerSecond(100)])
    shared.quotas.produced('a', 1000)
    expect(shared.quotas.produced('b', 100)).toBe(1000)
    const own = new Scene().set([{ 'client-id': null }, bytesPerSecond(100)])
    own.quotas.produced('a', 1000)
    expect(own.quotas.produced('b', 100)).toBe(0)
  })

  test('bytes that a consumer has to wait for are not counted, and go when the time has come', () => {
    const scene = new Scene().set([{ 'client-id': 'c' }, { consumer_byte_rate: 100 }])
    expect(scene.quotas.fetched('c', 900)).toBe(0)
    const quietMs = scene.quotas.fetched('c', 300)
    expect(quietMs).toBe(2000)
    expect(scene.quotas.fetched('c', 300)).toBe(2000)
    scene.clock.advance(quietMs)
    expect(scene.quotas.fetched('c', 100)).toBe(0)
  })

  test('a batch that is larger than a consumer may ever get goes to one that has got nothing for long', () => {
    const scene = new Scene().set([{ 'client-id': 'c' }, { consumer_byte_rate: 100 }])
    expect(scene.quotas.fetched('c', 5000)).toBe(0)
    expect(scene.quotas.fetched('c', 5000)).toBeGreaterThan(0)
    scene.clock.advance(11_000)
    expect(scene.quotas.fetched('c', 5000)).toBe(0)
  })

  test('the time of requests is limited in percent, and costs one window of quiet at most', () => {
    const scene = new Scene().set([{ 'client-id': 'c' }, { request_percentage: 1 }])
    // 100 ms in 10 s are one percent.
    expect(scene.quotas.busy('c', 100)).toBe(0)
    expect(scene.quotas.busy('c', 5)).toBe(500)
    expect(scene.quotas.busy('c', 500)).toBe(1000)
  })

  test('beyond the rate of partitions, clients that know the error get it, others have to keep quiet', () => {
    const scene = new Scene().set([{ 'client-id': 'c' }, { controller_mutation_rate: 1 }])
    scene.quotas.mutate('c', 10, true)
    scene.quotas.mutate('c', 3, true)
    expect(scene.quotas.mutationDebtMs('c')).toBe(2000)
    expect(() => scene.quotas.mutate('c', 1, true)).toThrow(
      expect.objectContaining({ error: 'THROTTLING_QUOTA_EXCEEDED' }),
    )
    scene.quotas.mutate('c', 1, false)
    expect(scene.quotas.mutationDebtMs('c')).toBe(3000)
    scene.clock.advance(3000)
    scene.quotas.mutate('c', 1, true)
  })

  test('a new limit counts at once, for what was done before as well', () => {
    const scene = new Scene().set([{ 'client-id': 'c' }, bytesPerSecond(1000)])
    expect(scene.quotas.produced('c', 2000)).toBe(0)
    scene.set([{ 'client-id': 'c' }, bytesPerSecond(100)])
    expect(scene.quotas.produced('c', 0)).toBe(10_000)
    scene.set()
    expect(scene.quotas.produced('c', 1e9)).toBe(0)
  })

  test('addresses have their own limit, or the default', () => {
    const { quotas } = new Scene().set(
      [{ ip: '10.0.0.1' }, { connection_creation_rate: 5 }],
      [{ ip: null }, { connection_creation_rate: 9 }],
    )
    expect([quotas.connectionRate('10.0.0.1'), quotas.connectionRate('10.0.0.2')]).toEqual([5, 9])
  })

  test('clients that have gone are forgotten', () => {
    const scene = new Scene().set([{ 'client-id': null }, bytesPerSecond(10)])
    for (let index = 0; index < 5000; index += 1) {
      scene.quotas.produced(`client-${index}`, 1000)
      scene.clock.advance(20)
    }
    // Still held to what it has done just now.
    expect(scene.quotas.produced('client-4999', 1)).toBeGreaterThan(0)
    expect(scene.quotas.remembered).toBeLessThan(2500)
  })
})
