/** Three systemd hosts as `npm run provision` sees them: a cluster.yaml, an inventory, and commands run on a host. */
import { cp, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'

import { execa } from 'execa'

import { parseClusterFile, type ClusterFile } from '../../provision/cluster-file.ts'
import { asRoot, script } from '../../provision/commands/shell.ts'
import { connect } from '../../provision/host.ts'
import { inventoryFromClusterFile } from '../../provision/inventory.ts'
import type { HostsTarget } from '../../provision/fleet.ts'
import { silentProgress } from '../../provision/progress.ts'
import { provisionHosts, type ProvisionHostsResult } from '../../provision/remote.ts'
import type { HostsImage } from '../setup/hosts-image.ts'
import { SystemdHosts, type SystemdHost } from './systemd-hosts.ts'
import { waitUntil } from './wait-until.ts'

const ROOT = path.resolve(import.meta.dirname, '../..')

export interface ClusterFileParts {
  readonly accept?: readonly string[]
  readonly settings?: Readonly<Record<string, string | number>>
  /** In the place of the hosts' own. */
  readonly hostKeys?: readonly string[]
}

export class ProvisionedHosts {
  readonly machines: SystemdHosts
  /** A copy of the checkout, so that all runs of a test release the same sources; releases are built in it. */
  readonly #checkout: string
  readonly #etcd: string

  private constructor(machines: SystemdHosts, checkout: string, etcd: string) {
    this.machines = machines
    this.#checkout = checkout
    this.#etcd = etcd
  }

  static async start(image: HostsImage, etcd: string): Promise<ProvisionedHosts> {
    const checkout = await mkdtemp(path.join(tmpdir(), 'brokerkit-checkout-'))
    for (const name of ['broker', 'tools', 'package.json', 'package-lock.json']) {
      await cp(path.join(ROOT, name), path.join(checkout, name), { recursive: true })
    }
    await symlink(path.join(ROOT, 'node_modules'), path.join(checkout, 'node_modules'))
    return new ProvisionedHosts(await SystemdHosts.start(image), checkout, etcd)
  }

  get hosts(): readonly SystemdHost[] {
    return this.machines.hosts
  }

  /** The host of broker `id`. */
  host(id: number): SystemdHost {
    return this.hosts[id - 1]!
  }

  get bootstrap(): string[] {
    return this.hosts.map(({ address }) => `${address}:9092`)
  }

  target(parts: ClusterFileParts = {}): HostsTarget {
    const clusterFile = this.#clusterFile(parts)
    return { clusterFile, inventory: inventoryFromClusterFile(clusterFile)! }
  }

  provision(parts: ClusterFileParts = {}): Promise<ProvisionHostsResult> {
    return provisionHosts(this.target(parts), { progress: silentProgress, root: this.#checkout })
  }

  /** `npm run provision -- --inventory FILE --cluster FILE …`, as an operator runs it. */
  async commandLine(
    ...words: readonly string[]
  ): Promise<{ exitCode?: number; stdout: string; stderr: string }> {
    const inventoryFile = path.join(this.#checkout, 'inventory.json')
    const clusterFile = path.join(this.#checkout, 'cluster.yaml')
    await writeFile(inventoryFile, JSON.stringify(this.target().inventory))
    await writeFile(clusterFile, this.#clusterText({}))
    const options = ['--inventory', inventoryFile, '--cluster', clusterFile]
    return execa(process.execPath, [path.join(ROOT, 'provision/main.ts'), ...options, ...words], {
      reject: false,
    })
  }

  /** Runs a shell script on a host as root; its output, whatever its exit code. */
  async onHost(id: number, text: string): Promise<string> {
    const { address, hostKey } = this.host(id)
    const host = await connect(
      { name: `host ${id}`, host: address, port: 22, user: 'ubuntu' },
      { identityFile: this.machines.identityFile },
      { accepted: [hostKey], revoked: [] },
    )
    try {
      return (await host.attempt(asRoot(script(text)))).stdout.trim()
    } finally {
      host.close()
    }
  }

  /** A systemd property of a unit. */
  property(id: number, unit: string, name: string): Promise<string> {
    return this.onHost(id, `systemctl show --property=${name} --value ${unit}`)
  }

  async waitForUnit(id: number, unit: string, active: string, timeoutMs = 60_000): Promise<void> {
    await waitUntil(
      async () => (await this.property(id, unit, 'ActiveState')) === active,
      `${unit} of host ${id} is ${active}`,
      timeoutMs,
    )
  }

  /** What changes with every start of a unit, for all hosts. */
  invocations(unit: string): Promise<string[]> {
    return Promise.all(this.hosts.map(({ id }) => this.property(id, unit, 'InvocationID')))
  }

  async stop(): Promise<void> {
    await this.machines.stop()
    await rm(this.#checkout, { recursive: true, force: true })
  }

  #clusterFile(parts: ClusterFileParts): ClusterFile {
    return parseClusterFile(this.#clusterText(parts), path.join(this.#checkout, 'cluster.yaml'))
  }

  /** JSON is YAML, too. */
  #clusterText({ accept = ['os', 'cores', 'memory'], settings = {}, hostKeys }: ClusterFileParts): string {
    return JSON.stringify({
      name: 'trial',
      nodes: this.hosts.map(({ id, address, hostKey }) => ({ id, address, hostKeys: hostKeys ?? [hostKey] })),
      ssh: { identityFile: this.machines.identityFile },
      quorum: { etcd: { file: this.#etcd } },
      broker: { settings },
      accept,
    })
  }
}
