/**
 * Three hosts with a systemd, sshd and network of their own: systemd-nspawn containers on a bridge with a private
 * subnet that exists on this machine only. `powerOff` is a power cut, not a shutdown.
 *
 * Each host's root is an overlay over the shared image. nspawn's child is the host's PID 1: killing nspawn itself
 * would leave the host running. nspawn ends with 133 when its host reboots, and is started again as a hypervisor would.
 * Limits of the stand-in: MemoryMax and OOMScoreAdjust are not enforced, all hosts share one clock, disk and page cache.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { createConnection } from 'node:net'
import { appendFileSync, closeSync, existsSync, openSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { randomBytes } from 'node:crypto'
import { networkInterfaces, tmpdir } from 'node:os'
import path from 'node:path'
import { execa, execaSync } from 'execa'
import { childrenOf, kill, removeHosts } from './systemd-hosts-reaper.ts'
import type { HostsImage } from '../setup/hosts-image.ts'

const REBOOTED = 133
const BOOT_TIMEOUT_MS = 60_000
const REAPER = path.join(import.meta.dirname, 'systemd-hosts-reaper.ts')

/** One host; `id` counts from 1. */
export class SystemdHost {
  readonly id: number
  readonly address: string
  readonly folder: string
  readonly #machine: string
  readonly #bridge: string
  #nspawn: ChildProcess | undefined
  #exited: Promise<void> = Promise.resolve()

  constructor(id: number, address: string, folder: string, machine: string, bridge: string) {
    this.id = id
    this.address = address
    this.folder = folder
    this.#machine = machine
    this.#bridge = bridge
  }

  get root(): string {
    return path.join(this.folder, 'root')
  }

  /** The host's public key, as an inventory's hostKeys names it. */
  get hostKey(): string {
    const line = readFileSync(path.join(this.root, 'etc/ssh/ssh_host_ed25519_key.pub'), 'utf8')
    return line.trim().split(' ').slice(0, 2).join(' ')
  }

  /** Boots the host and waits until its sshd answers. */
  async powerOn(): Promise<void> {
    this.#start()
    await this.answers()
  }

  /** The power is cut: every process of the host is gone at once, nothing is flushed by anybody. */
  async powerOff(): Promise<void> {
    const nspawn = this.#nspawn?.pid
    this.#nspawn = undefined
    if (nspawn !== undefined) for (const init of childrenOf(nspawn)) kill(init)
    await this.#exited
  }

  /** Waits until sshd sends its banner. */
  async answers(): Promise<void> {
    const deadline = performance.now() + BOOT_TIMEOUT_MS
    while (!(await hasSshBanner(this.address))) {
      if (performance.now() > deadline)
        throw new Error(`${this.#machine} did not come up:\n${this.console()}`)
    }
  }

  /** The network cable is pulled, or put back. */
  async setLink(state: 'up' | 'down'): Promise<void> {
    await execa('ip', ['link', 'set', `vb-${this.#machine}`, state])
  }

  /** The end of what the host printed on its console. */
  console(): string {
    const file = path.join(this.folder, 'console.log')
    return existsSync(file) ? readFileSync(file, 'utf8').slice(-4_000) : ''
  }

  #start(): void {
    execaSync('ip', ['link', 'delete', `vb-${this.#machine}`], { reject: false })
    const log = openSync(path.join(this.folder, 'console.log'), 'a')
    const child = spawn(
      'systemd-nspawn',
      [
        '--quiet',
        '--boot',
        '--register=no',
        '--keep-unit',
        '--console=pipe',
        `--directory=${this.root}`,
        `--machine=${this.#machine}`,
        `--network-bridge=${this.#bridge}`,
      ],
      { stdio: ['ignore', log, log], detached: true },
    )
    closeSync(log)
    this.#nspawn = child
    this.#exited = new Promise((resolve) => {
      child.once('exit', (code) => {
        appendFileSync(path.join(this.folder, 'console.log'), `nspawn ended with ${code}\n`)
        if (code === REBOOTED && this.#nspawn === child) this.#start()
        resolve()
      })
    })
  }
}

export class SystemdHosts {
  readonly hosts: readonly SystemdHost[]
  /** The private key that logs in as `ubuntu` on each host. */
  readonly identityFile: string
  readonly #folder: string
  readonly #bridge: string
  readonly #reaper: ChildProcess

