/**
 * Who may reach the nodes: SSH and clients from the ranges that cluster.yaml names; the quorum and replication
 * from the nodes alone, by the group's reference to itself. Nodes may reach anything.
 */
import { Construct } from 'constructs'
import { SecurityGroup } from '@cdktf/provider-aws/lib/security-group/index.js'
import { VpcSecurityGroupEgressRule } from '@cdktf/provider-aws/lib/vpc-security-group-egress-rule/index.js'
import { VpcSecurityGroupIngressRule } from '@cdktf/provider-aws/lib/vpc-security-group-ingress-rule/index.js'
import type { StackSettings } from './settings.ts'

const SSH_PORT = 22
const CLIENT_PORT = 9092
/** Replication uses the listener of the clients, or its own where the two are split. */
const REPLICATION_PORTS = { fromPort: 9092, toPort: 9093 }
/** etcd's clients and its members. */
const QUORUM_PORTS = { fromPort: 2379, toPort: 2380 }

export class Firewall extends Construct {
  readonly groupId: string

  constructor(scope: Construct, settings: StackSettings, vpcId: string) {
    super(scope, 'firewall')
    const tags = { Name: settings.cluster }
    const group = new SecurityGroup(this, 'nodes', {
      name: settings.cluster,
      description: `The nodes of the cluster ${settings.cluster}`,
      vpcId,
      tags,
    })
    this.groupId = group.id
    this.admit('ssh', SSH_PORT, settings.sshFrom)
    this.admit('clients', CLIENT_PORT, settings.clientsFrom)
    this.admitNodes('replication', REPLICATION_PORTS)
    this.admitNodes('quorum', QUORUM_PORTS)
    new VpcSecurityGroupEgressRule(this, 'out', {
      securityGroupId: group.id,
      ipProtocol: '-1',
      cidrIpv4: '0.0.0.0/0',
    })
  }

  /** One rule for each range, named by it, so that a change of one touches no other. */
  private admit(service: string, port: number, ranges: readonly string[]): void {
    for (const range of new Set(ranges)) {
      new VpcSecurityGroupIngressRule(this, `${service}-${range.replace('/', '-')}`, {
        securityGroupId: this.groupId,
        description: service,
        ipProtocol: 'tcp',
        fromPort: port,
        toPort: port,
        cidrIpv4: range,
      })
    }
  }

  private admitNodes(service: string, ports: { fromPort: number; toPort: number }): void {
    new VpcSecurityGroupIngressRule(this, service, {
      securityGroupId: this.groupId,
      description: `${service} among the nodes`,
      ipProtocol: 'tcp',
      ...ports,
      referencedSecurityGroupId: this.groupId,
    })
  }
}
