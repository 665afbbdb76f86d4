/**
 * The verbs for hosts. Each connects to the hosts, takes their locks where it changes something, and runs steps; a
 * step that fails says at which host and why, and nothing after it runs.
 */
import path from 'node:path'

import { systemClock } from '../broker/runtime/clock.ts'
import { readFile } from 'node:fs/promises'
import type { ClusterFile } from './cluster-file.ts'
import { clusterSettings, connectAll, disconnect, settingsOf, whileLocked } from './fleet.ts'
import type { HostsTarget } from './fleet.ts'
import type { Inventory } from './inventory.ts'
import { BROKER_UNIT, QUORUM_UNIT, hostAndPort, planNode, type UnitTexts } from './plan.ts'
import type { Progress } from './progress.ts'
import { ProvisionError } from './provision-error.ts'
import type { Architecture } from './release-packages.ts'
import { DEFAULT_ETCD } from './release-sources.ts'
import { buildRelease, type Release } from './release.ts'
import { ensureDevice } from './steps/device.ts'
import { architectureOf, clockFinding, findings, isAccepted, survey } from './steps/preflight.ts'
import type { Finding } from './steps/preflight.ts'
import { probeBrokers } from './steps/probe.ts'
import { ensureRelease } from './steps/release.ts'
import * as services from './steps/services.ts'
import type { Deed, PlannedHost } from './steps/services.ts'
import { bringUp } from './steps/bring-up.ts'
import { ensureSettings } from './steps/settings.ts'
import type { Change, Changes, Node } from './steps/step.ts'
import { ensureUnits, verifyUnits } from './steps/units.ts'
import { ensureUser } from './steps/user.ts'

export interface HostsOptions {
  readonly progress: Progress
  /** The checkout that is released; default: the one that this program is part of. */
  readonly root?: string
  /** Where releases and downloads are kept; default: .brokerkit in the checkout. */
  readonly cache?: string
}

export interface ProvisionHostsResult {
  readonly cluster: string
  readonly clusterId: string
  readonly bootstrap: readonly string[]
  /** What differed and was changed; empty when all was as it should be. */
  readonly changes: readonly Change[]
  readonly started: readonly UnitOnNode[]
  readonly restarted: readonly UnitOnNode[]
}

export interface UnitOnNode {
  readonly node: number
  readonly unit: string
}

/** A release for each host. */
type Releases = ReadonlyMap<Node, Release>

const ROOT = path.resolve(import.meta.dirname, '..')

/** Brings every host to what cluster.yaml says; a second run changes nothing. Throws ProvisionError. */
export async function provisionHosts(
  target: HostsTarget,
  options: HostsOptions,
): Promise<ProvisionHostsResult> {
  const { progress } = options
  const nodes = await progress.step('connect', async (result) => {
    const connected = await connectAll(target)
    result(`${connected.length} hosts`)
    return connected
  })
  try {
    return await whileLocked(nodes, 'provisioning', () => provisionLocked(nodes, target, options))
  } finally {
    disconnect(nodes)
  }
}

/** Stops the brokers one after another, each handing its leaderships over, and then the quorum. Data stay. */
export async function stopHosts(
  target: HostsTarget,
  { progress }: HostsOptions,
): Promise<readonly UnitOnNode[]> {
  const nodes = await progress.step('connect', () => connectAll(target))
  const stopped: UnitOnNode[] = []
  try {
    await whileLocked(nodes, 'stop', async () => {
      for (const unit of [BROKER_UNIT, QUORUM_UNIT] as const) {
        for (const node of nodes) {
          if (await services.stopWhereRunning(node, unit)) stopped.push({ node: node.inventory.id, unit })
        }
      }
    })
    return stopped
  } finally {
    disconnect(nodes)
  }
}

/** Hosts' data are not brokerkit's to delete: it says how a cluster is taken away instead. */
export function destroyHosts({ inventory }: HostsTarget): never {
  throw new ProvisionError(
    `destroy is for the cluster on this machine; it does not delete the data of ${inventory.cluster}'s hosts. ` +
      `To stop the cluster: npm run provision -- stop. To give AWS machines back, with all data: npx cdktf destroy.`,
  )
}

async function provisionLocked(
  nodes: readonly Node[],
  target: HostsTarget,
  options: HostsOptions,
): Promise<ProvisionHostsResult> {
  const file = settingsOf(target)
  const { progress } = options
  const architectures = await progress.step('preflight', (result) => preflight(nodes, file, result))
  const releases = await progress.step('release', (result) => build(architectures, file, options, result))
  const hosts = await planned(nodes, target, releases)
  const changes = await prepare(hosts, releases, file, progress)
  const { deeds, clusterId } = await bringUp(hosts, changes, progress, systemClock)
  if (changes.length + deeds.length > 0) {
    await progress.step('records', async (result) => {
      const { brokers } = await probeBrokers(hosts)
      result(`one written and read through each of ${brokers.length} brokers`)
    })
  }
  const { cluster } = target.inventory
  return { cluster, clusterId, bootstrap: bootstrapOf(target.inventory), changes, ...sorted(deeds) }
}

