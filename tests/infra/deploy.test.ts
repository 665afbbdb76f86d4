/**
 * The machines of a cluster, made and destroyed by the cdktf command line, Terraform and the AWS provider, with
 * moto's server in AWS's place. moto makes no machines and knows no placement groups; what it cannot show is tested
 * in the synthesized JSON (tests/stacks/).
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { readClusterFile } from '../../provision/cluster-file.ts'
import { inventoryOf, readInventory } from '../../provision/inventory.ts'
import { describeWith } from '../support/requires.ts'
import { machinesNode, ROOT, runStep, StandInAws, standInTools } from '../support/stand-in-aws.ts'
import type { XmlValue } from '../support/xml.ts'

const DEPLOY_TIMEOUT_MS = 240_000
const PLAN_TIMEOUT_MS = 60_000
const CDKTF = path.join(ROOT, 'node_modules/cdktf-cli/bundle/bin/cdktf')
/** Its private half is nowhere; EC2 looks at the form of a key. */
const PUBLIC_KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKWXQ+938FiXmOzdNjdREgPXXP+N7qkG0jMN4428BRpJ'
const REGION = 'eu-central-1'

const clusterYaml = (iops: number): string => `
name: demo
nodes: [{ id: 1 }, { id: 2 }, { id: 3 }]
ssh: { identityFile: ./id_ed25519 }
aws:
  region: ${REGION}
  sshFrom: [203.0.113.0/24]
  clientsFrom: [10.20.0.0/16, 198.51.100.0/24]
  dataVolume: { sizeGiB: 100, iops: ${iops}, throughputMiBps: 125 }
  placementGroup: false # moto has none
  tags: { Owner: tests }
`

interface PlannedChange {
  readonly address: string
  readonly type: string
  readonly change: {
    readonly actions: readonly string[]
    readonly before: Readonly<Record<string, unknown>>
    readonly after: Readonly<Record<string, unknown>>
  }
}

