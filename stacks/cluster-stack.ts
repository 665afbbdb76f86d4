/**
 * The machines of one cluster on AWS. One Terraform stack: its parts live and die together, and one plan shows
 * all that a change does (docs/decisions/0060-one-stack.md). Its output is an inventory.
 */
import { LocalBackend, TerraformOutput, TerraformStack } from 'cdktf'
import type { Construct } from 'constructs'
import { DataAwsAmi } from '@cdktf/provider-aws/lib/data-aws-ami/index.js'
import { DataAwsEc2InstanceType } from '@cdktf/provider-aws/lib/data-aws-ec2-instance-type/index.js'
import { KeyPair } from '@cdktf/provider-aws/lib/key-pair/index.js'
import { PlacementGroup } from '@cdktf/provider-aws/lib/placement-group/index.js'
import { AwsProvider } from '@cdktf/provider-aws/lib/provider/index.js'
import { INVENTORY_OUTPUT, type Inventory } from '../provision/inventory.ts'
import { BrokerNode } from './broker-node.ts'
import { Firewall } from './firewall.ts'
import type { HostKeyFiles } from './host-keys.ts'
import { Network } from './network.ts'
import type { StackSettings } from './settings.ts'

/** Canonical's account, which alone publishes Ubuntu's official images. */
const CANONICAL = '099720109477'

export interface ClusterStackOptions {
  /** By node name. */
  readonly hostKeys: ReadonlyMap<string, HostKeyFiles>
  /** Where Terraform keeps its state. */
  readonly stateFile: string
  /** How often a call to AWS is repeated; default: the provider's. */
  readonly maxRetries?: number
}

export class ClusterStack extends TerraformStack {
  constructor(
    scope: Construct,
    settings: StackSettings,
    { hostKeys, stateFile, maxRetries }: ClusterStackOptions,
  ) {
    super(scope, settings.cluster)
    new LocalBackend(this, { path: stateFile })
    new AwsProvider(this, 'aws', {
      region: settings.region,
      ...(maxRetries !== undefined && { maxRetries }),
      defaultTags: [{ tags: { Cluster: settings.cluster, ManagedBy: 'brokerkit', ...settings.tags } }],
    })
    const instanceType = new DataAwsEc2InstanceType(this, 'instance-type', {
      instanceType: settings.instanceType,
    })
    const imageId = this.ubuntuImage(instanceType).id
    const network = new Network(this, settings)
    const securityGroupId = new Firewall(this, settings, network.vpcId).groupId
    const { keyName } = new KeyPair(this, 'key', { keyName: settings.cluster, publicKey: settings.publicKey })
    const placementGroup = settings.placementGroup
      ? new PlacementGroup(this, 'placement', { name: settings.cluster, strategy: 'spread' }).name
      : undefined
    const nodes = settings.nodes.map(
      (node) =>
        new BrokerNode(this, {
          settings,
          node,
          hostKey: hostKeys.get(node.name)!,
          imageId,
          instanceType,
          subnet: network.subnets[node.zone]!,
          securityGroupId,
          keyName,
          ...(placementGroup !== undefined && { placementGroup }),
        }),
    )
    const inventory: Inventory = {
      cluster: settings.cluster,
      nodes: nodes.map((node) => node.inventory),
    }
    new TerraformOutput(this, INVENTORY_OUTPUT, { value: inventory, staticId: true })
  }

  /** The newest Ubuntu 22.04 for the instance type's architecture. */
  private ubuntuImage(instanceType: DataAwsEc2InstanceType): DataAwsAmi {
    return new DataAwsAmi(this, 'ubuntu', {
      owners: [CANONICAL],
      mostRecent: true,
      filter: [
        { name: 'name', values: ['ubuntu/images/hvm-ssd*/ubuntu-jammy-22.04-*-server-*'] },
        { name: 'architecture', values: instanceType.supportedArchitectures },
        { name: 'virtualization-type', values: ['hvm'] },
        { name: 'root-device-type', values: ['ebs'] },
      ],
    })
  }
}
