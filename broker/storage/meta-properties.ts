/**
 * `meta.properties` in each log directory: which cluster and which node the records belong to. Written at the first
 * start, compared at each: records of another cluster must never be served as this one's.
 *
 *   version=1  cluster.id  node.id  directory.id     as Kafka writes it since KRaft
 *   version=0  cluster.id  broker.id                 as it did with ZooKeeper; kept as found
 *
 * A file without cluster.id is filled in: taking that line out is the known cure after a quorum was replaced.
 */
import { randomBytes } from 'node:crypto'
import { parsePropertyLines } from '../config/properties-file.ts'
import { type Files, nodeFiles, replaceFile } from './files.ts'

export const META_PROPERTIES = 'meta.properties'

export interface MetaProperties {
  readonly version: 0 | 1
  /** undefined when the line is missing. */
  readonly clusterId: string | undefined
  readonly nodeId: number | undefined
  /** 22 characters of base64url; version 1 only. */
  readonly directoryId?: string | undefined
}

/** Stops the start of a broker. The message is written for the person who must decide. */
export class MetaPropertiesError extends Error {
  override readonly name = 'MetaPropertiesError'
}

export function metaPropertiesPath(directory: string): string {
  return `${directory}/${META_PROPERTIES}`
}

/** undefined when the file is absent. Throws MetaPropertiesError for one that cannot be read. */
export function readMetaProperties(directory: string, files: Files = nodeFiles): MetaProperties | undefined {
  const content = files.readFile(metaPropertiesPath(directory))
  return content === undefined ? undefined : parseMetaProperties(content.toString('utf8'), directory)
}

function parseMetaProperties(text: string, directory: string): MetaProperties {
  const path = metaPropertiesPath(directory)
  if (text.trim() === '') {
    throw new MetaPropertiesError(`${path} is empty: ${restoreAdvice(path)}`)
  }
  const entries = new Map(parsePropertyLines(text).map(({ key, value }) => [key, value]))
  const version = entries.get('version')
  if (version !== '0' && version !== '1') {
    throw new MetaPropertiesError(
      `${path} has ${version === undefined ? 'no version' : `version=${version}`}, expected 0 or 1: ${restoreAdvice(path)}`,
    )
  }
  const nodeKey = version === '0' ? 'broker.id' : 'node.id'
  const node = entries.get(nodeKey)
  if (node !== undefined && !/^\d+$/.test(node)) {
    throw new MetaPropertiesError(
      `${path} has ${nodeKey}=${node}, which is not a number: ${restoreAdvice(path)}`,
    )
  }
  return {
    version: version === '0' ? 0 : 1,
    clusterId: entries.get('cluster.id') || undefined,
    nodeId: node === undefined ? undefined : Number(node),
    directoryId: entries.get('directory.id') || undefined,
  }
}

function restoreAdvice(path: string): string {
  return `put it back from a backup, or move ${path} away to have it written anew at the next start`
}

/** Replaces the file as a whole. */
export function writeMetaProperties(
  directory: string,
  properties: MetaProperties,
  files: Files = nodeFiles,
): Promise<void> {
  const { version, clusterId, nodeId, directoryId } = properties
  const lines = [
    '#',
    `#${new Date().toUTCString()}`,
    `version=${version}`,
    ...(clusterId === undefined ? [] : [`cluster.id=${clusterId}`]),
    ...(nodeId === undefined ? [] : [`${version === 0 ? 'broker.id' : 'node.id'}=${nodeId}`]),
    ...(version === 0 || directoryId === undefined ? [] : [`directory.id=${directoryId}`]),
  ]
  return replaceFile(files, metaPropertiesPath(directory), `${lines.join('\n')}\n`)
}

export interface PartitionCount {
  readonly found: number
  readonly known: number
}

export interface MetaCheck {
  readonly directories: readonly string[]
  /** Of the quorum that this broker is connected to. */
  readonly clusterId: string
  /** Of this broker's configuration. */
  readonly nodeId: number
  /** How many partitions are in the directories, and how many of them are of topics that the quorum knows. */
  readonly countPartitions?: (() => PartitionCount) | undefined
  readonly files?: Files
}

/**
 * Compares every directory's file with the cluster and node of this start. Returns the files that are to be written:
 * those of new directories and those without a cluster id. Throws MetaPropertiesError on a contradiction.
 */
