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
import { appendFileSync, existsSync, openSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { randomBytes } from 'node:crypto'
import { networkInterfaces, tmpdir } from 'node:os'
import path from 'node:path'
import { execa, execaSync } from 'execa'
import type { HostsImage } from '../setup/hosts-image.ts'

const REBOOTED = 133
const BOOT_TIMEOUT_MS = 60_000
const STATE_PREFIX = 'brokerkit-hosts-'

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
    this.killNow()
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

  /** For the exit handler, which cannot wait. */
  killNow(): void {
    const pid = this.#initPid()
    const { pid: nspawn } = this.#nspawn ?? {}
    this.#nspawn = undefined
    if (pid !== undefined) process.kill(pid, 'SIGKILL')
    else if (nspawn !== undefined) kill(nspawn)
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
    this.#nspawn = child
    this.#exited = new Promise((resolve) => {
      child.once('exit', (code) => {
        appendFileSync(path.join(this.folder, 'console.log'), `nspawn ended with ${code}\n`)
        if (code === REBOOTED && this.#nspawn === child) this.#start()
        resolve()
      })
    })
  }

  #initPid(): number | undefined {
    const nspawn = this.#nspawn?.pid
    if (nspawn === undefined || !existsSync(`/proc/${nspawn}`)) return undefined
    const children = readFileSync(`/proc/${nspawn}/task/${nspawn}/children`, 'utf8').trim()
    return children === '' ? undefined : Number(children.split(' ')[0])
  }
}

export class SystemdHosts {
  readonly hosts: readonly SystemdHost[]
  /** The private key that logs in as `ubuntu` on each host. */
  readonly identityFile: string
  readonly #folder: string
  readonly #bridge: string
  readonly #onExit = (): void => this.#demolish()

  private constructor(folder: string, bridge: string, hosts: readonly SystemdHost[]) {
    this.#folder = folder
    this.#bridge = bridge
    this.hosts = hosts
    this.identityFile = path.join(folder, 'id_ed25519')
  }

  /** Boots `count` hosts. They are taken down by `stop`, or when this process exits. */
  static async start(image: HostsImage, count = 3): Promise<SystemdHosts> {
    removeLeftovers()
    const folder = await mkdtemp(path.join(tmpdir(), STATE_PREFIX))
    const tag = randomBytes(2).toString('hex')
    const subnet = freeSubnet()
    const bridge = `bk${tag}`
    const hosts = Array.from(
      { length: count },
      (_, i) =>
        new SystemdHost(
          i + 1,
          `${subnet}.${11 + i}`,
          path.join(folder, `h${i + 1}`),
          `k${tag}h${i + 1}`,
          bridge,
        ),
    )
    const machines = new SystemdHosts(folder, bridge, hosts)
    process.once('exit', machines.#onExit)
    try {
      await writeFile(path.join(folder, 'owner'), JSON.stringify({ pid: process.pid, bridge }))
      await execa('ssh-keygen', [
        '-q',
        '-t',
        'ed25519',
        '-N',
        '',
        '-C',
        'brokerkit-tests',
        '-f',
        machines.identityFile,
      ])
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
    process.removeListener('exit', this.#onExit)
    await Promise.all(this.hosts.map((host) => host.powerOff()))
    this.#demolish()
  }

  #demolish(): void {
    for (const host of this.hosts) host.killNow()
    removeFolder(this.#folder, this.#bridge)
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

/** What runs that were killed have left behind. */
function removeLeftovers(): void {
  for (const name of readdirSync(tmpdir()).filter((name) => name.startsWith(STATE_PREFIX))) {
    const folder = path.join(tmpdir(), name)
    const owner = path.join(folder, 'owner')
    if (!existsSync(owner)) continue
    const { pid, bridge } = JSON.parse(readFileSync(owner, 'utf8')) as { pid: number; bridge: string }
    if (existsSync(`/proc/${pid}`)) continue
    killProcessesUsing(folder)
    removeFolder(folder, bridge)
  }
}

/** Hosts outlive the process that started them when it is killed: their nspawn names the folder in its arguments. */
function killProcessesUsing(folder: string): void {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      if (!readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`--directory=${folder}/`)) continue
      const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()
      for (const child of children.split(' ').filter(Boolean)) kill(Number(child))
      kill(Number(pid))
    } catch {
      // The process has ended meanwhile.
    }
  }
}

function removeFolder(folder: string, bridge: string): void {
  for (const name of existsSync(folder) ? readdirSync(folder) : []) {
    if (/^h\d+$/.test(name))
      execaSync('umount', ['--lazy', path.join(folder, name, 'root')], { reject: false })
  }
  execaSync('ip', ['link', 'delete', bridge], { reject: false })
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended already.
  }
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
