/**
 * What each node of a cluster is to have: pure, from cluster.yaml and the inventory to the text of its files.
 * Steps compare it with what is there.
 */
import { createHash } from 'node:crypto'
import { isIP } from 'node:net'

import { formatProperties } from '../broker/config/properties-file.ts'
import { ProvisionError } from './provision-error.ts'
import type { Release } from './release.ts'
import { render } from './render.ts'

export const USER = 'kafka'
export const USER_HOME = '/home/kafka'
/** Releases, settings and output of the services; root's, so that a broker cannot change what it runs. */
export const HOME = `${USER_HOME}/kafka`
export const CONFIG_FOLDER = `${HOME}/config`
export const LOG_FOLDER = `${USER_HOME}/logs`
export const QUORUM_FOLDER = `${USER_HOME}/quorum`
export const QUORUM_UNIT = 'quorum.service'
export const BROKER_UNIT = 'broker.service'
export const OUTPUT_FILES = {
  [BROKER_UNIT]: `${HOME}/kafka.log`,
  [QUORUM_UNIT]: `${HOME}/quorum.log`,
} as const
export const PORTS = { [BROKER_UNIT]: [9092], [QUORUM_UNIT]: [2379, 2380] } as const

export type Unit = typeof QUORUM_UNIT | typeof BROKER_UNIT
export type UnitTexts = Readonly<Record<Unit, string>>

export interface PlannedNode {
  readonly id: number
  /** Where peers and clients reach it. */
  readonly address: string
  readonly rack?: string
}

export interface ClusterSettings {
  readonly cluster: string
  readonly nodes: readonly PlannedNode[]
  /** server.properties of every broker, over the defaults of a provisioned cluster. */
  readonly brokerSettings: Readonly<Record<string, string>>
  readonly memory: Memory
}

/** The most that each service may take of a node's memory, in MiB. */
export interface Memory {
  readonly brokerMiB: number
  readonly quorumMiB: number
}

export interface NodePlan {
  readonly node: PlannedNode
  readonly serverProperties: string
  /** etcd reads YAML; JSON is a part of it. */
  readonly quorumConfig: string
  readonly units: UnitTexts
  /** What a unit's process must have been started with, or it is restarted. */
  readonly digests: Readonly<Record<Unit, string>>
}

/** The plan of one node for the release that it is to run; `templates` are the files of systemd/. */
export function planNode(
  node: PlannedNode,
  settings: ClusterSettings,
  release: Pick<Release, 'id' | 'etcdSha256'>,
  templates: UnitTexts,
): NodePlan {
  const serverProperties = propertiesText(brokerProperties(node, settings))
  const quorumConfig = `${JSON.stringify(quorumSettings(node, settings), undefined, 2)}\n`
  const { brokerMiB, quorumMiB } = settings.memory
  const digests = {
    [QUORUM_UNIT]: digest(release.etcdSha256, quorumConfig, templates[QUORUM_UNIT], String(quorumMiB)),
    [BROKER_UNIT]: digest(release.id, serverProperties, templates[BROKER_UNIT], String(brokerMiB)),
  }
  const common = { cluster: settings.cluster, user: USER, home: HOME }
  const units = {
    [QUORUM_UNIT]: render(QUORUM_UNIT, templates[QUORUM_UNIT], {
      ...common,
      dataFolder: QUORUM_FOLDER,
      digest: digests[QUORUM_UNIT],
      ...memoryFields(quorumMiB),
    }),
    [BROKER_UNIT]: render(BROKER_UNIT, templates[BROKER_UNIT], {
      ...common,
      nodeId: node.id,
      dataFolder: LOG_FOLDER,
      digest: digests[BROKER_UNIT],
      ...memoryFields(brokerMiB),
    }),
  }
  return { node, serverProperties, quorumConfig, units, digests }
}

/** A broker's settings: those of its place, safe defaults, and the operator's over the defaults. */
export function brokerProperties(node: PlannedNode, settings: ClusterSettings): Map<string, string> {
  const count = settings.nodes.length
  const replicas = String(Math.min(3, count))
  const listener = `PLAINTEXT://${hostAndPort(node.address, 9092)}`
  const place = new Map([
    ['node.id', String(node.id)],
    ['listeners', listener],
    ['advertised.listeners', listener],
    ['quorum.connect', settings.nodes.map(({ address }) => hostAndPort(address, 2379)).join(',')],
    ['log.dirs', LOG_FOLDER],
    ...(node.rack === undefined ? [] : [['broker.rack', node.rack] as const]),
  ])
  const defaults = new Map([
    ['delete.topic.enable', 'true'],
    ['default.replication.factor', replicas],
    ['min.insync.replicas', count >= 3 ? '2' : '1'],
    ['offsets.topic.replication.factor', replicas],
  ])
  for (const key of Object.keys(settings.brokerSettings)) {
    if (!place.has(key)) continue
    throw new ProvisionError(
      `cluster.yaml: broker.settings: ${key} is each node's own; it follows from the nodes and cannot be set here`,
    )
  }
  return new Map([...place, ...defaults, ...Object.entries(settings.brokerSettings)])
}

/** etcd's settings: on the node's own address only, as nobody else has business there. */
export function quorumSettings(
  node: PlannedNode,
  settings: ClusterSettings,
): Record<string, string | number> {
  const url = (address: string, port: number): string => `http://${hostAndPort(address, port)}`
  for (const { id, address } of settings.nodes) {
    if (isIP(address) === 0) {
      throw new ProvisionError(`node ${id}: the quorum listens on an IP address, and ${address} is not one`)
    }
  }
  return {
    name: `node-${node.id}`,
    'data-dir': QUORUM_FOLDER,
    'listen-client-urls': url(node.address, 2379),
    'advertise-client-urls': url(node.address, 2379),
    'listen-peer-urls': url(node.address, 2380),
    'initial-advertise-peer-urls': url(node.address, 2380),
    'initial-cluster': settings.nodes.map(({ id, address }) => `node-${id}=${url(address, 2380)}`).join(','),
    'initial-cluster-token': settings.cluster,
    'initial-cluster-state': 'new',
    'heartbeat-interval': 100,
    'election-timeout': 1_000,
    // A topic's creation is one transaction with a change and a condition for each of its partitions.
    'max-txn-ops': 10_000,
    'max-request-bytes': 8 * 1024 * 1024,
    'auto-compaction-mode': 'periodic',
    'auto-compaction-retention': '1h',
    'quota-backend-bytes': 2 * 1024 * 1024 * 1024,
    'log-level': 'warn',
  }
}

/**
 * A service's heap keeps to 40 % of its memory: the rest is for buffers, code and page cache. From 90 % on the kernel
 * takes pages back; at the whole of it, and only when that did not help, it kills.
 */
function memoryFields(memoryMiB: number): Record<'heapMiB' | 'memoryHighMiB' | 'memoryMaxMiB', number> {
  return {
    heapMiB: Math.floor(memoryMiB * 0.4),
    memoryHighMiB: Math.floor(memoryMiB * 0.9),
    memoryMaxMiB: memoryMiB,
  }
}

/** "10.0.1.11:9092", "[fd00::1]:9092". */
export function hostAndPort(host: string, port: number): string {
  return isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`
}

function propertiesText(properties: ReadonlyMap<string, string>): string {
  return `# Written by brokerkit from cluster.yaml; changes made here are overwritten by the next provisioning.\n${formatProperties(properties)}`
}

function digest(...parts: readonly string[]): string {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(`${part.length}:${part}`)
  return hash.digest('hex').slice(0, 16)
}