/** `address:9092` of every node. */
export function bootstrapOf({ nodes }: Inventory): string[] {
  return nodes.map(({ address }) => hostAndPort(address, 9092))
}

async function preflight(
  nodes: readonly Node[],
  file: ClusterFile,
  result: (text: string) => void,
): Promise<ReadonlyMap<Node, Architecture>> {
  const wanted = { memoryMiB: file.broker.memoryMiB + file.quorum.memoryMiB }
  const surveyed = await Promise.all(nodes.map(async (node) => [node, await survey(node)] as const))
  const found = surveyed.flatMap(([{ host }, facts]) =>
    findings(facts, wanted).map((finding) => ({ ...finding, text: `${host.name} ${finding.text}` })),
  )
  const clocks = clockFinding(new Map(surveyed.map(([{ host }, facts]) => [host.name, facts])))
  if (clocks !== undefined) found.push(clocks)
  const refused = found.filter((finding) => !isAccepted(finding, file.accept))
  if (refused.length > 0) throw new ProvisionError(refusal(refused))
  const accepted = [...new Set(found.map(({ kind }) => kind))]
  result(accepted.length === 0 ? 'all fit' : `accepted by cluster.yaml: ${accepted.join(', ')}`)
  return new Map(surveyed.map(([node, facts]) => [node, architectureOf(facts)]))
}

function refusal(found: readonly Finding[]): string {
  const acceptable = found.filter(({ kind }) => ['os', 'cores', 'memory', 'disk', 'clock'].includes(kind))
  const kinds = [...new Set(acceptable.map(({ kind }) => kind))]
  const lines = found.map(({ kind, text }) => `${text} [${kind}]`)
  if (kinds.length > 0)
    lines.push(`what you can live with, accept in cluster.yaml: accept: [${kinds.join(', ')}]`)
  return lines.join('\n')
}

/** Builds a release for each architecture among the hosts. */
async function build(
  architectures: ReadonlyMap<Node, Architecture>,
  file: ClusterFile,
  { progress, root = ROOT, cache = path.join(root, '.brokerkit') }: HostsOptions,
  result: (text: string) => void,
): Promise<Releases> {
  const built = new Map<Architecture, Release>()
  for (const architecture of new Set(architectures.values())) {
    const etcd = file.quorum.etcd ?? DEFAULT_ETCD
    const report = (line: string): void => progress.line(`  ${line}`)
    built.set(architecture, await buildRelease({ root, architecture, etcd, cache, report }))
  }
  const sizes = [...built.values()].map(({ id, architecture, sizeBytes, cached }) => {
    return `${id} for ${architecture}, ${(sizeBytes / 2 ** 20).toFixed(0)} MiB${cached ? ', as before' : ''}`
  })
  result(sizes.join('; '))
  return new Map([...architectures].map(([node, architecture]) => [node, built.get(architecture)!]))
}

async function planned(
  nodes: readonly Node[],
  target: HostsTarget,
  releases: Releases,
): Promise<PlannedHost[]> {
  const settings = clusterSettings(target, settingsOf(target))
  const templates = await unitTemplates()
  return nodes.map((node) => ({
    ...node,
    plan: planNode(node.inventory, settings, releases.get(node)!, templates),
  }))
}

async function unitTemplates(): Promise<UnitTexts> {
  const read = (unit: string): Promise<string> => readFile(path.join(ROOT, 'systemd', unit), 'utf8')
  return { [QUORUM_UNIT]: await read(QUORUM_UNIT), [BROKER_UNIT]: await read(BROKER_UNIT) }
}

/** All that is done to a host before anything is started on it, on all hosts at once. */
async function prepare(
  hosts: readonly PlannedHost[],
  releases: Releases,
  file: ClusterFile,
  progress: Progress,
): Promise<Change[]> {
  const changes: Change[] = []
  const onAll = (title: string, step: (node: PlannedHost) => Promise<Changes>): Promise<void> =>
    progress.step(title, async (result) => {
      const perHost = await Promise.all(hosts.map((node) => step(node)))
      const made = hosts.flatMap(({ inventory }, index) =>
        perHost[index]!.map((what) => ({ node: inventory.id, step: title, what })),
      )
      changes.push(...made)
      result(made.length === 0 ? 'unchanged' : `${made.length} changes`)
    })
  await onAll('user', (node) => ensureUser(node, file.kafkaUser.sudo))
  await onAll('device', (node) => ensureDevice(node))
  await onAll('files', (node) => ensureRelease(node, releaseOf(node), (text) => progress.line(`  ${text}`)))
  await onAll('settings', (node) => ensureSettings(node, node.plan))
  await onAll('units', async (node) => {
    await verifyUnits(node, node.plan)
    return ensureUnits(node, node.plan)
  })
  return changes

  function releaseOf(wanted: PlannedHost): Release {
    return [...releases].find(([{ host }]) => host === wanted.host)![1]
  }
}

function sorted(deeds: readonly Deed[]): Pick<ProvisionHostsResult, 'started' | 'restarted'> {
  const those = (wanted: Deed['what']): UnitOnNode[] =>
    deeds.filter(({ what }) => what === wanted).map(({ node, unit }) => ({ node, unit }))
  return { started: those('started'), restarted: those('restarted') }
}
