/** What is synthesized for Terraform; tests/infra/ deploys it. */
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { Testing } from 'cdktf'
import { parseClusterFile } from '../../provision/cluster-file.ts'
import { ClusterStack } from '../../stacks/cluster-stack.ts'
import { ensureHostKeys } from '../../stacks/host-keys.ts'
import { readSettings } from '../../stacks/settings.ts'

const PUBLIC_KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKWXQ+938FiXmOzdNjdREgPXXP+N7qkG0jMN4428BRpJ me@here'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'brokerkit-stacks-'))
  await writeFile(path.join(folder, 'id.pub'), `${PUBLIC_KEY}\n`)
})
afterEach(() => rm(folder, { recursive: true, force: true }))

type Resource = Readonly<Record<string, unknown>> & { readonly lifecycle?: Record<string, unknown> }

interface Synthesized {
  readonly text: string
  readonly stack: {
    readonly provider: { readonly aws: readonly Resource[] }
    readonly output: Readonly<Record<string, { readonly value: unknown }>>
    readonly terraform: { readonly backend: { readonly local: { readonly path: string } } }
  }
  readonly resources: (type: string) => Resource[]
  readonly data: (type: string) => Resource[]
}

function clusterFile(aws: string, rest = ''): string {
  return `name: demo
nodes: [{ id: 3 }, { id: 1 }, { id: 2 }]
ssh: { identityFile: id }
aws: { region: eu-central-1, sshFrom: [203.0.113.0/24], ${aws} }
${rest}`
}

async function synthesize(text: string): Promise<Synthesized> {
  const settings = await readSettings(parseClusterFile(text, path.join(folder, 'cluster.yaml')))
  const hostKeys = await ensureHostKeys(
    path.join(folder, 'keys'),
    settings.nodes.map(({ name }) => name),
  )
  const stack = new ClusterStack(Testing.app(), settings, { hostKeys, stateFile: '/state' })
  const json = Testing.synth(stack)
  const parsed = JSON.parse(json) as Record<'resource' | 'data', Record<string, Record<string, Resource>>>
  return {
    text: json,
    stack: parsed as unknown as Synthesized['stack'],
    resources: (type) => Object.values(parsed.resource[type] ?? {}),
    data: (type) => Object.values(parsed.data[type] ?? {}),
  }
}

test('the nodes stand on distinct hardware: a spread placement group', async () => {
  const { resources } = await synthesize(clusterFile(''))
  expect(resources('aws_placement_group')).toMatchObject([{ name: 'demo', strategy: 'spread' }])
  const groups = resources('aws_instance').map((instance) => instance['placement_group'])
  expect(groups).toHaveLength(3)
  for (const group of groups) expect(group).toMatch(/^\$\{aws_placement_group\..*\.name\}$/)
})

test('a setting leaves the placement group out', async () => {
  const { resources } = await synthesize(clusterFile('placementGroup: false'))
  expect(resources('aws_placement_group')).toEqual([])
  for (const instance of resources('aws_instance')) expect(instance).not.toHaveProperty('placement_group')
})

test('instances take IMDSv2 only and encrypt their disks', async () => {
  const { resources } = await synthesize(clusterFile('rootVolume: { sizeGiB: 40 }'))
  expect(resources('aws_instance')).toHaveLength(3)
  for (const instance of resources('aws_instance')) {
    expect(instance).toMatchObject({
      instance_type: 'c7i.2xlarge',
      metadata_options: { http_tokens: 'required', http_endpoint: 'enabled', http_put_response_hop_limit: 1 },
      root_block_device: { encrypted: true, volume_type: 'gp3', volume_size: 40 },
    })
  }
})

test('data volumes are encrypted gp3 of the wanted size and speed', async () => {
  const { resources } = await synthesize(
    clusterFile('dataVolume: { sizeGiB: 200, iops: 6000, throughputMiBps: 500 }'),
  )
  expect(resources('aws_ebs_volume')).toHaveLength(3)
  for (const volume of resources('aws_ebs_volume')) {
    expect(volume).toMatchObject({ type: 'gp3', encrypted: true, size: 200, iops: 6000, throughput: 500 })
  }
})

test('what would replace a node or its data is ignored once it exists', async () => {
  const { resources } = await synthesize(clusterFile(''))
  for (const { lifecycle } of resources('aws_instance')) {
    expect(lifecycle?.['ignore_changes']).toEqual(
      expect.arrayContaining(['ami', 'user_data', 'key_name', 'subnet_id', 'private_ip', 'placement_group']),
    )
  }
  for (const { lifecycle } of resources('aws_ebs_volume')) {
    expect(lifecycle?.['ignore_changes']).toEqual(
      expect.arrayContaining(['availability_zone', 'encrypted', 'kms_key_id', 'snapshot_id']),
    )
  }
  for (const { lifecycle } of resources('aws_subnet')) {
    expect(lifecycle?.['ignore_changes']).toEqual(['availability_zone'])
  }
})

test('the image is the newest Ubuntu 22.04 of Canonical for the instance type', async () => {
  const { data } = await synthesize(clusterFile('instanceType: c8g.2xlarge'))
  expect(data('aws_ec2_instance_type')).toMatchObject([{ instance_type: 'c8g.2xlarge' }])
  const [image] = data('aws_ami')
  expect(image).toMatchObject({ owners: ['099720109477'], most_recent: true })
  expect(image?.['filter']).toEqual(
    expect.arrayContaining([
      { name: 'name', values: ['ubuntu/images/hvm-ssd*/ubuntu-jammy-22.04-*-server-*'] },
      { name: 'architecture', values: '${data.aws_ec2_instance_type.instance-type.supported_architectures}' },
    ]),
  )
})

