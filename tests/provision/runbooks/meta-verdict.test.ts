import {
  judge,
  refusal,
  type DirectoryEvidence,
  type Evidence,
} from '../../../provision/runbooks/meta-verdict.ts'

const OURS = 'ours-aaaaaaaaaaaaaaaaa'
const OTHER = 'other-bbbbbbbbbbbbbbbb'

function directory(parts: Partial<DirectoryEvidence> = {}): DirectoryEvidence {
  return {
    path: '/logs',
    clusterId: OTHER,
    nodeId: 2,
    hasMetaProperties: true,
    topicIds: ['t1', 't2'],
    ...parts,
  }
}

function evidence(parts: Partial<Evidence> = {}): Evidence {
  return {
    node: 2,
    configuredNodeId: 2,
    quorum: { clusterId: OURS, topicIds: new Set(['t1', 't2', 't3']) },
    directories: [directory()],
    peers: [
      { node: 1, clusterId: OURS },
      { node: 3, clusterId: OURS },
    ],
    ...parts,
  }
}

const rows: [string, Partial<Evidence>, string, RegExp][] = [
  [
    'the quorum knows the topics, the peers agree with it: the file is wrong',
    {},
    'repair meta.properties',
    /says other-\S+, the quorum ours-\S+; the quorum knows the topic ids of 2 of its 2 partitions; node 1, 3 of the peers agree/,
  ],
  [
    'some topics were deleted while the node was down',
    { directories: [directory({ topicIds: ['t1', 'deleted'] })] },
    'repair meta.properties',
    /1 of its 2 partitions/,
  ],
  ['no peer can be asked, but the topics are known', { peers: [] }, 'repair meta.properties', /2 of its 2/],
  [
    'an empty folder',
    { directories: [directory({ topicIds: [] })] },
    'repair meta.properties',
    /has no records that could belong to another cluster/,
  ],
  [
    'only one of two folders is wrong',
    { directories: [directory({ path: '/a', clusterId: OURS }), directory({ path: '/b' })] },
    'repair meta.properties',
    /^\/b\/meta/,
  ],
  ['nothing is wrong', { directories: [directory({ clusterId: OURS })] }, 'none', /agrees with the quorum/],
  [
    'no cluster.id line: the broker fills it in',
    { directories: [directory({ clusterId: undefined })] },
    'none',
    /agrees/,
  ],
  [
    'topics of another cluster',
    { directories: [directory({ topicIds: ['x1', 'x2'] })] },
    'refuse data',
    /records of 2 partitions, and the quorum \(ours-\S+\) knows the topic id of none of them: they belong to the cluster other/,
  ],
  [
    'records without topic ids prove nothing',
    { directories: [directory({ topicIds: [undefined, undefined] })] },
    'refuse data',
    /knows the topic id of none/,
  ],
  [
    'one folder is ours, another has strange records',
    { directories: [directory({ path: '/a' }), directory({ path: '/b', topicIds: ['x1'] })] },
    'refuse data',
    /^\/b has records/,
  ],
  [
    'the peers were in the node’s cluster, too: the quorum was replaced',
    {
      peers: [
        { node: 1, clusterId: OTHER },
        { node: 3, clusterId: OTHER },
      ],
      quorum: { clusterId: OURS, topicIds: new Set() },
    },
    'refuse quorum',
    /the quorum says ours-\S+, but node 1, 3 of the peers were also part of another cluster \(other/,
  ],
  [
    'an empty folder does not make a replaced quorum right',
    {
      directories: [directory({ topicIds: [] })],
      peers: [
        { node: 1, clusterId: OTHER },
        { node: 3, clusterId: undefined },
      ],
    },
    'refuse quorum',
    /node 1 of the peers was also/,
  ],
  [
    'the records of another node',
    { directories: [directory({ nodeId: 3 })] },
    'refuse node.id',
    /meta.properties is of node 3: these are the records of another node/,
  ],
  ['server.properties of another node', { configuredNodeId: 3 }, 'refuse node.id', /says node.id=3/],
  ['no majority', { quorum: undefined }, 'refuse unknown', /no majority of the quorum answers/],
  [
    'a quorum that has lost its data',
    { quorum: { clusterId: undefined, topicIds: new Set() } },
    'refuse unknown',
    /it is new or has lost its data/,
  ],
]

test.each(rows)('%s', (_, parts, outcome, because) => {
  const verdict = judge(evidence(parts))
  expect(verdict.because).toMatch(because)
  expect([verdict.action, ...('wrong' in verdict ? [verdict.wrong] : [])].join(' ')).toBe(outcome)
})

test('only the folders whose file is wrong are repaired', () => {
  const verdict = judge(
    evidence({ directories: [directory({ path: '/a', clusterId: OURS }), directory({ path: '/b' })] }),
  )
  expect(verdict).toMatchObject({ action: 'repair', directories: ['/b'] })
})

test('every refusal says what is wrong and what to do', () => {
  const refused = rows
    .map(([, parts]) => judge(evidence(parts)))
    .filter((verdict) => verdict.action === 'refuse')
  expect(refused.length).toBeGreaterThan(5)
  for (const verdict of refused) {
    expect(refusal(2, verdict)).toContain('meta.properties of node 2 was left as it is')
    expect(verdict.advice.length).toBeGreaterThan(40)
  }
})