  private constructor(folder: string, bridge: string, hosts: readonly SystemdHost[]) {
    this.#folder = folder
    this.#bridge = bridge
    this.hosts = hosts
    this.identityFile = path.join(folder, 'id_ed25519')
    this.#reaper = spawn(process.execPath, [REAPER, folder, bridge], {
      stdio: ['pipe', 'ignore', 'inherit'],
      detached: true,
    })
    this.#reaper.unref()
  }

  /** Boots `count` hosts. They are gone after `stop`, and soon after this process has ended in any way. */
  static async start(image: HostsImage, count = 3): Promise<SystemdHosts> {
    const folder = await mkdtemp(path.join(tmpdir(), 'brokerkit-hosts-'))
    const tag = randomBytes(2).toString('hex')
    const subnet = freeSubnet()
    const bridge = `bk${tag}`
    const hosts = Array.from({ length: count }, (_, i) => {
      const id = i + 1
      return new SystemdHost(id, `${subnet}.${10 + id}`, path.join(folder, `h${id}`), `k${tag}h${id}`, bridge)
    })
    const machines = new SystemdHosts(folder, bridge, hosts)
    try {
      await execa('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'tests', '-f', machines.identityFile])
      await execa('ip', ['link', 'add', bridge, 'type', 'bridge'])
      await execa('ip', ['address', 'add', `${subnet}.1/24`, 'dev', bridge])
      await execa('ip', ['link', 'set', bridge, 'up'])
      await Promise.all(hosts.map((host) => prepare(host, image, subnet, machines.identityFile)))
      await Promise.all(hosts.map((host) => host.powerOn()))
      return machines
    } catch (error) {
      await machines.stop()
      throw error
    }
  }

  /** Powers all hosts off and removes everything that was made for them. */
  async stop(): Promise<void> {
    await Promise.all(this.hosts.map((host) => host.powerOff()))
    removeHosts(this.#folder, this.#bridge)
    this.#reaper.stdin?.end()
  }
}

async function prepare(
  host: SystemdHost,
  image: HostsImage,
  subnet: string,
  identityFile: string,
): Promise<void> {
  const [upper, work] = ['upper', 'work'].map((name) => path.join(host.folder, name))
  for (const folder of [upper!, work!, host.root]) await mkdir(folder, { recursive: true })
  const layers = `lowerdir=${image.root},upperdir=${upper},workdir=${work}`
  await execa('mount', ['-t', 'overlay', 'overlay', '-o', layers, host.root])
  const files: Readonly<Record<string, string>> = {
    'etc/hostname': `broker-${host.id}\n`,
    // sudo looks its host up; without an answer here it waits for a name server that nobody can reach.
    'etc/hosts': `127.0.0.1 localhost\n${host.address} broker-${host.id}\n`,
    'etc/systemd/network/10-host0.network': networkFile(host.address, subnet),
    'home/ubuntu/.ssh/authorized_keys': await readFile(`${identityFile}.pub`, 'utf8'),
  }
  for (const [name, text] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(host.root, name)), { recursive: true, mode: 0o755 })
    await writeFile(path.join(host.root, name), text, { mode: 0o644 })
  }
  await execa('chroot', [host.root, 'chown', '-R', 'ubuntu:ubuntu', '/home/ubuntu/.ssh'])
  await execa('systemd-machine-id-setup', [`--root=${host.root}`])
  const key = path.join(host.root, 'etc/ssh/ssh_host_ed25519_key')
  await execa('sh', ['-c', 'rm -f "$1"/etc/ssh/ssh_host_*', 'sh', host.root])
  await execa('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', `broker-${host.id}`, '-f', key])
}

function networkFile(address: string, subnet: string): string {
  return [
    '[Match]\nName=host0\n[Network]',
    `Address=${address}/24\nGateway=${subnet}.1`,
    'LinkLocalAddressing=no\nDHCP=no\nIPv6AcceptRA=no\n',
  ].join('\n')
}

/** A /24 of 10.77/16 that no interface of this machine is in. */
function freeSubnet(): string {
  const taken = Object.values(networkInterfaces()).flatMap((list) =>
    (list ?? []).map(({ address }) => address),
  )
  for (let third = 1; third < 255; third++) {
    const subnet = `10.77.${third}`
    if (!taken.some((address) => address.startsWith(`${subnet}.`))) return subnet
  }
  throw new Error('no free subnet in 10.77.0.0/16')
}

/** Whether an SSH server greets within a second. */
function hasSshBanner(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host: address, port: 22 })
    const answer = (greeted: boolean): void => {
      socket.destroy()
      // A refused connection comes back at once: ask again only a moment later.
      setTimeout(() => resolve(greeted), greeted ? 0 : 50)
    }
    socket.setTimeout(1_000, () => answer(false))
    socket.once('error', () => answer(false))
    socket.once('data', (bytes) => answer(bytes.toString('latin1').startsWith('SSH-')))
  })
}
