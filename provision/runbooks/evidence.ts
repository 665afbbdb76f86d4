/** Gathers what `judge` decides from, on hosts: changes nothing. */
import { readFile } from 'node:fs/promises'
import path from 'node:path'

import { parseProperties } from '../../broker/config/properties-file.ts'
import type { ClusterView } from '../cluster-view.ts'
import { runProgram } from '../commands/on-host.ts'
import type { LogDirectories } from '../on-host/log-directories.ts'
import { CONFIG_FOLDER, HOME, USER } from '../plan.ts'
import type { Node } from '../steps/step.ts'
import type { DirectoryEvidence, Evidence } from './meta-verdict.ts'

const PROGRAM = path.join(import.meta.dirname, '../on-host/log-directories.ts')

export async function readLogDirectories({ host }: Node): Promise<LogDirectories> {
  const { stdout } = await host.run(runProgram(HOME, USER, `${CONFIG_FOLDER}/server.properties`), {
    stdin: await readFile(PROGRAM),
  })
  return JSON.parse(stdout) as LogDirectories
}

export function evidenceOf(
  node: number,
  own: LogDirectories,
  others: ReadonlyMap<number, LogDirectories>,
  { image }: ClusterView,
): Evidence {
  const peers = [...others].map(([id, { directories }]) => ({
    node: id,
    clusterId: directories
      .map((directory) => directoryEvidence(directory).clusterId)
      .find((id) => id !== undefined),
  }))
  return {
    node,
    configuredNodeId: own.nodeId === undefined ? undefined : Number(own.nodeId),
    quorum:
      image === undefined
        ? undefined
        : { clusterId: image.clusterId, topicIds: new Set(image.topicNames.keys()) },
    directories: own.directories.map((directory) => directoryEvidence(directory)),
    peers,
  }
}

export function directoryEvidence(directory: LogDirectories['directories'][number]): DirectoryEvidence {
  const properties = parseProperties(directory.metaProperties ?? '')
  const node = properties.get('node.id') ?? properties.get('broker.id')
  return {
    path: directory.path,
    hasMetaProperties: directory.metaProperties !== undefined,
    clusterId: properties.get('cluster.id') || undefined,
    nodeId: node === undefined ? undefined : Number(node),
    topicIds: directory.partitions.map(({ topicId }) => topicId),
  }
}
