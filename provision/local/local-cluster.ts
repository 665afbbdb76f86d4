/**
 * The folder of a cluster on this machine, and its marker file. Layout:
 *
 *   cluster.json              the marker: what this folder is, the brokers and their ports
 *   metadata.db*              the cluster's metadata, one file shared by the brokers
 *   broker<id>/server.properties, logs/, broker.log, broker.log.1, broker.pid
 *
 * Nothing is touched in a folder without a valid marker, except to make an empty one ours.
 */
import { mkdir, readFile, readdir, rename, writeFile } from 'node:fs/promises'
import path from 'node:path'

import { ProvisionError } from '../provision-error.ts'

export const CLUSTER_NAME = 'local'
export const BROKER_COUNT = 3

const MARKER = 'cluster.json'
const FORMAT = 'brokerkit local cluster, version 1'

export interface LocalBroker {
  readonly id: number
  readonly port: number
}

export class LocalCluster {
  readonly folder: string
  readonly brokers: readonly LocalBroker[]

  constructor(folder: string, brokers: readonly LocalBroker[]) {
    this.folder = path.resolve(folder)
    this.brokers = brokers
  }

  /** Three brokers on consecutive ports from `firstPort`. */
  static planned(folder: string, firstPort: number): LocalCluster {
    const brokers = Array.from({ length: BROKER_COUNT }, (_unused, index) => ({
      id: index + 1,
      port: firstPort + index,
    }))
    return new LocalCluster(folder, brokers)
  }

  get markerFile(): string {
    return path.join(this.folder, MARKER)
  }

  get metadataFile(): string {
    return path.join(this.folder, 'metadata.db')
  }

  /** `127.0.0.1:9092,…`, what clients are given. */
  get bootstrap(): string[] {
    return this.brokers.map(({ port }) => `127.0.0.1:${port}`)
  }

  files(broker: LocalBroker): BrokerFiles {
    const folder = path.join(this.folder, `broker${broker.id}`)
    return {
      folder,
      properties: path.join(folder, 'server.properties'),
      logs: path.join(folder, 'logs'),
      output: path.join(folder, 'broker.log'),
      olderOutput: path.join(folder, 'broker.log.1'),
      pid: path.join(folder, 'broker.pid'),
    }
  }

  /** Makes the folder with its marker; written beside and renamed, so that it is whole or not there. */
  async create(): Promise<void> {
    await mkdir(this.folder, { recursive: true })
    const content = { format: FORMAT, name: CLUSTER_NAME, brokers: this.brokers }
    await writeFile(`${this.markerFile}.new`, `${JSON.stringify(content, undefined, 2)}\n`)
    await rename(`${this.markerFile}.new`, this.markerFile)
  }
}

export interface BrokerFiles {
  readonly folder: string
  readonly properties: string
  readonly logs: string
  readonly output: string
  readonly olderOutput: string
  readonly pid: string
}

/** The cluster in `folder`, or undefined where there is none yet. Throws ProvisionError for what is not ours or spoilt. */
export async function readLocalCluster(folder: string): Promise<LocalCluster | undefined> {
  const marker = path.join(path.resolve(folder), MARKER)
  let text: string
  try {
    text = await readFile(marker, 'utf8')
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ENOENT') return assertUnused(folder)
    if (code === 'ENOTDIR')
      throw new ProvisionError(`${folder} is not a folder: choose another with --folder`)
    throw new ProvisionError(`cannot read ${marker}: ${(error as Error).message}`)
  }
  return new LocalCluster(folder, parseMarker(marker, text))
}

async function assertUnused(folder: string): Promise<undefined> {
  const entries = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw new ProvisionError(`cannot look into ${folder}: ${error.message}`)
  })
  const foreign = entries.filter((name) => name !== `${MARKER}.new`)
  if (foreign.length === 0) return
  throw new ProvisionError(
    `${path.resolve(folder)} holds ${foreign.slice(0, 3).join(', ')} but no ${MARKER}, so it is not known to be a ` +
      `cluster of brokerkit's, and nothing was touched. Choose another folder with --folder, or, if nothing in it is ` +
      `needed, delete it by hand.`,
  )
}

function parseMarker(marker: string, text: string): LocalBroker[] {
  try {
    const content = JSON.parse(text) as { format?: unknown; brokers?: unknown }
    if (content.format !== FORMAT) throw new Error(`"format" is not "${FORMAT}"`)
    if (!Array.isArray(content.brokers) || content.brokers.length === 0)
      throw new Error('"brokers" is missing')
    return content.brokers.map(parseBroker)
  } catch (error) {
    throw new ProvisionError(
      `${marker} is broken: ${(error as Error).message}. It says which brokers live here; nothing was touched. ` +
        `Restore it, or, if the data in ${path.dirname(marker)} is not needed, stop its brokers and delete that folder by hand.`,
    )
  }
}

function parseBroker(entry: unknown): LocalBroker {
  const { id, port } = entry as { id?: unknown; port?: unknown }
  if (!Number.isSafeInteger(id) || !Number.isSafeInteger(port))
    throw new Error('a broker without id and port')
  return { id: id as number, port: port as number }
}

/** A full or read-only disk is the operator's to mend, and is said without a stack. */
export async function writing<T>(cluster: LocalCluster, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof ProvisionError || (error as NodeJS.ErrnoException).code === undefined) throw error
    throw new ProvisionError(`cannot write into ${cluster.folder}: ${(error as Error).message}`)
  }
}

/** `broker 1`, `brokers 1, 2`. */
export function brokerNames(brokers: readonly { readonly id: number }[]): string {
  return `${brokers.length === 1 ? 'broker' : 'brokers'} ${brokers.map(({ id }) => id).join(', ')}`
}