export function checkMetaProperties(check: MetaCheck): { directory: string; properties: MetaProperties }[] {
  const files = check.files ?? nodeFiles
  const found = check.directories.map((directory) => ({
    directory,
    properties: readMetaProperties(directory, files),
  }))
  for (const { directory, properties } of found) {
    if (properties?.nodeId !== undefined && properties.nodeId !== check.nodeId) {
      throw nodeMismatch(check, directory, properties.nodeId)
    }
  }
  const foreign = found.find(
    ({ properties }) => properties?.clusterId !== undefined && properties.clusterId !== check.clusterId,
  )
  if (foreign !== undefined) throw clusterMismatch(check, found, foreign)
  return found.flatMap(({ directory, properties }) => {
    const wanted = completed(properties, check)
    return wanted === undefined ? [] : [{ directory, properties: wanted }]
  })
}

/** What the file should say, or undefined when it says so already. */
function completed(properties: MetaProperties | undefined, check: MetaCheck): MetaProperties | undefined {
  const { clusterId, nodeId } = check
  if (properties === undefined) return { version: 1, clusterId, nodeId, directoryId: newDirectoryId() }
  if (properties.clusterId !== undefined && properties.nodeId !== undefined) return undefined
  return { ...properties, clusterId, nodeId }
}

/** A random uuid that does not begin with a dash, which command lines would take for an option. */
function newDirectoryId(): string {
  const id = randomBytes(16)
  id[6] = (id[6]! & 0x0f) | 0x40
  id[8] = (id[8]! & 0x3f) | 0x80
  const text = id.toString('base64url')
  return text.startsWith('-') ? newDirectoryId() : text
}

interface Found {
  readonly directory: string
  readonly properties: MetaProperties | undefined
}

function clusterMismatch(check: MetaCheck, found: readonly Found[], foreign: Found): MetaPropertiesError {
  const path = metaPropertiesPath(foreign.directory)
  return new MetaPropertiesError(
    [
      `${path} has cluster.id=${foreign.properties?.clusterId}, but the quorum that this broker reached has cluster.id=${check.clusterId}.`,
      likelyWrong(check, found, foreign),
      `To compare the quorum, the peers and this node, and repair with a backup: npm run provision -- recover-meta --node ${check.nodeId}`,
    ].join(' '),
  )
}

/** Topic ids are random, so partitions of topics that the quorum knows prove more than any file does. */
function likelyWrong(check: MetaCheck, found: readonly Found[], foreign: Found): string {
  const partitions = check.countPartitions?.() ?? { found: 0, known: 0 }
  if (partitions.known > 0) {
    return `Likely wrong: this file, because ${partitions.known} of ${partitions.found} partitions here belong to topics that this quorum knows.`
  }
  const unknown =
    partitions.found === 0
      ? ''
      : ` None of the ${partitions.found} partitions here belongs to a topic that this quorum knows.`
  return likelyWrongByMajority(check, found, foreign) + unknown
}

function likelyWrongByMajority(check: MetaCheck, found: readonly Found[], foreign: Found): string {
  const foreignId = foreign.properties?.clusterId
  const known = found.filter(({ properties }) => properties?.clusterId !== undefined)
  const agreeing = known.filter(({ properties }) => properties?.clusterId === check.clusterId).length
  const differing = known.filter(({ properties }) => properties?.clusterId === foreignId).length
  if (agreeing > differing) {
    return `Likely wrong: log.dirs, which has a directory of another cluster in it; ${agreeing} of ${known.length} log directories name the quorum's cluster.`
  }
  const which =
    known.length > 1 ? `, because ${differing} of ${known.length} log directories name ${foreignId}` : ''
  return `Likely wrong: quorum.connect, which points at another quorum or at one that lost its data, or log.dirs, which points at the data of another cluster${which}.`
}

function nodeMismatch(check: MetaCheck, directory: string, nodeId: number): MetaPropertiesError {
  return new MetaPropertiesError(
    `${metaPropertiesPath(directory)} belongs to node ${nodeId}, but this broker is configured as node.id=${check.nodeId}. ` +
      'Likely wrong: node.id in server.properties, or log.dirs, which points at the directory of another node; ' +
      `records stay with the node that replicated them. Set node.id=${nodeId}, or compare with the quorum: npm run provision -- recover-meta --node ${check.nodeId}`,
  )
}