test('a type with fewer than 8 vCPUs is refused by the plan, unless that is accepted', async () => {
  const refusing = await synthesize(clusterFile('instanceType: c7i.large'))
  for (const { lifecycle } of refusing.resources('aws_instance')) {
    expect(lifecycle?.['precondition']).toMatchObject([
      { condition: '${(data.aws_ec2_instance_type.instance-type.default_vcpus >= 8)}' },
    ])
  }
  const accepting = await synthesize(clusterFile('instanceType: c7i.large', 'accept: [cores]\n'))
  for (const { lifecycle } of accepting.resources('aws_instance')) {
    expect(lifecycle).not.toHaveProperty('precondition')
  }
})

test('only the named ranges and the nodes are admitted', async () => {
  const { resources } = await synthesize(clusterFile('clientsFrom: [10.20.0.0/16]'))
  const rules = resources('aws_vpc_security_group_ingress_rule').map((rule) => ({
    ports: `${rule['from_port'] as number}-${rule['to_port'] as number}`,
    from: rule['cidr_ipv4'] ?? 'group',
    // A reference to the very group that the rule belongs to.
    itself: rule['referenced_security_group_id'] === rule['security_group_id'],
  }))
  expect(rules).toHaveLength(4)
  expect(rules).toEqual(
    expect.arrayContaining([
      { ports: '22-22', from: '203.0.113.0/24', itself: false },
      { ports: '9092-9092', from: '10.20.0.0/16', itself: false },
      { ports: '9092-9093', from: 'group', itself: true },
      { ports: '2379-2380', from: 'group', itself: true },
    ]),
  )
})

test('nodes get their zones and addresses in the order of their ids, whatever the order in the file', async () => {
  const { resources } = await synthesize(clusterFile('vpcCidr: 10.30.0.0/20'))
  expect(resources('aws_subnet').map((subnet) => subnet['cidr_block'])).toEqual([
    '10.30.0.0/26',
    '10.30.0.64/26',
    '10.30.0.128/26',
  ])
  const addresses = resources('aws_instance').map(({ tags, private_ip: ip }) => [
    (tags as { Name: string }).Name,
    ip,
  ])
  expect(Object.fromEntries(addresses)).toEqual({
    'demo-1': '10.30.0.10',
    'demo-2': '10.30.0.74',
    'demo-3': '10.30.0.138',
  })
})

test('everything is tagged, and the state lies where provisioning looks for it', async () => {
  const { stack } = await synthesize(clusterFile('tags: { Owner: me }'))
  expect(stack.provider.aws[0]).toMatchObject({
    region: 'eu-central-1',
    default_tags: [{ tags: { Cluster: 'demo', ManagedBy: 'brokerkit', Owner: 'me' } }],
  })
  expect(stack.terraform.backend.local.path).toBe('/state')
})

test('neither the outputs nor the rest hold a private key, and the public ones are those the instances were made with', async () => {
  const { text, stack, resources } = await synthesize(clusterFile(''))
  const privateKey = await readFile(path.join(folder, 'keys/host-keys/demo-1'), 'utf8')
  expect(privateKey).toMatch(/^-----BEGIN OPENSSH PRIVATE KEY-----/)
  expect(text).not.toContain(privateKey.split('\n')[2])
  expect(Object.keys(stack.output)).toEqual(['inventory'])
  const { nodes } = stack.output['inventory']!.value as { nodes: { hostKeys: string[] }[] }
  for (const { hostKeys } of nodes) {
    expect(hostKeys).toEqual([expect.stringMatching(/^\$\{terraform_data\..*\.output\["publicKey"\]\}$/)])
  }
  for (const { lifecycle } of resources('terraform_data')) {
    expect(lifecycle?.['ignore_changes']).toEqual(['input'])
    expect(lifecycle?.['replace_triggered_by']).toEqual([expect.stringMatching(/^aws_instance\..*\.id$/)])
  }
})

test('host keys are made once, for their owner alone', async () => {
  const first = await ensureHostKeys(path.join(folder, 'keys'), ['demo-1'])
  const again = await ensureHostKeys(path.join(folder, 'keys'), ['demo-1', 'demo-2'])
  expect(again.get('demo-1')).toEqual(first.get('demo-1'))
  expect(again.get('demo-2')?.publicKey).toMatch(/^ssh-ed25519 AAAA/)
  const mode = async (name: string): Promise<string> =>
    ((await stat(path.join(folder, 'keys', name))).mode & 0o777).toString(8)
  expect([await mode(''), await mode('host-keys'), await mode('host-keys/demo-1')]).toEqual([
    '700',
    '700',
    '600',
  ])
})

test('a host key whose private half was lost is made again', async () => {
  const first = await ensureHostKeys(path.join(folder, 'keys'), ['demo-1'])
  await rm(path.join(folder, 'keys/host-keys/demo-1'))
  const again = await ensureHostKeys(path.join(folder, 'keys'), ['demo-1'])
  expect(again.get('demo-1')?.publicKey).not.toBe(first.get('demo-1')?.publicKey)
})
