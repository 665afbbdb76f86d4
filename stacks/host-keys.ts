/**
 * The nodes' SSH host keys, made on this machine before there are nodes, so that even the first connection is
 * checked: .brokerkit/<cluster>/host-keys/<node> and <node>.pub, in a folder that only its owner may enter.
 * They serve to make an instance and are not needed afterwards (docs/decisions/0061-host-keys.md).
 */
import { existsSync } from 'node:fs'
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import ssh2 from 'ssh2'

export interface HostKeyFiles {
  /** The private key in OpenSSH's format; an absolute path, for Terraform to read. */
  readonly privateKeyFile: string
  /** "ssh-ed25519 AAAA…" */
  readonly publicKey: string
}

/** The host key of each node by its name; those that are missing are made. */
export async function ensureHostKeys(
  clusterFolder: string,
  nodes: readonly string[],
): Promise<ReadonlyMap<string, HostKeyFiles>> {
  const folder = path.join(clusterFolder, 'host-keys')
  await mkdir(folder, { recursive: true })
  await chmod(clusterFolder, 0o700)
  await chmod(folder, 0o700)
  const keys = await Promise.all(
    nodes.map(async (node) => [node, await ensureHostKey(path.join(folder, node))] as const),
  )
  return new Map(keys)
}

/** The private key is written last: a pair that was made only half is made again. */
async function ensureHostKey(privateKeyFile: string): Promise<HostKeyFiles> {
  const publicKeyFile = `${privateKeyFile}.pub`
  if (existsSync(privateKeyFile) && existsSync(publicKeyFile)) {
    return { privateKeyFile, publicKey: (await readFile(publicKeyFile, 'utf8')).trim() }
  }
  const pair = ssh2.utils.generateKeyPairSync('ed25519')
  await writeFile(publicKeyFile, `${pair.public}\n`)
  await writeFile(privateKeyFile, pair.private, { mode: 0o600 })
  return { privateKeyFile, publicKey: pair.public }
}
