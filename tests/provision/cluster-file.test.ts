import { readdirSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { ClusterFileError, parseClusterFile, readClusterFile } from '../../provision/cluster-file.ts'

const THREE_VMS = `name: demo
nodes:
  - { id: 1, address: 10.0.0.1 }
  - { id: 2, address: 10.0.0.2 }
  - { id: 3, address: 10.0.0.3 }
`
const AWS = `name: demo
nodes: [{ id: 1 }, { id: 2 }, { id: 3 }]
aws:
  region: eu-central-1
  sshFrom: [203.0.113.0/24]
`

/** The lines of the error that a text causes. */
function mistakes(text: string): string[] {
  try {
    parseClusterFile(text, '/somewhere/cluster.yaml')
  } catch (error) {
    if (error instanceof ClusterFileError) return error.message.split('\n')
    throw error
  }
  return []
}

describe('a good file', () => {
  test.each(readdirSync(path.resolve('examples')))('examples/%s is one', async (example) => {
    const file = await readClusterFile(path.join('examples', example))
    expect(file.nodes.map(({ id }) => id)).toEqual([1, 2, 3])
  })

  test('gets its defaults filled in', () => {
    expect(parseClusterFile(THREE_VMS, '/somewhere/cluster.yaml')).toEqual({
      path: '/somewhere/cluster.yaml',
      name: 'demo',
      nodes: [1, 2, 3].map((id) => ({ id, address: `10.0.0.${id}` })),
      ssh: { user: 'ubuntu', port: 22, knownHosts: path.join(os.homedir(), '.ssh/known_hosts') },
      broker: { settings: {}, memoryMiB: 5120 },
      quorum: { memoryMiB: 1024 },
      kafkaUser: { sudo: true },
      accept: [],
    })
  })

  test('names files relative to itself, or to the home folder', () => {
    const { ssh, aws } = parseClusterFile(
      `${AWS}ssh: { identityFile: ./keys/id, knownHosts: ~/known }\n`,
      '/somewhere/c.yaml',
    )
    expect(ssh.identityFile).toBe('/somewhere/keys/id')
    expect(ssh.knownHosts).toBe(path.join(os.homedir(), 'known'))
    expect(aws?.publicKeyFile).toBe('/somewhere/keys/id.pub')
  })

  test("holds the brokers' settings as text, whatever YAML takes them for", () => {
    const { broker } = parseClusterFile(
      `${THREE_VMS}broker: { settings: { log.retention.hours: 72, delete.topic.enable: false, num.partitions: 3 } }\n`,
      '/somewhere/c.yaml',
    )
    expect(broker.settings).toEqual({
      'log.retention.hours': '72',
      'delete.topic.enable': 'false',
      'num.partitions': '3',
    })
  })
})

describe('a mistake is named with its place and what would be right', () => {
  test('an id used twice', () => {
    expect(mistakes(THREE_VMS.replace('id: 3', 'id: 2'))).toEqual([
      'cluster.yaml:5:11: nodes[2].id: 2 is used twice; node ids must be unique',
    ])
  })

  test('an unknown key, with the nearest known one', () => {
    expect(mistakes(THREE_VMS.replace('2, address', '2, adress'))).toContain(
      'cluster.yaml:4:14: nodes[1].adress: unknown key; did you mean address?',
    )
  })

  test('an unknown key near to none', () => {
    expect(mistakes(`${THREE_VMS}kafkaUser: { shell: bash }\n`)).toEqual([
      'cluster.yaml:6:14: kafkaUser.shell: unknown key; known here: sudo',
    ])
  })

  test('all of them at once', () => {
    expect(mistakes(`${THREE_VMS}ssh: { port: 70000 }\naccept: [corse]\n`)).toEqual([
      'cluster.yaml:6:14: ssh.port: must be <= 65535 (the port of sshd, 1 to 65535)',
      'cluster.yaml:7:10: accept[0]: "corse" is none of os, cores, memory, disk, clock; did you mean cores?',
    ])
  })

  test('settings that the broker does not have, cannot read, or gets from elsewhere', () => {
    const settings = [
      'num.partition: 3',
      'num.partitions: many',
      'log.dirs: /data',
      'zookeeper.connect: x',
      'own.key: 1',
    ]
    const lines = settings.map((line) => `    ${line}\n`).join('')
    expect(mistakes(`${THREE_VMS}broker:\n  settings:\n${lines}`)).toEqual([
      'cluster.yaml:8:20: broker.settings["num.partition"]: is unknown; did you mean num.partitions?',
      expect.stringMatching(/^cluster\.yaml:9:21: broker\.settings\["num\.partitions"\]: many: /),
      expect.stringMatching(/^cluster\.yaml:10:15: .*follows from each node's own entry/),
      expect.stringMatching(/^cluster\.yaml:11:24: .*has no effect: there is no ZooKeeper/),
      expect.stringMatching(/^cluster\.yaml:12:14: .*is not a setting of the broker/),
    ])
  })

  test('a missing key', () => {
    expect(mistakes(AWS.replace('  sshFrom: [203.0.113.0/24]\n', ''))).toEqual([
      expect.stringMatching(
        /^cluster\.yaml:4:3: aws\.sshFrom is missing: the address ranges that may reach port 22/,
      ),
    ])
  })

  test('a number where a text belongs', () => {
    expect(mistakes(`${THREE_VMS}quorum: { etcd: { version: 3.6, sha256: { x64: abc } } }\n`)).toEqual([
      'cluster.yaml:6:28: quorum.etcd.version: 3.6 is not a text (put it into quotes) (an etcd release, as 3.6.5)',
      'cluster.yaml:6:48: quorum.etcd.sha256.x64: "abc" is not valid (64 hexadecimal digits)',
    ])
  })

  test.each([
    ['a: [', /^cluster\.yaml:1:5: .*must be sufficiently indented and end with a \]/],
    ['name: a\nname: b\n', /^cluster\.yaml:2:1: Map keys must be unique/],
    ['', /^cluster\.yaml:1:1: the file: nothing is not a mapping/],
    [
      THREE_VMS.replace('demo', 'Demo'),
      /^cluster\.yaml:1:7: name: "Demo" is not valid \(.*lower-case letters/,
    ],
    [THREE_VMS.replace(/ {2}- \{ id: 3.*\n/, ''), /^cluster\.yaml:3:3: nodes: there are 2; .* wants 3 or 5/],
    [
      THREE_VMS.replace('10.0.0.3', '10.0.0.1'),
      /nodes\[2\]\.address: 10\.0\.0\.1 is used twice; each node needs its own/,
    ],
    [THREE_VMS.replace('10.0.0.3', '127.0.0.1'), /^cluster\.yaml:5:23: .* cannot reach 127\.0\.0\.1/],
    [
      THREE_VMS.replace('10.0.0.3', 'node-c'),
      /^cluster\.yaml:5:23: nodes\[2\]\.address: node-c is not an IP address/,
    ],
    [THREE_VMS.replace(', address: 10.0.0.3', ''), /^cluster\.yaml:5:5: nodes\[2\]: the node has no address/],
    [
      `${THREE_VMS}quorum: { etcd: { file: ./etcd, version: 3.6.1 } }`,
      /^cluster\.yaml:6:17: quorum\.etcd: give either/,
    ],
    [`${THREE_VMS}quorum: { etcd: { version: 3.6.1 } }`, /quorum\.etcd: give version and sha256/],
  ])('%j', (text, message) => {
    expect(mistakes(text)).toEqual([expect.stringMatching(message)])
  })

  test('a file that is not there, with where to get one', async () => {
    await expect(readClusterFile('/nowhere/cluster.yaml')).rejects.toThrow(
      '/nowhere/cluster.yaml: there is no such file; examples/aws.yaml and examples/vms.yaml are there to be copied',
    )
  })
})

describe('machines on AWS', () => {
  const aws = (line: string): string => `${AWS}  ${line}\n`

  test.each(['0.0.0.0/0', '10.0.0.0/0'])('are not opened to the whole internet unknowingly: %s', (range) => {
    expect(mistakes(AWS.replace('203.0.113.0/24', '0.0.0.0/0'))).toEqual([
      'cluster.yaml:5:13: aws.sshFrom[0]: 0.0.0.0/0 is the whole internet; name your own range, or say allowAnywhere: [ssh] if you mean it',
    ])
    expect(mistakes(aws(`clientsFrom: [${range}]`))).toHaveLength(1)
  })

  test('are opened to it where the file says so', () => {
    const open = AWS.replace('203.0.113.0/24', '0.0.0.0/0')
    expect(mistakes(`${open}  allowAnywhere: [ssh]\n`)).toEqual([])
    expect(mistakes(`${open}  allowAnywhere: [clients]\n`)).toHaveLength(1)
  })

  test.each([
    [aws('clientsFrom: [10.0.0.1]'), /clientsFrom\[0\]: "10\.0\.0\.1" is not .* write 10\.0\.0\.1\/32/],
    [aws('clientsFrom: [10.0.0.1/8]'), /host bits set; the range is 10\.0\.0\.0\/8/],
    [aws('clientsFrom: [10.0.0.0/40]'), /prefix length must be 0 to 32/],
    [aws('vpcCidr: 10.0.0.0/8'), /vpcCidr: 10\.0\.0\.0\/8 is not between \/16 and \/24/],
    [aws('dataVolume: { iops: 6000, sizeGiB: 10 }'), /dataVolume\.iops: 6000 is too much for 10 GiB/],
    [aws('dataVolume: { throughputMiBps: 1000 }'), /throughputMiBps: 1000 needs at least 4000 iops/],
    [
      AWS.replace('id: 2', 'id: 2, address: 10.0.0.2'),
      /^cluster\.yaml:2:38: nodes\[1\]\.address: with an aws section the stack decides/,
    ],
    [`${AWS}ssh: { port: 2222 }\n`, /ssh\.port: the machines that the stack makes listen on 22/],
  ])('%j', (text, message) => {
    expect(mistakes(text)).toEqual([expect.stringMatching(message)])
  })
})
