/**
 * One node: an instance with a known SSH host key, a data volume and an address that stays.
 *
 * A node is never replaced by a plan that nobody meant: whatever would force that (a newer image, other user data,
 * another zone) is ignored once the node exists. To replace one on purpose: `terraform apply -replace`.
 */
import { DataResource, Fn, Op } from 'cdktf'
import { Construct } from 'constructs'
import type { DataAwsEc2InstanceType } from '@cdktf/provider-aws/lib/data-aws-ec2-instance-type/index.js'
import { EbsVolume } from '@cdktf/provider-aws/lib/ebs-volume/index.js'
import { Eip } from '@cdktf/provider-aws/lib/eip/index.js'
import { Instance } from '@cdktf/provider-aws/lib/instance/index.js'
import type { Subnet } from '@cdktf/provider-aws/lib/subnet/index.js'
import { VolumeAttachment } from '@cdktf/provider-aws/lib/volume-attachment/index.js'
import type { InventoryNode } from '../provision/inventory.ts'
import type { HostKeyFiles } from './host-keys.ts'
import type { NodeSettings, StackSettings } from './settings.ts'

export interface BrokerNodeParts {
  readonly settings: StackSettings
  readonly node: NodeSettings
  readonly hostKey: HostKeyFiles
  readonly imageId: string
  readonly instanceType: DataAwsEc2InstanceType
  readonly subnet: Subnet
  readonly securityGroupId: string
  readonly keyName: string
  readonly placementGroup?: string
}

const WANTED_VCPUS = 8
const SSH_PORT = 22

export class BrokerNode extends Construct {
  /** What provisioning needs to know of it; values are known once Terraform has made the node. */
  readonly inventory: InventoryNode

  constructor(scope: Construct, parts: BrokerNodeParts) {
    const { node, subnet, settings } = parts
    super(scope, node.name)
    const tags = { Name: node.name }
    const instance = this.makeInstance(parts)
    const volume = this.makeDataVolume(parts, instance)
    const address = new Eip(this, 'address', { domain: 'vpc', instance: instance.id, tags })
    this.inventory = {
      id: node.id,
      name: node.name,
      sshHost: address.publicIp,
      sshPort: SSH_PORT,
      sshUser: settings.sshUser,
      address: instance.privateIp,
      hostKeys: [this.hostKeyOf(instance, parts.hostKey)],
      rack: subnet.availabilityZone,
      // The name that Linux gives to an NVMe volume whatever the order in which volumes appear.
      dataDevice: `/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_${Fn.replace(volume.id, '-', '')}`,
    }
  }

  private makeInstance(parts: BrokerNodeParts): Instance {
    const { settings, node, instanceType } = parts
    const tags = { Name: node.name }
    return new Instance(this, 'instance', {
      ami: parts.imageId,
      instanceType: settings.instanceType,
      subnetId: parts.subnet.id,
      privateIp: node.privateIp,
      vpcSecurityGroupIds: [parts.securityGroupId],
      keyName: parts.keyName,
      ...(parts.placementGroup !== undefined && { placementGroup: parts.placementGroup }),
      userData: userData(node.name, parts.hostKey),
      metadataOptions: { httpEndpoint: 'enabled', httpTokens: 'required', httpPutResponseHopLimit: 1 },
      rootBlockDevice: {
        volumeType: 'gp3',
        volumeSize: settings.rootVolume.sizeGiB,
        encrypted: true,
        tags: { Name: `${node.name}-root` },
      },
      tags,
      lifecycle: {
        ignoreChanges: ['ami', 'user_data', 'key_name', 'subnet_id', 'private_ip', 'placement_group'],
        ...(!settings.acceptFewCores && {
          precondition: [
            {
              condition: Op.gte(instanceType.defaultVcpus, WANTED_VCPUS),
              errorMessage: `${settings.instanceType} has fewer than ${WANTED_VCPUS} vCPUs: choose a larger aws.instanceType, or accept: [cores] in the cluster file`,
            },
          ],
        }),
      },
    })
  }

  private makeDataVolume({ settings, node, subnet }: BrokerNodeParts, instance: Instance): EbsVolume {
    const { sizeGiB, iops, throughputMiBps } = settings.dataVolume
    const volume = new EbsVolume(this, 'data', {
      availabilityZone: subnet.availabilityZone,
      type: 'gp3',
      size: sizeGiB,
      iops,
      throughput: throughputMiBps,
      encrypted: true,
      tags: { Name: `${node.name}-data` },
      // All that AWS can only change by making the volume anew.
      lifecycle: { ignoreChanges: ['availability_zone', 'encrypted', 'kms_key_id', 'snapshot_id'] },
    })
    new VolumeAttachment(this, 'attachment', {
      deviceName: '/dev/sdf',
      instanceId: instance.id,
      volumeId: volume.id,
      stopInstanceBeforeDetaching: true,
    })
    return volume
  }

  /** The host key that this very instance was made with, whatever lies on the control machine now. */
  private hostKeyOf(instance: Instance, hostKey: HostKeyFiles): string {
    const record = new DataResource(this, 'host-key', {
      input: { publicKey: hostKey.publicKey },
      lifecycle: {
        ignoreChanges: ['input'],
        replaceTriggeredBy: [`${instance.terraformResourceType}.${instance.friendlyUniqueId}.id`],
      },
    })
    return record.output.lookup('publicKey') as string
  }
}

/**
 * Cloud-init's instructions: the name and the only SSH host key. Terraform reads the private key at the time of
 * the plan, so that it is in no synthesized file, and keeps only a hash of the user data in its state.
 */
function userData(name: string, hostKey: HostKeyFiles): string {
  const config = {
    hostname: name,
    ssh_keys: { ed25519_private: Fn.file(hostKey.privateKeyFile), ed25519_public: hostKey.publicKey },
  }
  return Fn.sensitive(Fn.join('\n', ['#cloud-config', Fn.yamlencode(config)])) as string
}
