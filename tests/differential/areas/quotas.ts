/** DescribeClientQuotas and AlterClientQuotas. */
import { AlterClientQuotas } from '../../../broker/protocol/apis/alter-client-quotas.ts'
import { DescribeClientQuotas } from '../../../broker/protocol/apis/describe-client-quotas.ts'
import type { RequestToSend } from '../../../broker/protocol/schema.ts'
import { type Area, ask, type Step, untilItShows } from '../case.ts'

const EXACT = 0
const DEFAULT = 1
const ANY = 2

type Entry = RequestToSend<typeof AlterClientQuotas>['entries'][number]
type Component = RequestToSend<typeof DescribeClientQuotas>['components'][number]

const CLIENT = { entityType: 'client-id', entityName: 'quota-client' }
const USER = { entityType: 'user', entityName: 'quota-user' }

function alter(entries: readonly Entry[], validateOnly = false, version = 1): Step {
  return ask(AlterClientQuotas, version, { entries: [...entries], validateOnly })
}

function set(entity: Entry['entity'], key: string, value: number): Step {
  return alter([{ entity, ops: [{ key, value, remove: false }] }])
}

function remove(entity: Entry['entity'], key: string): Step {
  return alter([{ entity, ops: [{ key, value: 0, remove: true }] }])
}

function describe(components: readonly Component[], strict = false, version = 1): Step {
  return ask(DescribeClientQuotas, version, { components: [...components], strict })
}

function of(entityType: string, matchType: number, match: string | null = null): Component {
  return { entityType, matchType, match }
}

export const quotas: Area = {
  name: 'quotas',
  topics: {},
  cases: {
    'a quota of a client': [
      set([CLIENT], 'producer_byte_rate', 123_456),
      untilItShows('123456', describe([of('client-id', EXACT, 'quota-client')])),
    ],
    'a second quota of a client': [
      set([CLIENT], 'consumer_byte_rate', 234_567),
      untilItShows('234567', describe([of('client-id', EXACT, 'quota-client')])),
    ],
    'a quota of a user and a client': [
      set([USER, CLIENT], 'request_percentage', 345),
      untilItShows(
        '345',
        describe([of('user', EXACT, 'quota-user'), of('client-id', EXACT, 'quota-client')]),
      ),
    ],
    'a quota of every client': [
      set([{ entityType: 'client-id', entityName: null }], 'producer_byte_rate', 456_789),
      untilItShows('456789', describe([of('client-id', DEFAULT)])),
    ],
    'quotas of any client': describe([of('client-id', ANY)]),
    'quotas of clients only': describe([of('client-id', ANY)], true),
    'quotas in version 0': describe([of('client-id', ANY)], true, 0),
    'a quota that is removed': [
      remove([CLIENT], 'consumer_byte_rate'),
      describe([of('client-id', EXACT, 'nobody')]),
    ],
    'a quota that is not there, removed': remove([CLIENT], 'controller_mutation_rate'),
    'only validating': alter(
      [{ entity: [CLIENT], ops: [{ key: 'producer_byte_rate', value: 1, remove: false }] }],
      true,
    ),
    'a key that does not exist': set([CLIENT], 'no_such_rate', 1),
    'a key that does not exist, removed': remove([CLIENT], 'no_such_rate'),
    'a rate of zero': set([CLIENT], 'producer_byte_rate', 0),
    'a negative rate': set([CLIENT], 'producer_byte_rate', -5),
    'a rate that is not whole': set([CLIENT], 'producer_byte_rate', 1.5),
    'a percentage that is not whole': alter(
      [{ entity: [CLIENT], ops: [{ key: 'request_percentage', value: 1.5, remove: false }] }],
      true,
    ),
    'a rate that is no number': set([CLIENT], 'producer_byte_rate', Number.NaN),
    'a rate without end': set([CLIENT], 'producer_byte_rate', Infinity),
    'an entity of a type that does not exist': set(
      [{ entityType: 'planet', entityName: 'x' }],
      'producer_byte_rate',
      1,
    ),
    'no entity': set([], 'producer_byte_rate', 1),
    'an entity without a name': set([{ entityType: 'client-id', entityName: '' }], 'producer_byte_rate', 1),
    'the same type twice': set([CLIENT, CLIENT], 'producer_byte_rate', 1),
    'a key of addresses for a client': set([CLIENT], 'connection_creation_rate', 5),
    'an address that is none': set(
      [{ entityType: 'ip', entityName: 'no address' }],
      'connection_creation_rate',
      5,
    ),
    'an address with a client': set(
      [{ entityType: 'ip', entityName: '10.0.0.1' }, CLIENT],
      'connection_creation_rate',
      5,
    ),
    'a key of clients for an address': set(
      [{ entityType: 'ip', entityName: '10.0.0.1' }],
      'producer_byte_rate',
      5,
    ),
    'a quota of an address': [
      set([{ entityType: 'ip', entityName: '10.9.9.9' }], 'connection_creation_rate', 5),
      untilItShows('connection_creation_rate', describe([of('ip', EXACT, '10.9.9.9')])),
    ],
    'no changes': alter([{ entity: [CLIENT], ops: [] }]),
    nothing: alter([]),
    'one entity twice': alter(
      [
        { entity: [CLIENT], ops: [{ key: 'producer_byte_rate', value: 1, remove: false }] },
        { entity: [CLIENT], ops: [{ key: 'producer_byte_rate', value: 2, remove: false }] },
      ],
      true,
    ),
    'one key twice': alter(
      [
        {
          entity: [CLIENT],
          ops: [
            { key: 'producer_byte_rate', value: 111, remove: false },
            { key: 'producer_byte_rate', value: 222, remove: false },
          ],
        },
      ],
      true,
    ),
    'good and bad': alter(
      [
        { entity: [USER], ops: [{ key: 'producer_byte_rate', value: 1000, remove: false }] },
        { entity: [CLIENT], ops: [{ key: 'no_such_rate', value: 1, remove: false }] },
      ],
      true,
    ),
    'describing a type that does not exist': describe([of('planet', ANY)]),
    'describing by a match that does not exist': describe([of('client-id', 9)]),
    'describing exactly nobody': describe([of('client-id', EXACT, null)]),
    'describing the default by name': describe([of('client-id', DEFAULT, 'x')]),
    'describing one type twice': describe([of('client-id', ANY), of('client-id', ANY)]),
    'describing addresses and clients': describe([of('ip', ANY), of('client-id', ANY)]),
    'describing an empty type': describe([of('', ANY)]),
    'describing nobody': describe([of('client-id', EXACT, 'nobody')]),
  },
}
