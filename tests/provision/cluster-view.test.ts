import {
  encodeBroker,
  encodeClusterId,
  encodePartitionState,
  encodeTopic,
} from '../../broker/metadata/keys.ts'
import { brokerProblems, parseView, quorumProblems, type ClusterView } from '../../provision/cluster-view.ts'
import type { QuorumView } from '../../provision/on-host/quorum-view.ts'

const nodes = [1, 2, 3].map((id) => ({ id, address: `10.0.1.1${id}` }))
const members = nodes.map(({ address }) => ({ url: `http://${address}:2379`, healthy: true, detail: '' }))

interface State {
  readonly brokers?: readonly number[]
  readonly partitions?: readonly { readonly leader: number; readonly isr: readonly number[] }[]
}

function viewOf(
  { brokers = [1, 2, 3], partitions = [] }: State,
  asked: QuorumView['members'] = members,
): ClusterView {
  const values: [string, string][] = [
    ['/cluster/id', encodeClusterId('S655TMcnTLS_fixbGP-bEg')],
    ...brokers.map((id): [string, string] => [
      `/brokers/ids/${id}`,
      encodeBroker({
        endpoints: [],
        rack: null,
        shuttingDown: false,
        offlineReplicas: new Map(),
        completeSince: undefined,
        timestampMs: 0,
      }),
    ]),
    [
      '/brokers/topics/orders',
      encodeTopic({ id: 'bxG99n83Suy3ANMlsalfZA', assignment: partitions.map(() => [1, 2, 3]) }),
    ],
    ...partitions.map(({ leader, isr }, index): [string, string] => [
      `/brokers/topics/orders/partitions/${index}/state`,
      encodePartitionState({ leader, leaderEpoch: 0, isr }, 1),
    ]),
  ]
  const entries = values.map(([key, value], i) => ({ key, value, createRevision: i + 1, modRevision: i + 1 }))
  return parseView({ members: asked, tree: { revision: 100, entries } }, nodes)
}

test('a whole cluster has no problems', () => {
  const view = viewOf({ partitions: [{ leader: 1, isr: [1, 2, 3] }] })
  expect(quorumProblems(view)).toEqual([])
  expect(brokerProblems(view, nodes)).toEqual([])
  expect(view.image?.clusterId).toBe('S655TMcnTLS_fixbGP-bEg')
})

test('members that do not answer are named, with the reason', () => {
  const asked = [members[0]!, { ...members[1]!, healthy: false, detail: 'connect ECONNREFUSED' }]
  expect(quorumProblems(viewOf({}, asked))).toEqual([
    "the quorum's member on node 2 is not healthy: connect ECONNREFUSED",
    "the quorum's member on node 3 is not healthy: was not asked",
  ])
})

test('a broker that is not registered, and replicas that are behind, are named once for each topic', () => {
  const view = viewOf({
    brokers: [1, 3],
    partitions: [
      { leader: 1, isr: [1, 2, 3] },
      { leader: 3, isr: [3, 1] },
      { leader: 1, isr: [1] },
    ],
  })
  expect(brokerProblems(view, nodes)).toEqual([
    'broker 2 is not registered in the quorum',
    'orders-1 has 3, 1 in sync of 1, 2, 3 (and 1 other partitions of the topic)',
  ])
})

test('a partition without a leader is said to have none', () => {
  expect(brokerProblems(viewOf({ partitions: [{ leader: -1, isr: [2] }] }), nodes)).toEqual([
    'orders-0 has no leader',
  ])
})

test('a quorum without a majority is one problem, not one for each broker', () => {
  expect(brokerProblems(parseView({ members: [] }, nodes), nodes)).toEqual(['the quorum does not answer'])
})
