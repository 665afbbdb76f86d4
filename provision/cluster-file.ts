/**
 * cluster.yaml: the one file that describes a cluster. The stacks read the machines to make from it, the
 * provisioner what to put on them. Its format is cluster-file.schema.json beside this file (editors can use it);
 * examples/ has commented files. Rules that a schema cannot say are in cluster-file-rules.ts.
 */
import { readFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { ruleMistakes } from './cluster-file-rules.ts'
import { schemaMistakes } from './cluster-file-schema.ts'
import { parseYaml, type Mistake } from './yaml-source.ts'

/** A checked cluster.yaml: defaults filled in, files as absolute paths. */
export interface ClusterFile {
  /** Where it was read from. Relative files in it, and the folder .brokerkit, are beside it. */
  readonly path: string
  readonly name: string
  readonly nodes: readonly ClusterNode[]
  readonly ssh: {
    readonly user: string
    readonly port: number
    /** Left out: the SSH agent is asked. */
    readonly identityFile?: string
    readonly knownHosts: string
  }
  readonly aws?: AwsSettings
  readonly broker: {
    /** server.properties entries for every node. */
    readonly settings: Readonly<Record<string, string>>
    readonly memoryMiB: number
  }
  readonly quorum: {
    /** Left out: the release that the provisioner knows. */
    readonly etcd?: EtcdChoice
    readonly memoryMiB: number
  }
  readonly kafkaUser: { readonly sudo: boolean }
  readonly accept: readonly AcceptedFinding[]
}

export interface ClusterNode {
  readonly id: number
  /** Given for machines that exist; the AWS stack's machines have theirs in its outputs. */
  readonly address?: string
  readonly sshAddress?: string
  readonly rack?: string
  /** "ssh-ed25519 AAAA…"; left out: ssh.knownHosts is asked. */
  readonly hostKeys?: readonly string[]
  readonly dataDevice?: string
}

export interface AwsSettings {
  readonly region: string
  readonly instanceType: string
  readonly vpcCidr: string
  readonly sshFrom: readonly string[]
  readonly clientsFrom: readonly string[]
  readonly allowAnywhere: readonly ('ssh' | 'clients')[]
  readonly publicKeyFile: string
  readonly dataVolume: { readonly sizeGiB: number; readonly iops: number; readonly throughputMiBps: number }
  readonly rootVolume: { readonly sizeGiB: number }
  readonly placementGroup: boolean
  readonly tags: Readonly<Record<string, string>>
}

/** An official release with the SHA-256 of its archives, or a binary on the control machine. */
export type EtcdChoice =
  | { readonly version: string; readonly sha256: Readonly<Partial<Record<'x64' | 'arm64', string>>> }
  | { readonly file: string }

export type AcceptedFinding = 'os' | 'cores' | 'memory' | 'disk' | 'clock'

/** All that is wrong in a cluster file, one line each: `cluster.yaml:12:5: nodes[1].id: 2 is used twice; …`. */
export class ClusterFileError extends Error {
  override readonly name = 'ClusterFileError'
  readonly mistakes: readonly Mistake[]

  constructor(mistakes: readonly Mistake[]) {
    super(mistakes.map(({ place, message }) => `${place}: ${message}`).join('\n'))
    this.mistakes = mistakes
  }
}

/** Reads and checks a cluster file; throws ClusterFileError with every mistake found. */
export async function readClusterFile(file: string): Promise<ClusterFile> {
  const absolute = path.resolve(file)
  const text = await readFile(absolute, 'utf8').catch((error: unknown) => {
    const reason =
      (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file' : String(error)
    throw new ClusterFileError([
      { place: file, message: `${reason}; examples/aws.yaml and examples/vms.yaml are there to be copied` },
    ])
  })
  return parseClusterFile(text, absolute)
}

/** The same for a text; `file` is its absolute path, by whose base name messages call it. */
export function parseClusterFile(text: string, file: string): ClusterFile {
  const source = parseYaml(text, path.basename(file))
  if (source.mistakes.length > 0) throw new ClusterFileError(source.mistakes)
  const shape = schemaMistakes(source)
  if (shape.length > 0) throw new ClusterFileError(shape)
  const checked = source.value as Checked
  const broken = ruleMistakes(checked, source)
  if (broken.length > 0) throw new ClusterFileError(broken)
  return withPaths(checked, file)
}

/** The document as the schema leaves it: defaults are there, files are as written. */
export type Checked = Omit<ClusterFile, 'path' | 'broker' | 'aws'> & {
  readonly broker: {
    readonly settings: Readonly<Record<string, string | number | boolean>>
    readonly memoryMiB: number
  }
  readonly aws?: Omit<AwsSettings, 'publicKeyFile'> & { readonly publicKeyFile?: string }
}

function withPaths(checked: Checked, file: string): ClusterFile {
  const { aws, ssh, broker, quorum, ...rest } = checked
  const absolute = (name: string): string =>
    path.resolve(path.dirname(file), name.replace(/^~(?=\/|$)/, os.homedir()))
  const identityFile = ssh.identityFile === undefined ? undefined : absolute(ssh.identityFile)
  const publicKeyFile =
    aws?.publicKeyFile ?? (identityFile === undefined ? '~/.ssh/id_ed25519.pub' : `${identityFile}.pub`)
  const etcd = quorum.etcd
  return {
    ...rest,
    path: file,
    ssh: {
      ...ssh,
      knownHosts: absolute(ssh.knownHosts),
      ...(identityFile !== undefined && { identityFile }),
    },
    ...(aws && { aws: { ...aws, publicKeyFile: absolute(publicKeyFile) } }),
    broker: {
      ...broker,
      settings: Object.fromEntries(
        Object.entries(broker.settings).map(([key, value]) => [key, String(value)]),
      ),
    },
    quorum: { ...quorum, ...(etcd && { etcd: 'file' in etcd ? { file: absolute(etcd.file) } : etcd }) },
  }
}
