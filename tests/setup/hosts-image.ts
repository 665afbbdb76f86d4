/**
 * The root file system of the test hosts: Debian 12 with systemd, sshd and sudo, made once by debootstrap and kept
 * unpacked in the tools folder. Hosts mount it read-only below an overlay of their own (`tests/support/systemd-hosts.ts`).
 * Needs root, and apt for what is missing.
 */
import { access, mkdir, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { execa } from 'execa'
import { aptInstall } from './apt.ts'
import { TOOLS_FOLDER, type Availability, type Prerequisite } from './prerequisite.ts'

export interface HostsImage {
  /** The unpacked root file system; to be used read-only. */
  readonly root: string
}

const SUITE = 'bookworm'
const GUEST_PACKAGES = ['systemd', 'systemd-sysv', 'openssh-server', 'iproute2', 'sudo', 'dbus', 'logrotate']
const PROGRAMS: Readonly<Record<string, string>> = {
  'systemd-nspawn': 'systemd-container',
  debootstrap: 'debootstrap',
  ip: 'iproute2',
  'ssh-keygen': 'openssh-client',
}
const image = path.join(TOOLS_FOLDER, `hosts-${SUITE}-2`)
/** Written last, so that a debootstrap that was killed half-way is never taken for an image. */
const doneMark = path.join(image, 'etc/brokerkit-test-image')

export const hostsImage: Prerequisite<HostsImage> = {
  name: 'systemd hosts',
  find,
  async ensure(report) {
    const found = await find()
    if (found.available || process.getuid?.() !== 0) return found
    const missing = await missingPrograms()
    if (missing.length > 0) {
      const failure = await aptInstall(missing, report)
      if (failure !== undefined) return { available: false, missing: failure }
    }
    if (!(await exists(doneMark))) {
      report('building the hosts image (debootstrap, about a minute)')
      const failure = await build()
      if (failure !== undefined) return { available: false, missing: failure }
    }
    return find()
  },
}

async function find(): Promise<Availability<HostsImage>> {
  if (process.platform !== 'linux') return { available: false, missing: 'Linux' }
  if (process.getuid?.() !== 0) return { available: false, missing: 'root, for systemd-nspawn' }
  const missing = await missingPrograms()
  if (missing.length > 0) return { available: false, missing: `the packages ${missing.join(', ')}` }
  if (!(await exists(doneMark))) return { available: false, missing: `the image in ${image}` }
  return { available: true, value: { root: image } }
}

async function missingPrograms(): Promise<string[]> {
  const folders = (process.env['PATH'] ?? '').split(':').concat('/usr/sbin', '/sbin')
  const packages: string[] = []
  for (const [program, name] of Object.entries(PROGRAMS)) {
    const found = await Promise.all(folders.map((folder) => exists(path.join(folder, program))))
    if (!found.includes(true)) packages.push(name)
  }
  return packages
}

/** Builds into a folder of its own and renames it into place; returns what went wrong. */
async function build(): Promise<string | undefined> {
  await mkdir(TOOLS_FOLDER, { recursive: true })
  const building = `${image}.${process.pid}`
  await rm(building, { recursive: true, force: true })
  const made = await execa(
    'debootstrap',
    ['--variant=minbase', `--include=${GUEST_PACKAGES.join(',')}`, SUITE, building],
    { reject: false, timeout: 900_000 },
  )
  if (made.failed) return `debootstrap failed: ${tail(made.stdout)} ${tail(made.stderr)}`
  for (const superfluous of ['var/cache/apt/archives', 'var/lib/apt/lists', 'etc/machine-id', 'dev']) {
    await rm(path.join(building, superfluous), { recursive: true, force: true })
  }
  await mkdir(path.join(building, 'dev'))
  await bake(building)
  await writeFile(path.join(building, 'etc/brokerkit-test-image'), `${SUITE}\n`)
  await rm(image, { recursive: true, force: true })
  await rename(building, image)
  return undefined
}

/** What a cloud image has: a user `ubuntu` with passwordless sudo, sshd without DNS, a journal that survives reboots. */
async function bake(root: string): Promise<void> {
  await execa('chroot', [root, 'useradd', '--create-home', '--shell', '/bin/bash', 'ubuntu'])
  const files: Readonly<Record<string, string>> = {
    'etc/sudoers.d/90-ubuntu': 'ubuntu ALL=(ALL) NOPASSWD:ALL\n',
    'etc/ssh/sshd_config.d/10-test.conf': 'UseDNS no\nPasswordAuthentication no\nMaxStartups 100\n',
    'etc/systemd/journald.conf.d/10-test.conf': '[Journal]\nStorage=persistent\n',
  }
  for (const [name, text] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(root, name)), { recursive: true })
    await writeFile(path.join(root, name), text, { mode: 0o440 })
  }
  await execa('chroot', [root, 'systemctl', 'enable', 'systemd-networkd.service'])
  await execa('chroot', [root, 'systemctl', 'mask', 'systemd-networkd-wait-online.service'])
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  )
}

function tail(text: string): string {
  return text.trim().split('\n').slice(-3).join(' | ')
}
