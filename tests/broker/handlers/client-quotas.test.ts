/** AlterClientQuotas and DescribeClientQuotas: what the one sets, the other finds. */
import { alterClientQuotas } from '../../../broker/handlers/alter-client-quotas.ts'
import { describeClientQuotas } from '../../../broker/handlers/describe-client-quotas.ts'
import { errorName } from '../../../broker/protocol/errors.ts'
import { useBroker } from '../../support/use-broker.ts'

type Name = readonly [type: string, name: string | null]
type Operation = readonly [key: string, value: number | 'remove']

const [EXACT, DEFAULT, ANY] = [0, 1, 2] as const

describe('client quotas', () => {
  const broker = useBroker({ perTest: true })

  const entryOf = (names: readonly Name[], operations: readonly Operation[]) => ({
    entity: names.map(([entityType, entityName]) => ({ entityType, entityName })),
    ops: operations.map(([key, value]) => ({
      key,
      value: value === 'remove' ? 0 : value,
      remove: value === 'remove',
    })),
  })

  async function alterAll(entries: ReturnType<typeof entryOf>[], validateOnly = false) {
    const answer = await alterClientQuotas({ entries, validateOnly }, broker.context(1))
    return answer!.entries.map(({ errorCode, errorMessage }) => [errorName(errorCode), errorMessage])
  }

  const alter = async (names: readonly Name[], ...operations: Operation[]) =>
    (await alterAll([entryOf(names, operations)]))[0]!

  async function find(components: readonly (readonly [string, number, string | null])[], strict = false) {
    const request = {
      components: components.map(([entityType, matchType, match]) => ({ entityType, matchType, match })),
      strict,
    }
    const answer = await describeClientQuotas(request, broker.context(1))
    return answer!.entries!.map(({ entity, values }): [string, Record<string, number>] => [
      entity.map(({ entityType, entityName }) => `${entityType}=${entityName ?? '<default>'}`).join(' '),
      Object.fromEntries(values.map(({ key, value }) => [key, value])),
    ])
  }

  const names = async (...args: Parameters<typeof find>) => (await find(...args)).map(([name]) => name)
  const ok = ['NONE', null]

  test('are set, changed and removed one by one', async () => {
    expect(
      await alter([['client-id', 'c']], ['producer_byte_rate', 10], ['request_percentage', 0.5]),
    ).toEqual(ok)
    expect(await alter([['client-id', 'c']], ['producer_byte_rate', 20])).toEqual(ok)
    expect(await find([])).toEqual([['client-id=c', { producer_byte_rate: 20, request_percentage: 0.5 }]])
    expect(
      await alter([['client-id', 'c']], ['producer_byte_rate', 'remove'], ['request_percentage', 'remove']),
    ).toEqual(ok)
    expect(await find([])).toEqual([])
    // What is not there may be removed.
    expect(await alter([['client-id', 'c']], ['nope', 'remove'])).toEqual(ok)
  })

  test('any name is kept as it is, and never taken for the default', async () => {
    for (const name of ['a/b', '<default>', 'ä ö%', "it's*"]) {
      expect(await alter([['user', name]], ['producer_byte_rate', 10])).toEqual(ok)
      expect(await names([['user', EXACT, name]])).toEqual([`user=${name}`])
    }
    expect(await names([['user', DEFAULT, null]])).toEqual([])
  })

  test('a filter finds what has all of its types, strict what has no others', async () => {
    await alter([['user', 'u']], ['producer_byte_rate', 1])
    await alter(
      [
        ['client-id', 'c'],
        ['user', 'u'],
      ],
      ['producer_byte_rate', 2],
    )
    await alter([['user', null]], ['producer_byte_rate', 3])
    await alter([['client-id', 'c']], ['producer_byte_rate', 4])
    await alter([['ip', '10.0.0.1']], ['connection_creation_rate', 5])
    expect((await names([])).toSorted()).toEqual([
      'client-id=c',
      'ip=10.0.0.1',
      'user=<default>',
      'user=u',
      'user=u client-id=c',
    ])
    expect(await names([['user', EXACT, 'u']])).toEqual(['user=u', 'user=u client-id=c'])
    expect(await names([['user', EXACT, 'u']], true)).toEqual(['user=u'])
    expect(await names([['user', DEFAULT, null]])).toEqual(['user=<default>'])
    expect(
      await names(
        [
          ['user', ANY, null],
          ['client-id', ANY, null],
        ],
        true,
      ),
    ).toEqual(['user=u client-id=c'])
    expect(await names([['user', EXACT, 'nobody']])).toEqual([])
    expect(await names([], true)).toEqual([])
  })

  test.each<[string, Name[], Operation[], string]>([
    ['no entity', [], [['producer_byte_rate', 1]], 'the entity is empty'],
    ['an empty name', [['user', '']], [['producer_byte_rate', 1]], 'the name of the user is empty'],
    ['another type', [['group', 'g']], [['producer_byte_rate', 1]], 'it may be user, client-id, ip'],
    [
      'an address with a user',
      [
        ['ip', '10.0.0.1'],
        ['user', 'u'],
      ],
      [],
      'cannot be combined',
    ],
    ['no address', [['ip', 'somewhere']], [['connection_creation_rate', 1]], '"somewhere" is no IP address'],
    ['an unknown quota', [['user', 'u']], [['nope', 1]], 'nope cannot be limited here'],
    ['a quota of addresses', [['user', 'u']], [['connection_creation_rate', 1]], 'cannot be limited here'],
    [
      'a quota of clients',
      [['ip', '10.0.0.1']],
      [['producer_byte_rate', 1]],
      'may be connection_creation_rate',
    ],
    ['zero', [['user', 'u']], [['producer_byte_rate', 0]], 'must be more than 0'],
    ['what is no number', [['user', 'u']], [['producer_byte_rate', NaN]], 'must be more than 0'],
    ['half a byte', [['user', 'u']], [['producer_byte_rate', 1.5]], 'must be a whole number'],
    ['too much', [['user', 'u']], [['producer_byte_rate', 1e19]], 'is too large'],
    [
      'a quota twice',
      [['user', 'u']],
      [
        ['producer_byte_rate', 1],
        ['producer_byte_rate', 2],
      ],
      'more than once',
    ],
  ])('%s is refused', async (_what, entity, operations, message) => {
    const error = ['INVALID_REQUEST', expect.stringContaining(message)]
    expect(await alter(entity, ...operations)).toEqual(error)
    expect(await alterAll([entryOf(entity, operations)], true)).toEqual([error])
    expect(await find([])).toEqual([])
  })

  test('each entry is made or refused by itself; one that is named twice is refused', async () => {
    const good = entryOf([['user', 'a']], [['producer_byte_rate', 1]])
    const bad = entryOf([['user', 'b']], [['nope', 1]])
    const twice = entryOf([['user', 'c']], [['producer_byte_rate', 1]])
    const errors = await alterAll([good, bad, twice, twice])
    expect(errors.map(([error]) => error)).toEqual(['NONE', 'INVALID_REQUEST', 'INVALID_REQUEST'])
    expect(await names([])).toEqual(['user=a'])
  })

  test('validateOnly changes nothing', async () => {
    const entry = entryOf([['user', 'a']], [['producer_byte_rate', 1]])
    expect(await alterAll([entry], true)).toEqual([ok])
    expect(await find([])).toEqual([])
  })

  test.each<[string, [string, number, string | null][], string]>([
    ['an empty type', [['', ANY, null]], 'INVALID_REQUEST'],
    ['an unknown type', [['group', ANY, null]], 'UNSUPPORTED_VERSION'],
    [
      'a type twice',
      [
        ['user', ANY, null],
        ['user', ANY, null],
      ],
      'INVALID_REQUEST',
    ],
    [
      'an address with a user',
      [
        ['ip', ANY, null],
        ['user', ANY, null],
      ],
      'INVALID_REQUEST',
    ],
    ['an unknown match', [['user', 7, null]], 'INVALID_REQUEST'],
    ['no name', [['user', EXACT, null]], 'INVALID_REQUEST'],
    ['a name of the default', [['user', DEFAULT, 'u']], 'INVALID_REQUEST'],
    ['a name of anything', [['user', ANY, 'u']], 'INVALID_REQUEST'],
  ])('a filter with %s is refused', async (_what, components, error) => {
    await expect(find(components)).rejects.toMatchObject({ error })
  })
})
