/** Packages of the system for the tests, from apt, where the tests run as root. */
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'

import { execa } from 'execa'

import { TOOLS_FOLDER } from './prerequisite.ts'

const LISTS = '/var/lib/apt/lists'
const UPDATE_TIMEOUT_MS = 180_000
const INSTALL_TIMEOUT_MS = 600_000

/** Why apt cannot be used here; undefined when it can. */
export function aptUnusable(): string | undefined {
  if (!existsSync('/usr/bin/apt-get')) return 'this system has no apt-get'
  if (process.getuid?.() !== 0) return 'installing it needs root'
  return undefined
}

/**
 * Settings for every apt-get of this run, also of other prerequisites: they wait for one another instead of failing
 * on dpkg's lock, and never ask. On a fresh machine, fetches the package lists.
 */
export async function prepareApt(report: (line: string) => void): Promise<void> {
  if (aptUnusable() !== undefined) return
  mkdirSync(TOOLS_FOLDER, { recursive: true })
  const config = path.join(TOOLS_FOLDER, 'apt.conf')
  writeFileSync(config, 'DPkg::Lock::Timeout "600";\nAPT::Get::Assume-Yes "true";\nAcquire::Retries "3";\n')
  process.env['APT_CONFIG'] = config
  process.env['DEBIAN_FRONTEND'] = 'noninteractive'
  const lists = existsSync(LISTS) ? readdirSync(LISTS) : []
  if (lists.some((name) => /Packages(\.\w+)?$/.test(name))) return
  report('apt-get update')
  await execa('apt-get', ['update'], { reject: false, timeout: UPDATE_TIMEOUT_MS })
}

/** Installs the packages; returns why it failed, or undefined. */
export async function aptInstall(
  packages: readonly string[],
  report: (line: string) => void,
): Promise<string | undefined> {
  const unusable = aptUnusable()
  if (unusable !== undefined) return unusable
  report(`installing ${packages.join(', ')}`)
  const install = await execa(
    'apt-get',
    ['-o', 'DPkg::Lock::Timeout=600', 'install', '--yes', '--no-install-recommends', ...packages],
    { env: { DEBIAN_FRONTEND: 'noninteractive' }, reject: false, timeout: INSTALL_TIMEOUT_MS },
  )
  if (!install.failed) return undefined
  return `apt-get install ${packages.join(' ')} failed: ${install.stderr.trim().split('\n').slice(-3).join(' | ')}`
}
