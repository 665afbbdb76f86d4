/** The cluster's own network: a VPC with a subnet in each of its availability zones and a way to the internet. */
import { Fn, Op } from 'cdktf'
import { Construct } from 'constructs'
import { DataAwsAvailabilityZones } from '@cdktf/provider-aws/lib/data-aws-availability-zones/index.js'
import { DataAwsEc2InstanceTypeOfferings } from '@cdktf/provider-aws/lib/data-aws-ec2-instance-type-offerings/index.js'
import { InternetGateway } from '@cdktf/provider-aws/lib/internet-gateway/index.js'
import { RouteTableAssociation } from '@cdktf/provider-aws/lib/route-table-association/index.js'
import { RouteTable } from '@cdktf/provider-aws/lib/route-table/index.js'
import { Route } from '@cdktf/provider-aws/lib/route/index.js'
import { Subnet } from '@cdktf/provider-aws/lib/subnet/index.js'
import { Vpc } from '@cdktf/provider-aws/lib/vpc/index.js'
import type { StackSettings } from './settings.ts'

export class Network extends Construct {
  readonly vpcId: string
  readonly subnets: readonly Subnet[]

  constructor(scope: Construct, settings: StackSettings) {
    super(scope, 'network')
    const tags = { Name: settings.cluster }
    const vpc = new Vpc(this, 'vpc', { cidrBlock: settings.vpcCidr, enableDnsHostnames: true, tags })
    const gateway = new InternetGateway(this, 'gateway', { vpcId: vpc.id, tags })
    const routes = new RouteTable(this, 'routes', { vpcId: vpc.id, tags })
    new Route(this, 'internet', {
      routeTableId: routes.id,
      destinationCidrBlock: '0.0.0.0/0',
      gatewayId: gateway.id,
    })
    this.vpcId = vpc.id
    this.subnets = this.makeSubnets(settings, vpc, routes)
  }

  private makeSubnets(settings: StackSettings, vpc: Vpc, routes: RouteTable): Subnet[] {
    const { instanceType, region, cluster } = settings
    const zones = this.zonesOffering(instanceType)
    const wanted = settings.subnets.length
    return settings.subnets.map((cidrBlock, zone) => {
      const subnet = new Subnet(this, `subnet-${zone}`, {
        vpcId: vpc.id,
        cidrBlock,
        availabilityZone: Fn.element(zones, zone) as string,
        tags: { Name: `${cluster}-${zone}` },
        lifecycle: {
          // AWS opens and closes zones; the list's order must never move what stands.
          ignoreChanges: ['availability_zone'],
          precondition: [
            {
              condition: Op.gte(Fn.lengthOf(zones), wanted),
              errorMessage: `${instanceType} is offered in too few availability zones of ${region} (${wanted} are wanted): choose another aws.instanceType or aws.region`,
            },
          ],
        },
      })
      new RouteTableAssociation(this, `routes-${zone}`, { subnetId: subnet.id, routeTableId: routes.id })
      return subnet
    })
  }

  /** The names, sorted, of the region's ordinary zones that have the instance type. */
  private zonesOffering(instanceType: string): string[] {
    const open = new DataAwsAvailabilityZones(this, 'zones', {
      state: 'available',
      filter: [{ name: 'opt-in-status', values: ['opt-in-not-required'] }],
    })
    const offering = new DataAwsEc2InstanceTypeOfferings(this, 'offerings', {
      locationType: 'availability-zone',
      filter: [{ name: 'instance-type', values: [instanceType] }],
    })
    return Fn.sort(Fn.setintersection(open.names, [offering.locations]))
  }
}