await describeWith(standInTools, 'the stack on a stand-in for AWS', (tools) => {
  let folder: string
  let aws: StandInAws
  let clusterFile: string

  beforeAll(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'brokerkit-infra-'))
    clusterFile = path.join(folder, 'cluster.yaml')
    await writeFile(clusterFile, clusterYaml(3000))
    await writeFile(path.join(folder, 'id_ed25519.pub'), `${PUBLIC_KEY}\n`)
    aws = await StandInAws.start(tools, folder)
  }, 60_000)

  afterAll(async () => {
    await aws?.stop()
    await rm(folder, { recursive: true, force: true })
  })

  /** The cdktf command line, run by the given Node. */
  async function cdktf(node: string, args: readonly string[], timeoutMs: number): Promise<string> {
    return runStep([node, CDKTF, ...args, '--output', path.join(folder, 'out')], {
      cwd: ROOT,
      env: { ...aws.environment, CLUSTER_FILE: clusterFile },
      timeoutMs,
    })
  }

  /** What Terraform would change in what was deployed. */
  async function plannedChanges(): Promise<PlannedChange[]> {
    await cdktf(process.execPath, ['synth'], PLAN_TIMEOUT_MS)
    return (await plan('demo')).filter(({ change }) => !change.actions.includes('no-op'))
  }

  /** What Terraform would make for another cluster, of another instance type. */
  async function planOfAnother(cluster: string, instanceType: string): Promise<PlannedChange[]> {
    const deployed = clusterFile
    clusterFile = path.join(folder, `${cluster}.yaml`)
    const yaml = clusterYaml(3000).replace('demo', cluster)
    await writeFile(clusterFile, `${yaml}  instanceType: ${instanceType}\n`)
    try {
      await cdktf(process.execPath, ['synth'], PLAN_TIMEOUT_MS)
      return await plan(cluster)
    } finally {
      clusterFile = deployed
    }
  }

  async function plan(cluster: string): Promise<PlannedChange[]> {
    const options = {
      cwd: path.join(folder, 'out/stacks', cluster),
      env: aws.environment,
      timeoutMs: PLAN_TIMEOUT_MS,
    }
    const file = path.join(folder, 'plan')
    const { path: program } = tools.terraform
    await runStep([program, 'init', '-input=false'], options)
    await runStep([program, 'plan', '-input=false', '-no-color', `-out=${file}`], options)
    const shown = JSON.parse(await runStep([program, 'show', '-json', file], options)) as {
      resource_changes: PlannedChange[]
    }
    return shown.resource_changes
  }

  /** The addresses of what would be made, destroyed or replaced. */
  function madeOrDestroyed(changes: readonly PlannedChange[]): string[] {
    return changes
      .filter(({ change: { actions } }) => actions.includes('create') || actions.includes('delete'))
      .map(({ address }) => address)
  }

  test(
    'deploys with the Node that the machine has, and its outputs are an inventory',
    async () => {
      const outputs = path.join(folder, 'outputs.json')
      const args = ['deploy', '--auto-approve', '--skip-provider-lock', '--outputs-file', outputs]
      await cdktf(await machinesNode(), args, DEPLOY_TIMEOUT_MS)
      const inventory = await readInventory(outputs)
      expect(inventory.cluster).toBe('demo')
      expect(inventory.nodes.map(({ id, name, address }) => ({ id, name, address }))).toEqual([
        { id: 1, name: 'demo-1', address: '10.20.0.10' },
        { id: 2, name: 'demo-2', address: '10.20.1.10' },
        { id: 3, name: 'demo-3', address: '10.20.2.10' },
      ])
      for (const node of inventory.nodes) {
        const hostKey = await readFile(
          path.join(folder, '.brokerkit/demo/host-keys', `${node.name}.pub`),
          'utf8',
        )
        expect(node.hostKeys).toEqual([hostKey.trim()])
        expect(node.dataDevice).toMatch(/^\/dev\/disk\/by-id\/nvme-Amazon_Elastic_Block_Store_vol[0-9a-f]+$/)
      }
      // Provisioning finds the same hosts by the cluster file alone.
      expect(await inventoryOf(await readClusterFile(clusterFile))).toEqual(inventory)
    },
    DEPLOY_TIMEOUT_MS + 20_000,
  )

  test("three instances of 8 vCPUs run Canonical's Ubuntu 22.04, one in each zone, with IMDSv2 only", async () => {
    const reservations = await aws.ec2(REGION, 'DescribeInstances', 'reservationSet')
    const instances = reservations.flatMap(({ instancesSet }) => instancesSet as Record<string, XmlValue>[])
    expect(instances).toHaveLength(3)
    const zones = instances.map(({ placement }) => (placement as Record<string, string>)['availabilityZone'])
    expect(new Set(zones)).toEqual(new Set(['eu-central-1a', 'eu-central-1b', 'eu-central-1c']))
    for (const instance of instances) {
      expect(instance).toMatchObject({
        instanceType: 'c7i.2xlarge',
        imageId: 'ami-0a22040000000002',
        keyName: 'demo',
        metadataOptions: { httpTokens: 'required', httpEndpoint: 'enabled', httpPutResponseHopLimit: '1' },
        instanceState: { name: 'running' },
      })
      expect(instance['tagSet']).toContainEqual({ key: 'Owner', value: 'tests' })
      expect(instance['tagSet']).toContainEqual({ key: 'Cluster', value: 'demo' })
    }
  })

  test('each node has an address that stays, the one in the inventory', async () => {
    const addresses = await aws.ec2(REGION, 'DescribeAddresses', 'addressesSet')
    const { nodes } = await inventoryOf(await readClusterFile(clusterFile))
    expect(new Set(addresses.map(({ publicIp }) => publicIp))).toEqual(
      new Set(nodes.map(({ sshHost }) => sshHost)),
    )
    expect(addresses).toHaveLength(3)
    expect(addresses.every(({ instanceId }) => instanceId !== '')).toBe(true)
  })

  test('every volume is encrypted gp3, and the data volumes are as wanted', async () => {
    const volumes = await aws.ec2(REGION, 'DescribeVolumes', 'volumeSet')
    expect(volumes).toHaveLength(6)
    for (const volume of volumes) expect(volume).toMatchObject({ volumeType: 'gp3', encrypted: 'true' })
    const data = volumes.filter(({ size }) => size === '100')
    expect(data).toHaveLength(3)
    for (const volume of data)
      expect(volume).toMatchObject({ iops: '3000', throughput: '125', status: 'in-use' })
  })

  test('SSH and clients are admitted from the named ranges, quorum and replication from the nodes alone', async () => {
    const rules = await aws.ec2(REGION, 'DescribeSecurityGroupRules', 'securityGroupRuleSet')
    const groups = await aws.ec2(REGION, 'DescribeSecurityGroups', 'securityGroupInfo')
    const { groupId } = groups.find(({ groupName }) => groupName === 'demo')!
    const admitted = rules
      .filter((rule) => rule['groupId'] === groupId && rule['isEgress'] === 'false')
      .map(({ fromPort, toPort, cidrIpv4, referencedGroupInfo }) => {
        const source = referencedGroupInfo as Record<string, string> | undefined
        const from = source?.['groupId'] === groupId ? 'the nodes' : (cidrIpv4 as string)
        return `${fromPort as string} ${toPort as string} ${from}`
      })
    expect(admitted.toSorted((a, b) => a.localeCompare(b))).toEqual([
      '22 22 203.0.113.0/24',
      '2379 2380 the nodes',
      '9092 9092 10.20.0.0/16',
      '9092 9092 198.51.100.0/24',
      '9092 9093 the nodes',
    ])
  })

  test("Terraform's state holds no private host key", async () => {
    const state = await readFile(path.join(folder, '.brokerkit/demo/terraform.tfstate'), 'utf8')
    const privateKey = await readFile(path.join(folder, '.brokerkit/demo/host-keys/demo-1'), 'utf8')
    expect(state).not.toContain('PRIVATE KEY')
    expect(state).not.toContain(privateKey.split('\n')[2])
  })

  test(
    'a second plan neither makes nor destroys anything',
    async () => {
      expect(madeOrDestroyed(await plannedChanges())).toEqual([])
    },
    3 * PLAN_TIMEOUT_MS,
  )

  test(
    'lost host keys and another disk setting change no node, and the inventory keeps the true keys',
    async () => {
      const before = await inventoryOf(await readClusterFile(clusterFile))
      await rm(path.join(folder, '.brokerkit/demo/host-keys'), { recursive: true })
      await writeFile(clusterFile, clusterYaml(4000))
      const changes = await plannedChanges()
      const ofType = (type: string) =>
        changes.filter((change) => change.type === type).map(({ change }) => change)
      expect(madeOrDestroyed(changes)).toEqual([])
      expect(ofType('aws_ebs_volume').map(({ after }) => after['iops'])).toEqual([4000, 4000, 4000])
      expect(ofType('terraform_data')).toEqual([])
      // Changed user data would stop and start an instance.
      for (const { before, after } of ofType('aws_instance')) {
        expect(after['user_data']).toBe(before['user_data'])
      }
      expect(await inventoryOf(await readClusterFile(clusterFile))).toEqual(before)
    },
    3 * PLAN_TIMEOUT_MS,
  )

  test(
    'an instance type of another architecture gets the image for it',
    async () => {
      const changes = await planOfAnother('arm', 'c8g.2xlarge')
      const images = changes
        .filter(({ type }) => type === 'aws_instance')
        .map(({ change }) => change.after['ami'])
      expect(images).toEqual(Array.from({ length: 3 }, () => 'ami-0a22040000000003'))
    },
    4 * PLAN_TIMEOUT_MS,
  )

  test.each([
    ['with too few vCPUs', 'c7i.large', /c7i\.large has fewer than 8 vCPUs/],
    [
      'in too few zones',
      'c8i.2xlarge',
      /offered in too few availability zones of eu-central-1 \(3 are wanted\)/,
    ],
  ])(
    'an instance type %s is refused by the plan',
    async (_, instanceType, message) => {
      const said = await planOfAnother('small', instanceType).then(
        () => 'nothing',
        // Terraform breaks the lines of its messages.
        (error: unknown) => (error as Error).message.replaceAll(/[\s│]+/g, ' '),
      )
      expect(said).toMatch(message)
    },
    4 * PLAN_TIMEOUT_MS,
  )

  test(
    'destroys all of it, with the Node of the project',
    async () => {
      await cdktf(process.execPath, ['destroy', '--auto-approve', '--skip-provider-lock'], DEPLOY_TIMEOUT_MS)
      const reservations = await aws.ec2(REGION, 'DescribeInstances', 'reservationSet')
      const instances = reservations.flatMap(({ instancesSet }) => instancesSet as Record<string, XmlValue>[])
      expect(instances.map(({ instanceState }) => (instanceState as { name: string }).name)).toEqual(
        instances.map(() => 'terminated'),
      )
      expect(await aws.ec2(REGION, 'DescribeVolumes', 'volumeSet')).toEqual([])
      expect(await aws.ec2(REGION, 'DescribeAddresses', 'addressesSet')).toEqual([])
      await expect(readClusterFile(clusterFile).then(inventoryOf)).rejects.toThrow(
        /has the stack been deployed/,
      )
    },
    DEPLOY_TIMEOUT_MS + 20_000,
  )
})
