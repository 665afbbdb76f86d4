/**
 * Runs on a node, fed through stdin like quorum-view.ts: says, as one line of JSON, what the log directories of a
 * server.properties hold as to whom their records belong to. Argument: the properties file. Imports Node only.
 */
import { existsSync, readFileSync, readdirSync } from 'node:fs'

/** The line that is printed. */
export interface LogDirectories {
  /** Of server.properties, as written. */
  readonly nodeId: string | undefined
  readonly quorumConnect: string | undefined
  readonly directories: readonly {
    readonly path: string
    /** The text of meta.properties; absent when there is none. */
    readonly metaProperties?: string
    /** Of each partition's folder. */
    readonly partitions: readonly { readonly folder: string; readonly topicId?: string }[]
  }[]
}

const [propertiesFile] = process.argv.slice(2)
const properties = new Map(
  readFileSync(propertiesFile!, 'utf8')
    .split('\n')
    .filter((line) => /^\s*[^#!\s]/.test(line) && line.includes('='))
    .map((line) => [line.slice(0, line.indexOf('=')).trim(), line.slice(line.indexOf('=') + 1).trim()]),
)
const paths = (properties.get('log.dirs') ?? properties.get('log.dir') ?? '')
  .split(',')
  .map((path) => path.trim())
const found: LogDirectories = {
  nodeId: properties.get('node.id') ?? properties.get('broker.id'),
  quorumConnect: properties.get('quorum.connect'),
  directories: paths.filter((path) => path !== '').map((path) => directory(path)),
}
process.stdout.write(`${JSON.stringify(found)}\n`)

function directory(path: string): LogDirectories['directories'][number] {
  const metaProperties = textOf(`${path}/meta.properties`)
  return {
    path,
    ...(metaProperties === undefined ? {} : { metaProperties }),
    partitions: existsSync(path) ? partitions(path) : [],
  }
}

/** Folders named <topic>-<partition>; those on their way to deletion have another ending. */
function partitions(path: string): LogDirectories['directories'][number]['partitions'] {
  return readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && /-\d+$/.test(entry.name))
    .map(({ name }) => {
      const topicId = /^topic_id: (\S+)/m.exec(textOf(`${path}/${name}/partition.metadata`) ?? '')?.[1]
      return { folder: name, ...(topicId === undefined ? {} : { topicId }) }
    })
}

function textOf(file: string): string | undefined {
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined
}
