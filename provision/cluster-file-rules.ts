/** The rules of cluster.yaml that a schema cannot say: values that must fit each other, and what is too dangerous. */
import net from 'node:net'
import { BROKER_KEYS, isBrokerKey } from '../broker/config/broker-keys.ts'
import { InvalidValueError, parseValue } from '../broker/config/key-row.ts'
import { nearestKey } from '../broker/config/nearest-key.ts'
import { whyWithoutEffect } from '../broker/config/other-keys.ts'
import { cidrProblem, isAnywhere } from './cidr.ts'
import type { Checked } from './cluster-file.ts'
import { pathText, type Mistake, type ValuePath, type YamlSource } from './yaml-source.ts'

type Report = (path: ValuePath, message: string) => void

/** What is wrong in a document whose shape is right. */
export function ruleMistakes(file: Checked, source: YamlSource): Mistake[] {
  const mistakes: Mistake[] = []
  const report: Report = (path, message) =>
    mistakes.push({ place: source.placeOf(path), message: `${pathText(path)}: ${message}` })
  checkNodes(file, report)
  checkAddresses(file, report)
  checkAws(file, report)
  checkEtcd(file, report)
  checkSettings(file, report)
  return mistakes
}

function checkNodes({ nodes }: Checked, report: Report): void {
  if (![1, 3, 5].includes(nodes.length)) {
    report(
      ['nodes'],
      `there are ${nodes.length}; a quorum that survives the loss of a node wants 3 or 5 (or 1, which survives none)`,
    )
  }
  for (const field of ['id', 'address', 'sshAddress'] as const) {
    const seen = new Set<string | number>()
    for (const [index, node] of nodes.entries()) {
      const value = node[field]
      if (value === undefined) continue
      if (seen.has(value)) {
        const rule = field === 'id' ? 'node ids must be unique' : 'each node needs its own'
        report(['nodes', index, field], `${value} is used twice; ${rule}`)
      }
      seen.add(value)
    }
  }
}

function checkAddresses({ nodes, aws, ssh }: Checked, report: Report): void {
  for (const [index, node] of nodes.entries()) {
    const path = ['nodes', index]
    if (aws === undefined && node.address === undefined) {
      report(path, 'the node has no address; give its IP address, or an aws section to have machines made')
    }
    for (const field of aws === undefined ? [] : Object.keys(node).filter((key) => key !== 'id')) {
      report([...path, field], 'with an aws section the stack decides this; leave it out')
    }
    if (aws === undefined && node.address !== undefined && net.isIP(node.address) === 0) {
      report([...path, 'address'], `${node.address} is not an IP address, on which the quorum can listen`)
    } else if (aws === undefined && nodes.length > 1 && isOwnMachineOnly(node.address)) {
      report(
        [...path, 'address'],
        `the other nodes and the clients cannot reach ${node.address}; give the address of the node in their network`,
      )
    }
  }
  if (aws !== undefined && ssh.port !== 22) {
    report(['ssh', 'port'], 'the machines that the stack makes listen on 22; leave it out')
  }
}

function isOwnMachineOnly(address: string | undefined): boolean {
  if (address === undefined) return false
  if (address === '0.0.0.0' || address === '::' || address === '::1') return true
  return net.isIPv4(address) && address.startsWith('127.')
}

function checkAws({ aws }: Checked, report: Report): void {
  if (aws === undefined) return
  const vpcProblem = cidrProblem(aws.vpcCidr)
  const prefix = Number(aws.vpcCidr.split('/')[1])
  if (vpcProblem !== undefined) report(['aws', 'vpcCidr'], vpcProblem)
  else if (prefix < 16 || prefix > 24) report(['aws', 'vpcCidr'], `${aws.vpcCidr} is not between /16 and /24`)
  checkRanges('sshFrom', 'ssh')
  checkRanges('clientsFrom', 'clients')
  const { sizeGiB, iops, throughputMiBps } = aws.dataVolume
  if (iops > 500 * sizeGiB) {
    report(
      ['aws', 'dataVolume', 'iops'],
      `${iops} is too much for ${sizeGiB} GiB; gp3 gives at most 500 for each GiB`,
    )
  }
  if (throughputMiBps > iops / 4) {
    report(
      ['aws', 'dataVolume', 'throughputMiBps'],
      `${throughputMiBps} needs at least ${throughputMiBps * 4} iops (gp3 gives a quarter MiB/s for each); there are ${iops}`,
    )
  }

  function checkRanges(field: 'sshFrom' | 'clientsFrom', service: 'ssh' | 'clients'): void {
    for (const [index, range] of aws![field].entries()) {
      const problem = cidrProblem(range)
      if (problem !== undefined) report(['aws', field, index], problem)
      else if (isAnywhere(range) && !aws!.allowAnywhere.includes(service)) {
        report(
          ['aws', field, index],
          `${range} is the whole internet; name your own range, or say allowAnywhere: [${service}] if you mean it`,
        )
      }
    }
  }
}

function checkEtcd({ quorum: { etcd } }: Checked, report: Report): void {
  if (etcd === undefined) return
  const hasFile = 'file' in etcd
  const hasVersion = 'version' in etcd || 'sha256' in etcd
  if (hasFile && hasVersion) report(['quorum', 'etcd'], 'give either version and sha256, or file')
  else if (!hasFile && !('version' in etcd && 'sha256' in etcd)) {
    report(['quorum', 'etcd'], 'give version and sha256 (of the release archives), or file')
  }
}

/** Settings that differ from node to node, so that provisioning alone can give them. */
const SETTINGS_OF_A_NODE = [
  'node.id',
  'broker.id',
  'broker.rack',
  'listeners',
  'advertised.listeners',
  'quorum.connect',
  'log.dirs',
]

function checkSettings({ broker }: Checked, report: Report): void {
  for (const [key, value] of Object.entries(broker.settings)) {
    const problem = settingProblem(key, String(value))
    if (problem !== undefined) report(['broker', 'settings', key], problem)
  }
}

function settingProblem(key: string, value: string): string | undefined {
  if (SETTINGS_OF_A_NODE.includes(key)) return "follows from each node's own entry and cannot be set here"
  const reason = whyWithoutEffect(key)
  if (reason !== undefined) return `has no effect: ${reason}`
  if (!isBrokerKey(key)) {
    const nearest = nearestKey(key, Object.keys(BROKER_KEYS))
    return nearest === undefined ? 'is not a setting of the broker' : `is unknown; did you mean ${nearest}?`
  }
  try {
    parseValue(BROKER_KEYS[key], value)
    return undefined
  } catch (error) {
    if (error instanceof InvalidValueError) return `${value}: ${error.message}`
    throw error
  }
}
