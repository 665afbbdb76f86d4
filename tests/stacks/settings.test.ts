import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { parseClusterFile } from '../../provision/cluster-file.ts'
import { readSettings } from '../../stacks/settings.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'brokerkit-settings-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const AWS = `name: demo
nodes: [{ id: 5 }, { id: 1 }, { id: 2 }, { id: 4 }, { id: 3 }]
ssh: { identityFile: id }
aws: { region: eu-central-1, sshFrom: [203.0.113.0/24] }
`
const settingsOf = (text: string) => readSettings(parseClusterFile(text, path.join(folder, 'cluster.yaml')))

test('five nodes share three zones', async () => {
  await writeFile(path.join(folder, 'id.pub'), 'ssh-ed25519 AAAA me\n')
  const { subnets, nodes, publicKey } = await settingsOf(AWS)
  expect(publicKey).toBe('ssh-ed25519 AAAA me')
  expect(subnets).toEqual(['10.20.0.0/24', '10.20.1.0/24', '10.20.2.0/24'])
  expect(nodes.map(({ id, zone, privateIp }) => [id, zone, privateIp])).toEqual([
    [1, 0, '10.20.0.10'],
    [2, 1, '10.20.1.10'],
    [3, 2, '10.20.2.10'],
    [4, 0, '10.20.0.11'],
    [5, 1, '10.20.1.11'],
  ])
})

test('a cluster file without an aws section has no machines to make', async () => {
  await expect(settingsOf('name: demo\nnodes: [{ id: 1, address: 10.0.0.1 }]\n')).rejects.toThrow(
    /cluster\.yaml has no aws section, .* examples\/aws\.yaml shows one/,
  )
})

test.each([
  ['missing', undefined, /cannot be read \(ENOENT.*id\.pub'\); make a pair with ssh-keygen/],
  ['private', '-----BEGIN OPENSSH PRIVATE KEY-----\n', /id\.pub is a private key; name its \.pub file/],
  ['of a kind that EC2 does not take', 'ecdsa-sha2-nistp256 AAAA\n', /is not a public key that EC2 takes/],
])('a key that is %s is refused', async (_, key, message) => {
  if (key !== undefined) await writeFile(path.join(folder, 'id.pub'), key)
  await expect(settingsOf(AWS)).rejects.toThrow(message)
})
